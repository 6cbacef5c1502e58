"""Two connectors in one process, joined over real sockets, and a check that nothing is left when a test ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from hallway.interfaces import Channel
from hallway.model import DeviceInfo, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_aiortc_channel import AiortcConfig, AiortcConnector

PATIENCE = 10.0
"""Seconds until a test gives up on something that should happen."""


def soon() -> float:
    return asyncio.get_running_loop().time() + PATIENCE


def open_fds() -> int:
    return len(os.listdir("/dev/fd"))


def other_tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


@attrs.define
class Pair:
    offering: Channel
    answering: Channel

    async def aclose(self) -> None:
        await asyncio.gather(self.offering.aclose(), self.answering.aclose())


@attrs.define
class Bench:
    """Makes connectors, pairs and bare peer connections, and closes them."""

    connectors: list[AiortcConnector] = attrs.field(factory=list)
    channels: list[Channel] = attrs.field(factory=list)
    bare: list[RTCPeerConnection] = attrs.field(factory=list)

    def connector(self, config: AiortcConfig | None = None, *, interfaces: InterfacePolicy | None = None) -> AiortcConnector:
        context = PluginContext(DeviceInfo("tablet-1", "house"), interfaces or InterfacePolicy(), Resolver())
        made = AiortcConnector(config or AiortcConfig(), context)
        self.connectors.append(made)
        return made

    async def connect(
        self, offerer: AiortcConnector | None = None, answerer: AiortcConnector | None = None, policy: IcePolicy = IcePolicy.LAN
    ) -> Pair:
        dialing = await (offerer or self.connector()).dial(policy)
        answer, answering = await (answerer or self.connector()).answer(dialing.offer, policy)
        offering = await dialing.accept(answer)
        self.channels += [offering, answering]
        await asyncio.gather(offering.opened(soon()), answering.opened(soon()))
        return Pair(offering, answering)

    def peer_connection(self) -> RTCPeerConnection:
        made = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.bare.append(made)
        return made

    async def aclose(self) -> None:
        await asyncio.gather(*(channel.aclose() for channel in self.channels))
        await asyncio.gather(*(peer.close() for peer in self.bare))
        await asyncio.gather(*(connector.aclose() for connector in self.connectors))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    fds, tasks = open_fds(), other_tasks()
    made = Bench()
    yield made
    await made.aclose()
    await settled(lambda: other_tasks() <= tasks)
    assert open_fds() <= fds


@pytest.fixture
async def pair(bench: Bench) -> Pair:
    return await bench.connect()


@pytest.fixture
def connect(bench: Bench) -> Callable[[], Awaitable[Pair]]:
    return bench.connect


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop run until ``condition`` holds: for what the other end does within its own callbacks."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return settled


@pytest.fixture
def deadline() -> Callable[[], float]:
    return soon
