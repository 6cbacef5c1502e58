"""libwebrtc's threads end with the process and hold nothing up, whatever was left open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hallway.errors import BadDescription
from hallway.model import Description, IcePolicy

SCRIPT = """
import asyncio
from hallway.model import DeviceInfo, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_libwebrtc_channel import LibwebrtcConfig
from hallway_libwebrtc_channel.plugin import make_connector

async def main():
    connector = make_connector(LibwebrtcConfig(), PluginContext(DeviceInfo("a", "p"), InterfacePolicy(), Resolver()))
    await connector.prepare()
    dialing = await connector.dial(IcePolicy.LAN)
    answer, far = await connector.answer(dialing.offer, IcePolicy.LAN)
    near = await dialing.accept(answer)
    deadline = asyncio.get_running_loop().time() + 10
    await asyncio.gather(near.opened(deadline), far.opened(deadline))
    {rest}

{runs}
print("done")
"""
CLOSED = 'await near.send("x"); assert await far.receive() == "x"; await near.aclose(); await far.aclose()'
ABANDONED = 'await near.send("x" * 200_000); globals()["kept"] = near, far, await connector.dial(IcePolicy.LAN)'
RECEIVING = "asyncio.create_task(far.receive()); [asyncio.create_task(near.send('x' * 200_000)) for _ in range(50)]; await asyncio.sleep(0)"
EXITING = "import sys; await near.send('x' * 200_000); sys.exit(7)"


def ran(rest: str, runs: str) -> subprocess.CompletedProcess[str]:
    """A program that makes a pair and does ``rest`` with it; a warning is its end."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT.format(rest=rest, runs=runs)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("rest", [CLOSED, ABANDONED, RECEIVING], ids=["closed", "abandoned", "in-the-middle"])
@pytest.mark.parametrize("runs", ["asyncio.run(main())", "asyncio.run(main()); asyncio.run(main())"], ids=["once", "twice"])
def test_a_process_ends_cleanly_whatever_is_left_open(rest, runs):
    outcome = ran(rest, runs)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "done\n", "")


def test_a_process_that_exits_in_the_middle_ends_with_its_own_status():
    outcome = ran(EXITING, "asyncio.run(main())")
    assert (outcome.returncode, outcome.stderr) == (7, "")


async def test_a_refused_answer_leaves_the_dialing_to_be_answered(bench, deadline):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    with pytest.raises(BadDescription):
        await dialing.accept(Description("webrtc", "answer", "nonsense"))
    answer, answering = await bench.connector().answer(dialing.offer, IcePolicy.LAN)
    offering = await dialing.accept(answer)
    bench.channels += [offering, answering]
    await offering.opened(deadline())
    with pytest.raises(BadDescription, match="has its answer already"):
        await dialing.accept(answer)
