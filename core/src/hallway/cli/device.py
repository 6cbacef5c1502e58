"""One device under the control of JSON lines: events out, commands in (``hallway up --json``)."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import Any

from hallway.cli.json_lines import FLUSH_SECONDS, LineWriter, read_lines
from hallway.errors import MisuseError
from hallway.events import SignalingMode, to_json
from hallway.peer import Peer
from hallway.runtime.control.commands import BadCommand, Commands
from hallway.runtime.delivery.lifetimes import milliseconds
from hallway.runtime.publishing.readers import EventReader

Reply = dict[str, Any] | None


async def started(peer: Peer, stop: asyncio.Event) -> bool:
    """Start ``peer``; False if ``stop`` was set before that was done."""
    starting, stopping = asyncio.ensure_future(peer.start()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            _settle()
        return not stop.is_set()
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.wait([starting, stopping])


def _settle() -> None:
    """Leave all that was loaded for good out of later garbage collections: each would hold up every peer for as long as 40 ms."""
    gc.collect()
    gc.freeze()


class JsonDevice:
    """Runs a peer; every event and every result becomes one line on stdout, every line on stdin one command, handled in order."""

    def __init__(self, peer: Peer, stop: asyncio.Event) -> None:
        self._peer = peer
        self._stop = stop
        self._is_ready = False
        self._commands = Commands()
        self._commands.serve("send-to-peer", self._send_to_peer, ("peerId", "message", "durable", "ttl"))
        self._commands.serve("broadcast", self._broadcast, ("message", "durable", "ttl"))
        self._commands.serve("status", self._status, ())
        self._commands.serve("quit", self._quit, ())

    async def run(self) -> None:
        """Run until `stop` is set, then close the peer."""
        self._writer = LineWriter(1)
        # Until "ready", which has the mode, there is no change of it to tell.
        events = self._peer.events(lambda event: self._is_ready or not isinstance(event, SignalingMode))
        try:
            if await started(self._peer, self._stop):
                self._is_ready = True
                await self._serve(events)
        finally:
            await self._peer.aclose()
            await self._writer.aclose()

    async def _serve(self, events: EventReader) -> None:
        async with asyncio.TaskGroup() as group:
            pump = group.create_task(self._pump(events))
            commands = group.create_task(self._obey())
            await self._stop.wait()
            commands.cancel()
            await self._peer.aclose()
            # A reader of stdout that has stalled must not keep a closed device alive.
            await asyncio.wait([pump], timeout=FLUSH_SECONDS)
            pump.cancel()

    def _ready(self) -> dict[str, Any]:
        peer = self._peer
        return {
            "event": "ready",
            "deviceId": peer.device_id,
            "propertyId": peer.property_id,
            "mode": peer.signaling_mode,
            "listen": list(peer.listen),
            "pid": os.getpid(),
        }

    async def _pump(self, events: EventReader) -> None:
        await self._writer.write(self._ready())
        async for event in events:
            await self._writer.write(to_json(event))

    async def _obey(self) -> None:
        if sys.stdin is None:  # closed: the descriptor may be anybody's by now
            return
        async for line in read_lines(0):
            if line.strip():
                await self._writer.write({"event": "result", **await self._commands.answer(line)})

    async def _send_to_peer(self, command: dict[str, Any]) -> Reply:
        peer_id = command.get("peerId")
        if not isinstance(peer_id, str) or "message" not in command:
            raise BadCommand("send-to-peer needs 'peerId' (a text) and 'message'")
        receipt = await self._peer.send_to_peer(peer_id, command["message"], **_options(command))
        return {"ids": {peer_id: receipt.id}}

    async def _broadcast(self, command: dict[str, Any]) -> Reply:
        if "message" not in command:
            raise BadCommand("broadcast needs 'message'")
        sent = await self._peer.broadcast(command["message"], **_options(command))
        return {"ids": sent.ids} | ({"full": list(sent.full)} if sent.full else {})

    async def _status(self, _: dict[str, Any]) -> Reply:
        return self._peer.status()

    async def _quit(self, _: dict[str, Any]) -> Reply:
        self._stop.set()
        return None


def _options(command: dict[str, Any]) -> dict[str, Any]:
    durable, ttl = command.get("durable", True), command.get("ttl")
    if not isinstance(durable, bool):
        raise BadCommand(f"'durable' is true or false, not {durable!r}")
    try:
        milliseconds(ttl)
    except MisuseError as error:
        raise BadCommand(str(error), hint=error.hint) from error
    return {"durable": durable, "ttl": ttl}
