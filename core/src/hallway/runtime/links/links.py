"""All links of a device: who is in sight, who offers, and which link that concerns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from hallway.errors import PeerUnavailable
from hallway.events import PeerFound, PeerLost
from hallway.model import Envelope, Origin, Path, PeerRecord, Refusal, RefusalCode, Sighting
from hallway.protocol.peer_table import Found, Lost, PeerTable, Updated
from hallway.runtime.links.carriers import Carrier
from hallway.runtime.links.driver import LinkDriver
from hallway.runtime.links.services import Services
from hallway.trust import Signal

logger = logging.getLogger(__name__)

MAX_LINKS = 512
"""Links of one device, at most; offers of further devices are refused as busy."""
MAX_PENDING = 32
"""Offers of others that are being answered at once, at most."""
MAX_PENDING_FROM_ONE = 8
"""Of these, those that came from one network address; several devices may share one machine."""


class Links:
    """The links by peer, and the table of sightings that they live on."""

    def __init__(self, services: Services) -> None:
        self.table = PeerTable(services.device)
        self._services = services
        self._links: dict[str, LinkDriver] = {}
        self._reading: dict[Envelope, Signal] = {}
        """The offers that are being answered: one that comes over a second address meanwhile is the same, and no replay."""

    def all(self) -> tuple[LinkDriver, ...]:
        """Every link, open or not."""
        return tuple(self._links.values())

    def open(self) -> tuple[LinkDriver, ...]:
        """The links that are open."""
        return tuple(link for link in self._links.values() if link.open is not None)

    def get(self, peer_id: str) -> LinkDriver:
        """The link to ``peer_id``.

        Raises:
            PeerUnavailable: nothing is known of that peer.

        """
        link = self._links.get(peer_id.lower())
        if link is None:
            raise PeerUnavailable(f"no peer {peer_id} is in sight", hint="wait for peer-connected, then send again")
        return link

    def find(self, peer_id: str) -> LinkDriver | None:
        """The link to ``peer_id``, if anything is known of that peer now."""
        return self._links.get(peer_id.lower())

    def open_records(self) -> list[PeerRecord]:
        """What is known of the peers with an open link, of each one record."""
        records = (self.table.merged(link.peer_id) for link in self.open())
        return [record for record in records if record is not None]

    def readdressed(self, own: Collection[str]) -> None:
        """This device has other addresses now, ``own``."""
        for link in self.all():
            link.readdressed(own)

    def renew(self) -> None:
        """This device has slept."""
        for link in self.all():
            link.renew()

    def revoked(self, names: Collection[str], purge: Callable[[str], Coroutine[Any, Any, None]] | None) -> None:
        """These devices do not belong to the property any more: their links end now. ``purge`` deletes what waits for one."""
        for name in names:
            link = self.find(name)
            if link is not None:
                link.revoked()
            if purge is not None:
                self._services.tasks.start(purge(name), f"purge the outbox for {name}")

    def look_again(self) -> None:
        """The guard knows other devices than before."""
        for device_id in self.table.sightings():
            self._refresh(device_id)

    def sighted(self, plugin: str, sighting: Sighting) -> None:
        """Take in what a plugin has seen."""
        match self.table.apply(plugin, sighting):
            case Found(record):
                self._services.publisher.publish(PeerFound(record.device_id, plugin))
                self._refresh(record.device_id)
            case Updated(record):
                self._refresh(record.device_id)
            case Lost(record):
                self._services.publisher.publish(PeerLost(record.device_id, plugin))
                self._refresh(record.device_id)

    async def handle(self, carrier: Carrier, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """Decide on a request that came in over ``carrier``."""
        signal = self._reading.get(envelope) or self._services.guard.open(envelope, origin, time.time())
        reply = await self._decide(carrier, envelope, signal, origin) if isinstance(signal, Signal) else signal
        return self._services.guard.shown(reply) if isinstance(reply, Refusal) else reply

    async def _decide(self, carrier: Carrier, envelope: Envelope, signal: Signal, origin: Origin) -> Envelope | Refusal:
        if signal.description is None or signal.description.type != "offer":
            return await self._handle_late(signal)
        first = self._reading.setdefault(envelope, signal) is signal
        try:
            return await self._handle_offer(carrier, signal, origin.address)
        finally:
            if first:
                self._reading.pop(envelope, None)

    def status(self) -> list[dict[str, Any]]:
        """What is known of every peer, as JSON objects."""
        sightings = {device_id.lower(): plugins for device_id, plugins in self.table.sightings().items()}
        return [
            {
                "peerId": link.peer_id,
                "open": link.open is not None,
                "signaling": link.open.signaling if link.open is not None else None,
                "channel": link.open.channel_plugin if link.open is not None else None,
                "state": link.link.state.value,
                "path": _path_json(link.open.path) if link.open is not None else None,
                "discovery": list(sightings.get(key, ())),
            }
            for key, link in self._links.items()
            if not link.forgettable
        ]

    def _refresh(self, device_id: str) -> None:
        """Tell the link what the table now knows of its peer."""
        record = self.table.merged(device_id) if self._services.guard.knows(device_id) else None
        if record is not None:
            link = self._make(device_id)
            if link is not None:
                link.seen(record, self.table.announced(device_id), rumour=self.table.is_rumour(device_id))
                link.channel.remember()
        elif (known := self._links.get(device_id.lower())) is not None:
            known.gone()
            self._forget_idle()

    def _make(self, device_id: str) -> LinkDriver | None:
        link = self._links.get(device_id.lower())
        if link is None:
            self._forget_idle()
            if len(self._links) >= MAX_LINKS:
                logger.warning("%s is left alone: there are %d links already", device_id, MAX_LINKS)
                return None
            link = self._links[device_id.lower()] = LinkDriver(self._services, device_id)
        return link

    def _forget_idle(self) -> None:
        for key in [key for key, link in self._links.items() if link.forgettable]:
            del self._links[key]

    async def _handle_offer(self, carrier: Carrier, signal: Signal, address: str | None) -> Envelope | Refusal:
        link = None if self._crowded(address) else self._make(signal.sender)
        if link is None:
            return Refusal(RefusalCode.BUSY, "too many links are being made; try again in a second")
        return await link.offered(signal, carrier.name, carrier.entry.ice_policy, address)

    def _crowded(self, address: str | None) -> bool:
        """Whether no more offers can be taken in from there now: one host must not use up what all share."""
        pending = [run.address for link in self._links.values() if (run := link.answering) is not None]
        return len(pending) >= MAX_PENDING or (address is not None and pending.count(address) >= MAX_PENDING_FROM_ONE)

    async def _handle_late(self, signal: Signal) -> Envelope | Refusal:
        link = self._links.get(signal.sender.lower())
        if signal.candidate is not None:
            taken = link is not None and await link.add_candidate(signal.candidate)
        else:
            taken = link is not None and link.late_answer(signal)
        return Envelope.accepted() if taken else Refusal(RefusalCode.NOT_FOUND, f"no attempt with {signal.sender} waits for this")


def _path_json(path: Path | None) -> dict[str, Any] | None:
    return {"local": path.local, "remote": path.remote, "distant": path.distant} if path is not None else None
