"""The runtime's bus keeps the promises of a control bus, over frames that are encoded and read as on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hallway.protocol.frames import Frame, decode, encode
from hallway.runtime.control.bus import Bus
from hallway.runtime.tasks import TaskSet
from hallway.testing.conformance import ControlConformance, ControlPair


def wire(to: Bus, sender: str) -> Callable[[Frame], None]:
    """Carries frames to the bus ``to`` in their order, each in a turn of its own."""

    def send(frame: Frame) -> None:
        asyncio.get_running_loop().call_soon(to.received, sender, decode(encode(frame)))

    return send


class TestRuntimeBus(ControlConformance):
    @asynccontextmanager
    async def site(self) -> AsyncIterator[ControlPair]:
        crashes: list[str] = []
        tasks = TaskSet(lambda name, _: crashes.append(name))
        near, far = Bus(tasks), Bus(tasks)

        async def link() -> None:
            near.up("far", wire(far, "near"))
            far.up("near", wire(near, "far"))
            await asyncio.sleep(0)

        async def unlink() -> None:
            near.down("far")
            far.down("near")
            await asyncio.sleep(0)

        await link()
        yield ControlPair("near", near, "far", far, link, unlink)
        await tasks.aclose()
        assert crashes == []
