"""The writer: operations that wait share a commit, and each has its own fate."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from store_rig import incarnation, message, queued

from hallway.errors import ClosedError, StoreBusy, StoreDamaged
from hallway.store import Numbered, Placed, Single, Store
from hallway.store.database import Database


class Gate:
    """An operation that keeps the writer busy until it is opened."""

    def __init__(self, store: Store) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()
        self.task = asyncio.ensure_future(store._engine.run(self._wait))

    def _wait(self, db: Database) -> None:
        self.entered.set()
        assert self._open.wait(30)

    async def open(self) -> None:
        self._open.set()
        await self.task


async def busy(store: Store) -> Gate:
    gate = Gate(store)
    await asyncio.to_thread(gate.entered.wait, 30)
    return gate


async def put(store: Store, number: int) -> Placed:
    placed: Placed = await store.put(message(number), ["tablet-2"])
    return placed


def puts(store: Store, numbers: range) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(put(store, n)) for n in numbers]


async def test_what_is_asked_for_in_one_turn_of_the_loop_shares_one_commit(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "hallway.db"))
    before = store.commits
    await asyncio.gather(*puts(store, range(32)))
    assert store.commits == before + 1
    await store.put(message(99), ["tablet-2"])
    assert store.commits == before + 2
    await store.aclose()


async def test_what_waits_while_the_writer_is_busy_shares_the_next_commit(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "hallway.db"))
    gate = await busy(store)
    waiting = []
    for n in range(5):
        waiting += puts(store, range(10 * n, 10 * n + 10))
        await asyncio.sleep(0)
    before = store.commits
    await gate.open()
    await asyncio.gather(*waiting)
    assert store.commits == before + 1
    assert await queued(store) == [(n + 1, n) for n in range(50)]
    await store.aclose()


async def test_reading_alone_commits_nothing(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "hallway.db"))
    before = store.commits
    await asyncio.gather(store.outgoing(), store.positions(), store.dead(), store.peers(0), store.usage())
    assert store.commits == before
    await store.aclose()


def fail(db: Database) -> None:
    db.execute("UPDATE stream SET last = 1000")
    raise ZeroDivisionError


async def test_an_operation_that_fails_takes_no_other_with_it() -> None:
    store = await Store.open(None)
    before = store.commits
    first, failing, last = await asyncio.gather(put(store, 1), store._engine.run(fail), put(store, 2), return_exceptions=True)
    assert isinstance(failing, ZeroDivisionError)
    assert [first.seqs, last.seqs] == [{"tablet-2": 1}, {"tablet-2": 2}]  # type: ignore[union-attr]
    assert store.commits == before + 2, "each is done in a commit of its own"
    await store.aclose()


def spoil(db: Database) -> None:
    """Put in what makes the commit fail, as a violated deferred foreign key does."""
    db.execute("INSERT INTO child VALUES (1)")


async def test_when_a_commit_fails_each_operation_is_tried_by_itself() -> None:
    store = await Store.open(None)
    for statement in ["PRAGMA foreign_keys = ON", "CREATE TABLE parent (id INTEGER PRIMARY KEY)", CHILD]:
        store._engine._thread.submit(lambda text=statement: store._engine._opened.database.execute(text)).result()  # type: ignore[union-attr,misc]
    before = store.commits
    first, failing, last = await asyncio.gather(put(store, 1), store._engine.run(spoil), put(store, 2), return_exceptions=True)
    assert isinstance(failing, StoreDamaged)
    assert isinstance(failing.__cause__, sqlite3.IntegrityError)
    assert [first.seqs, last.seqs] == [{"tablet-2": 1}, {"tablet-2": 2}]  # type: ignore[union-attr]
    assert store.commits == before + 2
    assert await queued(store) == [(1, 1), (2, 2)]
    await store.aclose()


CHILD = "CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"


async def test_a_caller_that_is_cancelled_undoes_nothing(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "hallway.db"))
    gate = await busy(store)
    tasks = puts(store, range(1, 11))
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await gate.open()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5
    assert await queued(store) == [(n, n) for n in range(1, 11)]
    await store.aclose()


async def test_closing_commits_what_waits_and_joins_the_thread(tmp_path: Path) -> None:
    path = str(tmp_path / "hallway.db")
    store = await Store.open(path)
    gate = await busy(store)
    tasks = puts(store, range(1, 4))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.aclose())
    await gate.open()
    await asyncio.gather(closing, store.aclose())
    assert [task.done() and task.exception() for task in tasks] == [None] * 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hallway-store")]
    store = await Store.open(path)
    assert await queued(store) == [(n, n) for n in range(1, 4)]
    await store.aclose()


async def test_a_closed_store_refuses_everything_and_closing_twice_is_silent() -> None:
    store = await Store.open(None)
    await store.aclose()
    await store.aclose()
    with pytest.raises(ClosedError):
        await store.put(message(1), ["tablet-2"])
    with pytest.raises(ClosedError):
        await store.outgoing()


async def test_an_opening_that_is_cancelled_leaves_the_store_to_others(tmp_path: Path) -> None:
    path = str(tmp_path / "hallway.db")
    opening = asyncio.create_task(Store.open(path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("hallway-store")]:
        await asyncio.to_thread(thread.join)
    store = await Store.open(path)
    await store.aclose()


async def test_another_program_that_blocks_the_database_fails_the_batch_and_no_more(tmp_path: Path) -> None:
    path = str(tmp_path / "hallway.db")
    store = await Store.open(path)
    await store._engine.run(lambda db: db.execute("PRAGMA busy_timeout = 1") and None)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(*puts(store, range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [StoreBusy] * 3
        other.execute("ROLLBACK")
    other.close()
    assert (await store.put(message(1), ["tablet-2"])).seqs == {"tablet-2": 1}
    assert await incarnation(store)
    await store.aclose()


def fail_at_being_told(*_: object) -> list[object]:
    raise ZeroDivisionError


def answer_too_few(*_: object) -> list[object]:
    return []


@pytest.mark.parametrize(("then", "error"), [(fail_at_being_told, ZeroDivisionError), (answer_too_few, RuntimeError)])
async def test_what_is_raised_by_who_is_told_of_a_commit_reaches_its_callers_and_no_others(
    then: Callable[..., list[object]], error: type[Exception]
) -> None:
    store = await Store.open(None)

    outcomes = await asyncio.gather(
        *(store.put(message(n), ["tablet-2"], then) for n in (1, 2)), put(store, 3), put(store, 4), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [error, error, Placed, Placed]
    assert await queued(store) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    await store.aclose()


async def test_who_is_told_of_a_commit_hears_of_those_that_nobody_waits_for_and_says_what_the_others_get() -> None:
    store = await Store.open(None)
    told: list[int] = []

    def then(singles: Sequence[Single], numbers: Sequence[Numbered | None]) -> list[object]:
        told.extend(number[0] for number in numbers if number is not None)
        return [single[1] for single in singles]

    first, second = (store.put_one(message(n), peer, then) for n, peer in ((1, "tablet-2"), (2, "tablet-3")))
    first.cancel()
    assert await second == "tablet-3"
    assert told == [1, 1]
    await store.aclose()


async def test_when_undoing_fails_too_everybody_is_told_and_the_next_operation_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    store = await Store.open(None)

    def fail(db: Database) -> None:
        raise ZeroDivisionError

    def stay(_: Database) -> None:
        raise sqlite3.OperationalError("cannot undo")

    async with asyncio.timeout(20):
        with monkeypatch.context() as broken:
            broken.setattr(Database, "rollback", stay)
            outcomes = await asyncio.gather(store._engine.run(fail), put(store, 1), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreDamaged, StoreDamaged]
        await store.put(message(2), ["tablet-2"])
        assert await queued(store) == [(1, 2)]
        await store.aclose()
