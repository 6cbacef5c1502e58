"""The control bus in memory keeps the promises of the runtime's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hallway.testing.conformance import ControlConformance, ControlPair
from hallway.testing.memory import Hub
from hallway.testing.memory.control import MemoryBus


class TestMemoryBus(ControlConformance):
    @asynccontextmanager
    async def site(self) -> AsyncIterator[ControlPair]:
        hub = Hub()
        near, far = MemoryBus(hub, "near"), MemoryBus(hub, "far")
        near.link("far")

        async def link() -> None:
            near.link("far")

        async def unlink() -> None:
            near.unlink("far")

        yield ControlPair("near", near, "far", far, link, unlink)
        await near.aclose()
        await far.aclose()


async def test_closing_a_bus_cuts_its_links() -> None:
    hub = Hub()
    one, two = MemoryBus(hub, "One"), MemoryBus(hub, "two")
    two.link("ONE")
    assert two.linked == ("One",)
    await one.aclose()
    await one.aclose()
    assert two.linked == ()
    two.unlink("one")
