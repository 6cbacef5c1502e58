from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

PATIENCE = 30.0


class Demo:
    """``hallway demo`` as the foreground job of a terminal: a process group of its own, which Ctrl-C reaches as a whole."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line_with(self, text: str) -> None:
        while text not in (line := (await self._process.stdout.readline()).decode()):
            assert line, f"ended before {text!r}"

    def press_ctrl_c(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> None:
        self._process.terminate()

    async def outcome(self) -> tuple[int, str, str]:
        out, err = await self._process.communicate()
        return self._process.returncode, out.decode(), err.decode()


@pytest_asyncio.fixture
async def demo(monkeypatch) -> AsyncIterator:
    monkeypatch.delenv("HALLWAY_LOG", raising=False)
    # A shell in the background ignores SIGINT, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = []

    async def start(*options: str) -> Demo:
        command = (sys.executable, "-m", "hallway.cli", "demo", *options)
        started.append(await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, start_new_session=True))
        return Demo(started[-1])

    async with asyncio.timeout(PATIENCE):
        yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()
    signal.signal(signal.SIGINT, before)


async def test_every_message_arrives_and_nothing_is_said_on_stderr(demo):
    status, out, err = await (await demo("--devices", "2", "--messages", "3", "--json")).outcome()
    assert (status, err) == (0, "")
    summary = json.loads(out)
    assert (summary["ok"], summary["links"], summary["arrived"]) == (True, 1, 6)


async def test_a_log_level_that_is_given_is_that_of_the_devices(demo):
    status, _, err = await (await demo("--devices", "2", "--messages", "1", "--log-level", "warning")).outcome()
    assert status == 0
    assert err.count("WARNING") >= 2


@pytest.mark.parametrize("how", [Demo.press_ctrl_c, Demo.end])
async def test_it_ends_quietly_when_it_is_interrupted(demo, how):
    running = await demo("--devices", "2", "--messages", "1000", "--pace", "5")
    await running.line_with("every device speaks")
    how(running)
    status, out, err = await running.outcome()
    assert (status, err) == (130, "")
    assert out.endswith("Interrupted.\n")
    assert "1 of 1 links between 2 devices" in out


async def test_ctrl_c_while_the_devices_start_ends_it_as_quietly(demo):
    running = await demo("--devices", "2")
    await running.line_with("waiting until")
    running.press_ctrl_c()
    status, out, err = await running.outcome()
    assert (status, err) == (130, "")
    assert out.endswith("Interrupted.\n")


async def test_a_pace_that_is_too_slow_is_said_to_be_the_reason(demo):
    status, out, _ = await (await demo("--devices", "2", "--messages", "100", "--pace", "3", "--timeout", "5")).outcome()
    assert status == 1
    assert "while every device speaks to all others: 1 of 1 links" in out
    assert "of 100 broadcasts of each device" in out
    assert "too slow: give it a longer --timeout" in out
    assert "FAILED" not in out


async def test_a_device_that_ends_by_itself_ends_the_demo(demo, monkeypatch):
    monkeypatch.setenv("HALLWAY_NONSENSE", "1")
    status, out, err = await (await demo("--devices", "2")).outcome()
    assert status == 1
    assert "ended by itself, while waiting until every device is linked" in out
    assert "HALLWAY_NONSENSE" in err
