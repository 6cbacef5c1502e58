"""Carrying for others: one hop, between two peers that are both linked to this device, and no look at what is carried."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hallway.errors import HallwayError
from hallway.interfaces import ControlBus
from hallway.model import DeviceInfo, same_device
from hallway.protocol.bucket import PeerBuckets
from hallway_peer_relay_signaling import _messages as messages
from hallway_peer_relay_signaling._limits import Bounds
from hallway_peer_relay_signaling._messages import Answer, Delivery, Failure, RelayRequest
from hallway_peer_relay_signaling.errors import BAD_ANSWER, failure_at_relay
from hallway_peer_relay_signaling.underway import Underway


class Relay:
    """Takes relay requests; every outcome is an answer or a `Failure`, nothing is raised."""

    def __init__(self, bus: ControlBus, device: DeviceInfo, underway: Underway, bounds: Bounds, *, willing: bool) -> None:
        self._bus = bus
        self._device = device
        self._underway = underway
        self._bounds = bounds
        self._willing = willing
        self._loop = asyncio.get_running_loop()
        self._buckets = PeerBuckets(bounds.relay_rate, bounds.relay_burst)
        self._carried: Counter[tuple[str, str]] = Counter()

    def linked(self, peer_ids: tuple[str, ...]) -> None:
        """These peers, and no others, have an open link."""
        self._buckets.keep(peer_ids)

    async def take(self, peer: str, body: Any) -> dict[str, Any]:
        """Carry a request of ``peer``: the handler of `messages.RELAY`."""
        return messages.write_outcome(await self._outcome(peer, body))

    async def _outcome(self, peer: str, body: Any) -> Answer | Failure:
        # The bucket comes first: reading garbage is work, too.
        if not self._buckets.take(peer, self._loop.time()):
            return _failure("rate-limited", f"it carries {self._bounds.relay_rate:g} requests a second for one device")
        try:
            request = messages.read_relay_request(body)
        except messages.Malformed as error:
            return _failure("bad-request", f"the request cannot be read: {error}")
        target = next((peer_id for peer_id in self._bus.linked if same_device(peer_id, request.to)), None)
        objection = self._objection(peer, request.to, target)
        if objection is not None or target is None:
            return objection or _failure("not-linked", f"it has no open link to {request.to}")
        with self._place(peer, target):
            return await self._carry(peer, target, request)

    def _objection(self, peer: str, to: str, target: str | None) -> Failure | None:
        if not self._willing:
            return _failure("off", "it is set not to carry for others")
        if same_device(to, self._device.device_id) or same_device(to, peer):
            return _failure("bad-request", "a relay carries between two other devices")
        most = self._bounds.relayed
        if target is not None and max(self._at_once(0, peer), self._at_once(1, target)) >= most:
            return _failure("busy", f"it carries {most} requests at once for one device and to one device")
        return None

    def _at_once(self, end: int, peer: str) -> int:
        return sum(count for ends, count in self._carried.items() if ends[end] == peer.lower())

    @contextmanager
    def _place(self, peer: str, target: str) -> Iterator[None]:
        ends = (peer.lower(), target.lower())
        self._carried[ends] += 1
        try:
            yield
        finally:
            self._carried[ends] -= 1
            if not self._carried[ends]:
                del self._carried[ends]

    async def _carry(self, peer: str, target: str, request: RelayRequest) -> Answer | Failure:
        patience = min(request.patience, self._bounds.patience)
        delivery = messages.write_delivery(Delivery(peer, patience, request.parcel))
        asking = self._bus.request(target, messages.DELIVER, delivery, self._loop.time() + patience)
        try:
            return messages.read_answer(await self._underway.run(asking, f"peer-relay to {target}"))
        except HallwayError as error:
            return failure_at_relay(error, target)
        except messages.Malformed as error:
            return Failure("target", BAD_ANSWER, f"what it answered cannot be read: {error}")


def _failure(reason: str, message: str) -> Failure:
    return Failure("relay", reason, message)
