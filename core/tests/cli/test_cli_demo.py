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

from hallway.cli.demo import LOOPBACK
from hallway.cli.demo_run import DemoRun
from hallway.cli.demo_state import DeviceState, changed_links
from hallway.cli.demo_summary import ActReport
from hallway.cli.demo_view import QuietView

PATIENCE = 100.0
"""The demo has up to four acts with six starts of processes, and a machine that tests may be busy."""
pytestmark = pytest.mark.timeout(120)


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


async def test_every_message_of_every_act_arrives_and_nothing_is_said_on_stderr(demo):
    status, out, err = await (await demo("--devices", "3", "--messages", "3", "--json")).outcome()
    assert (status, err) == (0, "")
    summary = json.loads(out)
    assert (summary["ok"], summary["expected"], summary["arrived"]) == (True, 72, 72)
    assert [act["signaling"] for act in summary["acts"]] == [
        {"http-local": 3},
        {"http-local": 1, "cloud-ws": 2},
        {"http-local": 1, "cloud-ws": 2},
        {"http-local": 3},
    ]
    assert all(
        (act["ok"], act["links"], act["expected"], act["arrived"], act["disturbed"]) == (True, 3, 18, 18, []) for act in summary["acts"]
    )


async def test_without_the_cloud_plugin_its_acts_are_left_out_and_that_is_said(monkeypatch):
    monkeypatch.setattr("hallway.cli.demo_run.has_cloud", lambda: False)
    summary = await DemoRun(2, 2, LOOPBACK, 0.0, "error").play(QuietView(), PATIENCE)
    assert summary.complete
    assert [act.links for act in summary.acts] == [{"http-local": 1}] * 2
    assert summary.as_json()["arrived"] == 8
    assert "hallway-cloud-ws-signaling is not installed" in summary.text()


def test_a_link_that_went_and_came_back_among_the_spared_fails_the_act():
    one, two, three = devices = [DeviceState(name) for name in ("one", "two", "three")]
    one.note({"event": "peer-connected", "peerId": "three", "signaling": "http-local", "ms": 1.0})
    two.note({"event": "peer-disconnected", "peerId": "one", "reason": "timeout"})
    assert list(changed_links(devices)) == ["one to two", "one to three"]
    assert list(changed_links([two, three])) == []
    assert not ActReport("act", 6, 6, disturbed=("one to two",), is_over=True).complete


@pytest.mark.parametrize("arrived", [5, 7])
def test_a_message_too_few_or_too_many_fails_the_act(arrived):
    assert ActReport("act", 6, 6, is_over=True).complete
    assert not ActReport("act", 6, arrived, is_over=True).complete


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
    assert "links: 1 by http-local; " in out


async def test_ctrl_c_while_the_devices_start_ends_it_as_quietly(demo):
    running = await demo("--devices", "2")
    await running.line_with("waiting until")
    running.press_ctrl_c()
    status, out, err = await running.outcome()
    assert (status, err) == (130, "")
    assert out.endswith("Interrupted.\n")


async def test_a_pace_that_is_too_slow_is_said_to_be_the_reason(demo):
    status, out, _ = await (await demo("--devices", "2", "--messages", "100", "--pace", "4", "--timeout", "15")).outcome()
    assert status == 1
    assert "in act 1, while every device speaks to all others: 1 of 1 links" in out
    assert "of 100 broadcasts of each device in this act" in out
    assert "too slow: give it a longer --timeout" in out
    assert "FAILED" not in out


async def test_a_device_that_ends_by_itself_ends_the_demo(demo, monkeypatch):
    monkeypatch.setenv("HALLWAY_NONSENSE", "1")
    status, out, _ = await (await demo("--devices", "2")).outcome()
    assert status == 1
    assert "ended by itself, while waiting until every device is linked" in out
    assert "HALLWAY_NONSENSE" in out
