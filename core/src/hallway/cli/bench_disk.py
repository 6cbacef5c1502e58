"""The yardstick of what is stored: a disk alone, which takes rows in transactions as the store of a device writes them."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hallway.cli.bench_cpu import Cpu
from hallway.cli.bench_messages import bodies
from hallway.errors import StoreUnusable
from hallway.store.database import PRAGMAS

GROUP = 32
"""Rows in one transaction."""
MOST = 1_000_000
"""Rows in all, at most."""


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path | None]:
    """A folder of its own in ``folder``, which is removed at the end; None for None.

    Raises:
        StoreUnusable: it cannot be made there.

    """
    if folder is None:
        yield None
        return
    try:
        made = tempfile.TemporaryDirectory(prefix="hallway-bench-", dir=folder)
    except OSError as error:
        raise StoreUnusable(
            f"nothing can be stored in {folder}: {error.strerror}", hint="name a folder in which this user may write: --store FOLDER"
        ) from error
    with made as name:
        yield Path(name)


def commit_rows(folder: Path, seconds: float) -> tuple[float, Cpu]:
    """Commit rows of small messages for ``seconds``; returns how many went to the disk per second, and the shares of a core that it took.

    It blocks: call it in a thread.

    Raises:
        StoreUnusable: the disk does not take them.

    """
    try:
        with tempfile.TemporaryDirectory(dir=folder) as own, closing(_database(Path(own) / "rows.db")) as connection:
            return _commit(connection, seconds)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(f"the disk of {folder} does not take what is written: {error}", hint="see that there is room") from error


def _database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for pragma in PRAGMAS:
        connection.execute(pragma)
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    return connection


def _commit(connection: sqlite3.Connection, seconds: float) -> tuple[float, Cpu]:
    endless = itertools.cycle(bodies())
    begin, cpu, count = time.perf_counter(), Cpu.of_thread(), 0
    while (passed := time.perf_counter() - begin) < seconds and count < MOST:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO row (body) VALUES (?)", [(body,) for body in itertools.islice(endless, GROUP)])
        connection.execute("COMMIT")
        count += GROUP
    return count / passed, Cpu.of_thread().since(cpu).per(passed)


async def disk_figures(folder: Path | None, seconds: float) -> list[float] | None:
    """What `commit_rows` finds, as a list that passes as JSON: rows per second, CPU used, CPU waited for; None without a folder."""
    if folder is None:
        return None
    rate, cpu = await asyncio.to_thread(commit_rows, folder, seconds)
    return [rate, cpu.used, cpu.waited]
