"""Devices with stores, in one process over the memory plugins, for tests of durable delivery."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from hallway import Peer, create_peer, load_config

PROPERTY = "property-123"


def durable_device(device_id: str, hub: str, store: str | None, **delivery: int) -> Peer:
    """A device on that memory hub with a store of its own in a file, or in memory; further keys of ``[delivery]``."""
    settings = [
        "security=open",
        f"device.id={device_id}",
        f"device.property={PROPERTY}",
        *(f'{role}.chain=["memory"]' for role in ("discovery", "signaling", "channel")),
        f"plugins.memory.hub={json.dumps(hub)}",
        *([f"delivery.store={json.dumps(store)}"] if store is not None else []),
        *(f"delivery.{name}={value}" for name, value in delivery.items()),
    ]
    return create_peer(load_config(overrides=settings, environ={}))


async def linked(*peers: Peer) -> None:
    """Wait until each has a link to all others."""
    try:
        async with asyncio.timeout(30):
            while not all(len(peer.connected_peers) == len(peers) - 1 for peer in peers):
                await asyncio.sleep(0)
    except TimeoutError:
        pytest.fail(f"not linked: {[peer.status() for peer in peers]}")


async def heard(peer: Peer, count: int) -> list:
    """The next messages, each dealt with."""
    async with peer.messages() as inbox, asyncio.timeout(20):
        return [(await anext(inbox))[1] for _ in range(count)]


@contextlib.asynccontextmanager
async def running(*peers: Peer) -> AsyncIterator[None]:
    """These, connected, and closed in the end."""
    async with contextlib.AsyncExitStack() as stack:
        for peer in peers:
            await stack.enter_async_context(peer)
        yield
