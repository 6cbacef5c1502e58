"""The end that answers: it serves one benchmark at a time, and refuses everything else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from hallway.cli.bench_device import BenchPeer
from hallway.cli.bench_disk import disk_figures
from hallway.cli.bench_lanes import MAX_QUESTION, Tally, answer_channel
from hallway.cli.bench_messages import TYPE
from hallway.errors import ControlRefused, HallwayError
from hallway.events import ErrorHappened, MessageReceived, PeerDisconnected
from hallway.interfaces import Channel, Connector
from hallway.model import Description, IcePolicy, same_device
from hallway.runtime.tasks import TaskSet

logger = logging.getLogger(__name__)

PROTOCOL = 1
"""The version of what two devices say to each other in a benchmark."""
BEGIN, OFFER, DISK, END = "bench.begin", "bench.offer", "bench.disk", "bench.end"
"""What is asked over the control bus."""
MAX_SECONDS = 60.0
"""How long one measurement may take."""
OPEN_SECONDS = 10.0
"""How long the bare channel may take to open."""


class _Session:
    """A benchmark of one peer: its tally, and the bare channel with what made it."""

    def __init__(self, peer_id: str) -> None:
        self.peer_id = peer_id
        self.tally = Tally()
        self._open: list[Channel | Connector] = []

    def keep(self, made: Channel | Connector) -> None:
        """Close it at the end."""
        self._open.append(made)

    async def aclose(self) -> None:
        """Release everything."""
        for made in reversed(self._open):
            await made.aclose()


class BenchServer:
    """Serves the benchmarks of a device that runs. ``begun`` and ``ended`` are told the peer of each."""

    def __init__(self, device: BenchPeer, folder: Path | None, *, begun: Callable[[str], None], ended: Callable[[str], None]) -> None:
        self._device, self._folder = device, folder
        self._begun, self._ended = begun, ended
        self._session: _Session | None = None
        self._tasks = TaskSet(lambda name, error: logger.error("%s: %s", name, error))
        self._refused = set[str]()

    async def __aenter__(self) -> Self:
        for kind, handler in ((BEGIN, self._begin), (OFFER, self._offer), (DISK, self._disk), (END, self._end)):
            self._device.bus.serve(kind, handler)
        self._tasks.start(self._follow(), "benchmark messages")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.aclose()
        if self._session is not None:
            await self._session.aclose()

    async def _begin(self, peer_id: str, body: Any) -> Any:
        if not isinstance(body, dict) or body.get("protocol") != PROTOCOL:
            raise ControlRefused(
                f"{self._device.device_id} answers benchmarks of version {PROTOCOL} only",
                reason="version",
                hint="let both run one version of hallway",
            )
        if self._session is not None:
            raise ControlRefused(f"{self._session.peer_id} measures already", reason="busy", hint="try again when it has ended")
        self._session = _Session(peer_id)
        self._begun(peer_id)
        return {"hallway": version("hallway"), "stores": self._folder is not None}

    def _session_of(self, peer_id: str) -> _Session:
        if self._session is None or not same_device(self._session.peer_id, peer_id):
            raise ControlRefused(f"{peer_id} has begun no benchmark", reason="not-begun", hint="run it again")
        return self._session

    async def _offer(self, peer_id: str, body: Any) -> Any:
        """Make the other end of a bare channel, by the plugin that the link has."""
        session, offer, policy = self._session_of(peer_id), *_offer_of(body)
        link = self._device.link_to(peer_id)
        if link is None:
            raise ControlRefused(f"the link to {peer_id} is down", reason="not-linked", hint="run it again")
        connector = self._device.connector(link["channel"])
        session.keep(connector)
        await connector.prepare()
        made, channel = await connector.answer(offer, policy)
        session.keep(channel)
        self._tasks.start(self._be_bare(channel, session), "bare channel")
        return {"kind": made.kind, "type": made.type, "sdp": made.sdp}

    async def _be_bare(self, channel: Channel, session: _Session) -> None:
        try:
            await channel.opened(asyncio.get_running_loop().time() + OPEN_SECONDS)
            await answer_channel(channel, Tally())
        except HallwayError as error:
            logger.warning("the bare channel of %s has ended: %s", session.peer_id, error)

    async def _disk(self, peer_id: str, body: Any) -> Any:
        """Write rows for so many seconds."""
        self._session_of(peer_id)
        seconds = body.get("seconds") if isinstance(body, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_SECONDS:
            raise ControlRefused(f"the disk is measured for up to {MAX_SECONDS:.0f} seconds", reason="bad-request")
        return await disk_figures(self._folder, seconds)

    async def _end(self, peer_id: str, _: Any) -> Any:
        await self._over(self._session_of(peer_id))
        return None

    async def _over(self, session: _Session) -> None:
        self._session = None
        await session.aclose()
        self._ended(session.peer_id)

    async def _follow(self) -> None:
        """Count the messages of who measures, answer its questions, and end a benchmark whose link is lost."""
        async for event in self._device.events():
            match event:
                case MessageReceived(peer_id, message):
                    await self._hear(peer_id, message)
                case PeerDisconnected(peer_id) if self._session is not None and same_device(self._session.peer_id, peer_id):
                    await self._over(self._session)
                case ErrorHappened(_, message):
                    logger.warning("%s", message)

    async def _hear(self, peer_id: str, message: Any) -> None:
        session = self._session
        if session is None or not same_device(session.peer_id, peer_id) or not _is_ours(message):
            self._refuse(peer_id)
        elif isinstance(message, dict):
            session.tally.count += 1
        else:
            # A peer that is lost in between is told of by its own event.
            with contextlib.suppress(HallwayError):
                await self._device.send_to_peer(peer_id, session.tally.answer(message), durable=False)

    def _refuse(self, peer_id: str) -> None:
        if peer_id.lower() not in self._refused:
            self._refused.add(peer_id.lower())
            logger.warning("%s sends messages that belong to no benchmark: they are dropped", peer_id)


def _is_ours(message: Any) -> bool:
    if isinstance(message, dict):
        return message.get("type") == TYPE
    return isinstance(message, str) and len(message) <= MAX_QUESTION


def _offer_of(body: Any) -> tuple[Description, IcePolicy]:
    try:
        kind, sdp, policy = (str(body[key]) for key in ("kind", "sdp", "policy"))
        return Description(kind, "offer", sdp), IcePolicy(policy)
    except (TypeError, KeyError, ValueError) as error:
        raise ControlRefused(f"that is no offer: {error}", reason="bad-request") from error
