"""What the tests of the documentation share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from netlab import Lab, missing
from netlab.process import Process, start

HERE = Path(__file__).parent
sys.path.append(str(HERE / "support"))

Spawn = Callable[..., Awaitable[Process]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, where a page's files go and its programs run."""
    return tmp_path


@pytest.fixture
def heeding_sigint() -> Iterator[None]:
    """What nohup or a shell starts in the background ignores SIGINT, and so do its children: then Ctrl-C would end nothing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest_asyncio.fixture
async def spawn(folder: Path, heeding_sigint: None) -> AsyncIterator[Spawn]:
    """Starts a program in ``folder`` on a host of the lab where nothing else runs; on this machine where no lab can be built."""
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "error"}
    if missing():
        yield partial(start, "this machine", (), cwd=folder, env=environment)
        return
    async with Lab() as lab:
        host = lab.lan().host("docs")
        yield partial(host.spawn, cwd=folder, env=environment)
        assert not lab.leftovers


@pytest.fixture
def run(spawn: Spawn) -> Callable[[Sequence[str]], Awaitable[Process]]:
    """Runs a program to its end and returns it; a status other than 0 fails the test, and so does a complaint on stderr."""

    from doc_stderr import complaints

    async def run_to_end(argv: Sequence[str]) -> Process:
        process = await spawn(argv)
        assert await process.wait() == 0, process.transcript()
        assert complaints(process) == []
        return process

    return run_to_end
