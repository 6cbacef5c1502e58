"""Devices with different channel plugins of kind ``webrtc`` keep all promises towards each other, whoever of them dials."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar

import pytest
from plugin_matrix.cells import DEVICES, Cell
from plugin_matrix.exchange import Link, ended, exchange, goodbye

from hallway.cli.child import Child
from hallway.interfaces import Channel, Connector
from hallway.model import DeviceInfo
from hallway.plugins import ChannelProvider
from hallway.testing.conformance import ChannelCapabilities, ChannelConformance, context
from hallway.testing.conformance.bench import until
from hallway.testing.conformance.channel.bench import Ends
from hallway_aiortc_channel.plugin import hallway_channel as aiortc
from hallway_libwebrtc_channel.engine import ready_engine
from hallway_libwebrtc_channel.plugin import hallway_channel as libwebrtc

PROVIDERS: tuple[ChannelProvider, ...] = (*aiortc(), *libwebrtc())


@pytest.fixture(autouse=True)
async def _engine() -> None:
    """libwebrtc's threads live as long as the process, and the descriptor that wakes a loop as long as the loop: they are no leftovers."""
    ready_engine()
    await PROVIDERS[1].factory(PROVIDERS[1].config_class(), context(DeviceInfo("warm", "up"))).prepare()


def path(channel: Channel) -> tuple[str, str]:
    """The two addresses between which it sends now."""
    assert channel.path is not None
    return channel.path.local, channel.path.remote


class TestMixed(ChannelConformance):
    """The near end is aiortc's, the far end libwebrtc's; the pair is made by either."""

    provider = PROVIDERS[0]
    exempt: ClassVar[dict[str, str]] = {
        "test_acknowledged_bytes_are_told_exactly_if_they_are_declared": "aiortc's end can tell, libwebrtc's cannot",
        "test_both_ends_name_the_same_path": "libwebrtc sends over a pair of its own choice until aiortc has nominated one",
    }
    capabilities = ChannelCapabilities(max_message=256 * 1024, has_binding=True, waits_for_reader=False, sends_now=True, tells_path=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Connector]]:
        turns: Iterator[ChannelProvider] = cycle(PROVIDERS)

        def make(device: DeviceInfo) -> Connector:
            provider = next(turns)
            return provider.factory(provider.config_class(), context(device))

        yield make

    async def test_acknowledged_bytes_are_told_exactly_if_they_are_declared(self, ends: Ends) -> None:
        """aiortc's end can tell, libwebrtc's cannot."""
        assert ends.near.acknowledged_bytes is not None
        assert ends.far.acknowledged_bytes is None

    async def test_both_ends_name_the_same_path(self, ends: Ends) -> None:
        """Each tells where it sends; within moments both send over the pair that was nominated (RFC 8445 section 8.1.1)."""
        await until(lambda: path(ends.near) == path(ends.far)[::-1], "both ends name the same path")
        assert ends.near.path is not None
        assert ends.far.path is not None
        assert not ends.near.path.distant
        assert not ends.far.path.distant


async def link_with(*chains: list[str]) -> tuple[Link, Link]:
    """Two whole devices, each with its own chain of channels, that link, talk both ways in order and part."""
    cell = Cell("static", "http-local", "webrtc")
    site = cell.site("mixed")
    settings = [[*cell.settings(number, site), f"channel.chain={json.dumps(chain)}"] for number, chain in enumerate(chains)]
    one, two = [await Child.start(name, own, "error") for name, own in zip(DEVICES, settings, strict=True)]
    try:
        events = told(one.events()), told(two.events())
        links = await asyncio.gather(exchange(events[0], to(one, DEVICES[1])), exchange(events[1], to(two, DEVICES[0])))
        await one.command(command="quit")
        await goodbye(events[1])
        await ended(events[0])
    finally:
        # The one that was told to quit last: it ends by itself meanwhile, and a signal must not meet its end.
        statuses = [await two.stop(), await one.stop()]
    assert statuses == [0, 0]
    return links[0], links[1]


async def told(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """What a device tells, but that a plugin of its chain cannot be used."""
    async for event in events:
        if event["event"] != "error" or event["code"] != "plugin":
            yield event
        else:
            assert "libwebrtc" in event["message"]


def to(device: Child, peer_id: str) -> Callable[[int], Awaitable[Any]]:
    return lambda number: device.command(command="send-to-peer", peerId=peer_id, message=number)


@pytest.mark.parametrize("chains", [(["aiortc"], ["libwebrtc"]), (["libwebrtc"], ["aiortc"]), (["libwebrtc"], ["libwebrtc"])], ids=str)
async def test_two_devices_with_channel_plugins_of_one_kind_link(chains: tuple[list[str], list[str]]) -> None:
    links = await link_with(*chains)
    assert [link.channel for link in links] == [chain[0] for chain in chains]


async def test_where_libwebrtc_is_there_the_first_of_the_chain_is_taken() -> None:
    links = await link_with(["libwebrtc", "aiortc"], ["aiortc", "libwebrtc"])
    assert [link.channel for link in links] == ["libwebrtc", "aiortc"]


async def test_where_libwebrtc_cannot_be_imported_the_chain_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrtc.py").write_text("raise ImportError('made for another machine')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    links = await link_with(["libwebrtc", "aiortc"], ["libwebrtc", "aiortc"])
    assert [link.channel for link in links] == ["aiortc", "aiortc"]
