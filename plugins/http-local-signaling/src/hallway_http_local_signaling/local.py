"""The seed's `LocalSignalingServer`: one device's signaling endpoints, without the rest of hallway."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from hallway.errors import ConfigError, Mistake, MisuseError
from hallway.model import Envelope, Origin, PeerRecord, Refusal, RefusalCode, is_device_id, is_name
from hallway.network import InterfacePolicy
from hallway_http_local_signaling._limits import Bounds
from hallway_http_local_signaling._seed import SeedCandidate, SeedSession, read_candidate, read_session
from hallway_http_local_signaling.config import DEFAULT_PORT
from hallway_http_local_signaling.server import HttpServer

__all__ = ["LocalSignalingServer", "SeedCandidate", "SeedSession"]

Reply = Mapping[str, Any] | None
OnSession = Callable[[SeedSession], Awaitable[Reply] | Reply]
OnCandidate = Callable[[SeedCandidate], Awaitable[None] | None]


class LocalSignalingServer:
    """Takes offers, answers and candidates for one device by HTTP, as the seed's server does.

    Example::

        server = LocalSignalingServer("tablet-1", "property-123", "tablet", 8090)

        @server.on_offer
        async def answer(offer):
            return {"sdp": await make_answer(offer.sdp), "iceCandidates": []}

        async with server:
            print(server.record.endpoints)

    ``port`` is the first of ten that are tried; 0 means any free one. Messages are checked before a callback sees them: what is no JSON,
    of wrong types, for another device or of another property is refused. What a callback raises is logged and answered with status 500. A
    callback is cancelled when the requester hangs up; it has 30 s at most.

    Raises:
        ConfigError: a name that cannot name a device, a property or a device type.

    """

    def __init__(
        self,
        device_id: str,
        property_id: str,
        device_type: str = "device",
        port: int = DEFAULT_PORT,
        *,
        interfaces: InterfacePolicy | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        _check_names(device_id, property_id, device_type)
        self._record = PeerRecord(device_id, property_id, device_type)
        self._first_port = port
        self._interfaces = interfaces or InterfacePolicy()
        self._server = HttpServer(device_id, self._handle, self._interfaces, bounds)
        self._on_offer: OnSession | None = None
        self._on_answer: OnSession | None = None
        self._on_candidate: OnCandidate | None = None

    def on_offer(self, callback: OnSession) -> OnSession:
        """Call ``callback`` with each offer; its return value is the answer.

        The answer is a mapping in the seed's shape (``from``, ``to``, ``sdp``, ``iceCandidates``); the first two may be absent. None
        answers without content: the answer will be posted to the other device's ``/answer``. Usable as a decorator; the last one counts.
        """
        self._on_offer = callback
        return callback

    def on_answer(self, callback: OnSession) -> OnSession:
        """Call ``callback`` with each answer that comes in a request of its own. Its return value is ignored."""
        self._on_answer = callback
        return callback

    def on_ice_candidate(self, callback: OnCandidate) -> OnCandidate:
        """Call ``callback`` with each trickled candidate."""
        self._on_candidate = callback
        return callback

    @property
    def port(self) -> int:
        """The port that it listens on; the one that was asked for before `start`."""
        return self._server.port or self._first_port

    @property
    def record(self) -> PeerRecord:
        """This device as others may find it, with its endpoints of this moment.

        Raises:
            MisuseError: before `start`: the port is not known yet.

        """
        if not self._server.port:
            raise MisuseError("the record has no port before start()", hint="await server.start() first")
        return PeerRecord(
            self._record.device_id, self._record.property_id, self._record.device_type, self._server.urls(self._interfaces.addresses())
        )

    async def start(self) -> None:
        """Listen, on the first of the ports that is free.

        Raises:
            SignalingUnavailable: none of the ten ports is free.
            MisuseError: it was started already.
            ClosedError: after `stop`.

        """
        if self._server.port:
            raise MisuseError("the signaling server was started already")
        await self._server.start(self._first_port)

    async def stop(self) -> None:
        """End requests under way, close all connections and release the port, within 1 s. Stopping twice is silent.

        A callback may await it: its own request goes on and is answered, and ends its connection itself; all others have ended.
        """
        await self._server.aclose()

    aclose = stop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _handle(self, envelope: Envelope, _origin: Origin) -> Envelope | Refusal:
        match envelope.kind:
            case "offer":
                return await self._take_offer(envelope.body)
            case "answer":
                return await self._take_answer(envelope.body)
            case _:
                return await self._take_candidate(envelope.body)

    async def _take_offer(self, body: bytes) -> Envelope | Refusal:
        offer = read_session(body, "offer", self._record.device_id, self._record.property_id)
        if isinstance(offer, Refusal):
            return offer
        if self._on_offer is None:
            return Refusal(RefusalCode.BUSY, "this device takes no offers now")
        reply = await _call(self._on_offer, offer)
        if reply is None:
            return Envelope.accepted()
        answer = {"from": self._record.device_id, "to": offer.sender, **reply}
        return Envelope("answer", "application/json", json.dumps(answer).encode())

    async def _take_answer(self, body: bytes) -> Envelope | Refusal:
        answer = read_session(body, "answer", self._record.device_id, self._record.property_id)
        if isinstance(answer, Refusal):
            return answer
        if self._on_answer is not None:
            await _call(self._on_answer, answer)
        return Envelope.accepted()

    async def _take_candidate(self, body: bytes) -> Envelope | Refusal:
        candidate = read_candidate(body, self._record.device_id, self._record.property_id)
        if isinstance(candidate, Refusal):
            return candidate
        if self._on_candidate is not None:
            await _call(self._on_candidate, candidate)
        return Envelope.accepted()


async def _call(callback: Callable[[Any], Any], message: object) -> Any:
    value = callback(message)
    return await value if inspect.isawaitable(value) else value


def _check_names(device_id: str, property_id: str, device_type: str) -> None:
    mistakes = [
        *(
            []
            if is_device_id(device_id)
            else [Mistake("device.id", f"{device_id!r} is no DNS label", "letters, digits and inner hyphens, 63 at most")]
        ),
        *([] if is_name(property_id) else [Mistake("device.property", "must be 1 to 128 printable characters")]),
        *([] if is_name(device_type) else [Mistake("device.type", "must be 1 to 128 printable characters")]),
    ]
    if mistakes:
        raise ConfigError(mistakes)
