"""Two connectors in one process, joined over real sockets, and a check that nothing is left when a test ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import attrs
import pytest
import webrtc

from hallway.interfaces import Channel
from hallway.model import DeviceInfo, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.testing.conformance.leftovers import Running, left_over
from hallway_libwebrtc_channel import LibwebrtcConfig, LibwebrtcConnector
from hallway_libwebrtc_channel.plugin import make_connector

PATIENCE = 10.0
"""Seconds until a test gives up on something that should happen."""


def soon(seconds: float = PATIENCE) -> float:
    return asyncio.get_running_loop().time() + seconds


@attrs.define
class Pair:
    offering: Channel
    answering: Channel


@attrs.define
class Bench:
    """Makes connectors, pairs and bare peer connections, and closes them."""

    connectors: list[LibwebrtcConnector] = attrs.field(factory=list)
    channels: list[Channel] = attrs.field(factory=list)
    bare: list[webrtc.RTCPeerConnection] = attrs.field(factory=list)

    def connector(
        self, config: LibwebrtcConfig | None = None, *, interfaces: InterfacePolicy | None = None, resolver: Resolver | None = None
    ) -> LibwebrtcConnector:
        context = PluginContext(DeviceInfo("tablet-1", "house"), interfaces or InterfacePolicy(), resolver or Resolver())
        made = make_connector(config or LibwebrtcConfig(), context)
        assert isinstance(made, LibwebrtcConnector)
        self.connectors.append(made)
        return made

    async def connect(
        self, offerer: LibwebrtcConnector | None = None, answerer: LibwebrtcConnector | None = None, policy: IcePolicy = IcePolicy.LAN
    ) -> Pair:
        dialing = await (offerer or self.connector()).dial(policy)
        answer, answering = await (answerer or self.connector()).answer(dialing.offer, policy)
        offering = await dialing.accept(answer)
        self.channels += [offering, answering]
        await asyncio.gather(offering.opened(soon()), answering.opened(soon()))
        return Pair(offering, answering)

    def peer_connection(self) -> webrtc.RTCPeerConnection:
        made = webrtc.RTCPeerConnection()
        self.bare.append(made)
        return made

    async def aclose(self) -> None:
        await asyncio.gather(*(channel.aclose() for channel in self.channels))
        for peer in self.bare:
            peer.close()
        await asyncio.gather(*(connector.aclose() for connector in self.connectors))


@pytest.fixture(autouse=True)
async def _engine() -> None:
    """libwebrtc's threads live as long as the process, and the pipe that wakes a loop as long as the loop: they are no leftovers."""
    await Bench().connector().prepare()


@pytest.fixture
async def bench(_engine: None) -> AsyncIterator[Bench]:
    before, made = Running(), Bench()
    yield made
    await made.aclose()
    assert await left_over(before) == []


@pytest.fixture
async def pair(bench: Bench) -> Pair:
    return await bench.connect()


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop run until ``condition`` holds: for what libwebrtc does in its own threads."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def until() -> object:
    return settled


@pytest.fixture
def deadline() -> Callable[..., float]:
    return soon
