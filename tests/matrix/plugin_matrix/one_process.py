"""Two devices in one process, for plugins that share its memory.

Usage: one_process.py CELL PROPERTY SERVER, where CELL is three plugin names with commas. Prints one JSON object: the link as both saw it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).parents[1]))

from hallway import Peer, create_peer, load_config
from hallway.events import Event, to_json
from plugin_matrix.cells import DEVICES, Cell
from plugin_matrix.exchange import Events, Failed, Link, Send, exchange, goodbye


async def _plain(events: AsyncIterator[Event]) -> Events:
    async for event in events:
        yield to_json(event)


async def run(cell: Cell, property_id: str, server: str) -> list[Link]:
    """Link two devices, let them talk, close one after the other."""
    site = cell.site(property_id, server)
    one, two = (create_peer(load_config(overrides=cell.settings(number, site))) for number in range(2))
    events = [_plain(peer.events()) for peer in (one, two)]
    async with two:
        async with one:
            links = await asyncio.gather(
                *(exchange(*end) for end in zip(events, (_to(one, DEVICES[1]), _to(two, DEVICES[0])), strict=True))
            )
        await goodbye(events[1])
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        raise Failed(f"left running: {left}")
    return list(links)


def _to(peer: Peer, peer_id: str) -> Send:
    return lambda number: peer.send_to_peer(peer_id, number)


if __name__ == "__main__":
    # Whatever is on stderr fails the cell, and that open mode proves nothing is no news here.
    logging.basicConfig(level=logging.ERROR)
    outcome = asyncio.run(run(Cell(*sys.argv[1].split(",")), sys.argv[2], sys.argv[3]))
    print(json.dumps([attrs.asdict(link) for link in outcome]))
