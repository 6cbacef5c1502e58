"""The largest message between two devices over real WebRTC, while small ones and heartbeats pass."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from hallway import Peer, create_peer, load_config
from hallway.errors import MessageTooLarge
from hallway.events import PeerDisconnected, PeerPath
from hallway.protocol.chunks import MAX_MESSAGE

pytestmark = pytest.mark.second_lab

SIZE = MAX_MESSAGE - 5
"""Bytes that are, as MessagePack, as many as a message may have."""


def device(hub: str, device_id: str, folder: Path) -> Peer:
    settings = [
        "security=open",
        f"device.id={device_id}",
        "device.property=large",
        *(f'{role}.chain=["memory"]' for role in ("discovery", "signaling")),
        f"plugins.memory.hub={json.dumps(hub)}",
        'channel.chain=["aiortc"]',
        f"delivery.store={json.dumps(str(folder / device_id))}",
    ]
    return create_peer(load_config(overrides=settings, environ={}))


@pytest.fixture
async def devices(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Peer, Peer]]:
    one, two = (device(request.node.name, name, tmp_path) for name in ("one", "two"))
    async with one, two:
        events = one.events(lambda event: event.name == "peer-connected")
        await anext(events)
        events.close()
        while not two.connected_peers:
            await asyncio.sleep(0)
        yield one, two


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "volatile"])
async def test_the_largest_message_arrives_byte_for_byte_and_small_ones_overtake_it(devices: tuple[Peer, Peer], *, durable: bool) -> None:
    one, two = devices
    losses = [peer.events(lambda event: isinstance(event, PeerDisconnected | PeerPath)) for peer in devices]
    picture = Random(7).randbytes(SIZE)
    heard = two.messages()
    begun = time.monotonic()
    receipt = await one.send_to_peer("two", picture, durable=durable)
    small = 0
    overtaking = 0
    while True:
        await one.send_to_peer("two", small, durable=False)
        small += 1
        _, message = await anext(heard)
        if message == picture:
            break
        assert message == overtaking
        overtaking += 1
    seconds = time.monotonic() - begun
    print(f"{SIZE / 1e6 / seconds:.1f} MB/s; {overtaking} small messages meanwhile, one after the other")
    assert overtaking >= 3
    assert (await anext(heard))[1] == overtaking
    if durable:
        await receipt.delivered()
    assert all(peer.connected_peers for peer in devices)
    for peer in devices:
        await peer.aclose()
    # The end of the test itself, and nothing before it.
    assert [[type(event) async for event in events] for events in losses] == [[PeerDisconnected]] * 2


async def test_durable_messages_keep_their_order_around_a_large_one(devices: tuple[Peer, Peer]) -> None:
    one, two = devices
    picture = Random(8).randbytes(1024 * 1024)
    sent = ["before", picture, "between", picture[::-1], "after"]
    receipts = [await one.send_to_peer("two", message) for message in sent]
    heard = two.messages()
    assert [(await anext(heard))[1] for _ in sent] == sent
    for receipt in receipts:
        await receipt.delivered()


async def test_a_larger_message_is_refused_for_both_kinds(devices: tuple[Peer, Peer]) -> None:
    one, _ = devices
    for durable in (True, False):
        with pytest.raises(MessageTooLarge, match=str(MAX_MESSAGE)):
            await one.send_to_peer("two", bytes(SIZE + 1), durable=durable)
    with pytest.raises(MessageTooLarge, match="so many values"):
        await one.send_to_peer("two", [[]] * (5 * 1024 * 1024))
