"""One connection that is in the room: presence, our requests, and those of others."""

from __future__ import annotations

import asyncio
import logging
import secrets

from websockets.exceptions import ConnectionClosed

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, HallwayError, Unreachable
from hallway.interfaces import SignalingHost
from hallway.model import Envelope, Gone, Origin, PeerRecord, Refusal, RefusalCode, Seen, same_device
from hallway.protocol.bucket import Bucket
from hallway_cloud_ws_signaling import _wire as wire
from hallway_cloud_ws_signaling._limits import MAX_BODY, MAX_ROOM, Bounds
from hallway_cloud_ws_signaling._messages import (
    Cancel,
    Ended,
    Failed,
    Joined,
    Member,
    PeerJoined,
    PeerLeft,
    Request,
    Response,
    Unreadable,
    WireError,
)
from hallway_cloud_ws_signaling._names import Names
from hallway_cloud_ws_signaling.config import NAME
from hallway_cloud_ws_signaling.connector import Entry
from hallway_cloud_ws_signaling.errors import said

logger = logging.getLogger(__name__)

_STUBBORN = 0.3
"""Seconds that a cancelled handler has to end."""

_HEADROOM = 0.8
"""How much of the server's rate we use: its clock is not ours, and the network bunches what we spread."""

_Pending = tuple[str, "asyncio.Future[Envelope | Refusal]"]


class Session:
    """Lives from one join to the end of that connection. `run` reads; `aclose` must follow it. Peers are named as the server does."""

    def __init__(self, entry: Entry, host: SignalingHost, names: Names, bounds: Bounds) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = entry.connection
        self._host = host
        self._names = names
        self.join = entry.join
        """The place that it has."""
        self._bounds = bounds
        self._sending = _bucket(entry.joined, bounds, self._loop.time())
        self._reading = Bucket(bounds.read_rate, bounds.read_burst, self._loop.time())
        self._greeting = entry.joined
        self._peers: dict[str, Member] = {}
        self._told: dict[str, PeerRecord] = {}
        self._pending: dict[str, _Pending] = {}
        self._handling: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._last_word = ""

    async def run(self) -> str:
        """Tell of the peers and take in what comes, until the connection ends; why it did, as a clause."""
        for member in self._greeting.peers:
            self._seen(member)
        try:
            while True:
                await _pace(self._reading)
                self._take(await self._connection.recv())
        except ConnectionClosed as error:
            return self._last_word or said(error)
        except WireError as error:
            return f"the signal server broke the protocol: {error}"

    def _take(self, text: str | bytes) -> None:
        match wire.read_from_server(text):
            case PeerJoined(member):
                self._seen(member)
            case PeerLeft(device_id):
                self._left(device_id)
            case Request() as request:
                self._begin(request)
            case Response(peer, request_id, content):
                self._answered(peer, request_id, content)
            case Cancel(peer, request_id):
                self._cancel((peer.lower(), request_id))
            case Failed(request_id, message):
                self._fail(request_id, Unreachable(message))
            case Ended(code, message):
                self._last_word = f"the signal server ended it: {message} ({code})"
            case _:
                return

    # Presence.

    def _seen(self, member: Member) -> None:
        key = member.device_id.lower()
        if same_device(key, self.join.member.device_id) or (key not in self._peers and len(self._peers) >= MAX_ROOM):
            return
        self._peers[key] = member
        self._tell(key, self._names.record(member))

    def look_again(self) -> None:
        """Who is who may be known otherwise by now."""
        for key, member in self._peers.items():
            self._tell(key, self._names.record(member), again=False)

    def _tell(self, key: str, record: PeerRecord | None, *, again: bool = True) -> None:
        told = self._told.pop(key, None)
        if told is not None and (record is None or not same_device(told.device_id, record.device_id)):
            self._host.report(Gone(told.device_id))
        if record is not None:
            self._told[key] = record
            if again or record != told:
                self._host.report(Seen(record))

    def _left(self, device_id: str) -> None:
        key = device_id.lower()
        if self._peers.pop(key, None) is None:
            return
        for request in [request for request in self._handling if request[0] == key]:
            self._cancel(request)
        for request_id in [request_id for request_id, (peer, _) in self._pending.items() if same_device(peer, device_id)]:
            self._fail(request_id, Unreachable(f"{self._name(device_id)} has left the signal server"))
        self._tell(key, None)

    def _name(self, peer: str) -> str:
        """What people call that peer."""
        told = self._told.get(peer.lower())
        return told.device_id if told is not None else peer

    # What we ask.

    async def request(self, peer: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """As `hallway.interfaces.Signaling.request`."""
        if peer.lower() not in self._peers:
            raise Unreachable(f"{self._name(peer)} is not at the signal server")
        request_id = secrets.token_hex(8)
        answer: asyncio.Future[Envelope | Refusal] = self._loop.create_future()
        self._pending[request_id] = (peer, answer)
        try:
            async with asyncio.timeout_at(deadline):
                await self._send(wire.request(request_id, peer, envelope))
                return await answer
        except TimeoutError as error:
            raise DeadlineExceeded(f"{self._name(peer)} did not answer through the signal server in time") from error
        finally:
            del self._pending[request_id]
            if answer.cancelled() or not answer.done():
                self._take_back(request_id, peer)

    def _take_back(self, request_id: str, peer: str) -> None:
        """Spare the peer the work, if that costs us nothing; it has a deadline of its own."""
        if self._sending.take(self._loop.time()):
            self._connection.send_now(wire.cancel(request_id, peer))

    def _answered(self, peer: str, request_id: str, content: Envelope | Refusal | Unreadable) -> None:
        asked, answer = self._pending.get(request_id, ("", None))
        if answer is None or answer.done() or not same_device(asked, peer):
            return
        if isinstance(content, Unreadable):
            answer.set_exception(BadEnvelope(f"the answer of {self._name(peer)} cannot be read: {content.problem}"))
        else:
            answer.set_result(content)

    def _fail(self, request_id: str, error: HallwayError) -> None:
        _, answer = self._pending.get(request_id, ("", None))
        if answer is not None and not answer.done():
            answer.set_exception(error)

    async def _send(self, text: str) -> None:
        await _pace(self._sending)
        if not self._connection.send_now(text):
            raise Unreachable("the connection to the signal server is lost")

    # What others ask.

    def _begin(self, request: Request) -> None:
        key = (request.peer.lower(), request.id)
        if key in self._handling:
            return
        if len(self._handling) >= self._bounds.requests:
            self._refuse(request, Refusal(RefusalCode.BUSY, "too many requests at once; try again in a second"))
        elif isinstance(request.content, Unreadable):
            self._refuse(request, Refusal(RefusalCode.BAD_REQUEST, request.content.problem))
        else:
            task = asyncio.create_task(self._answer(request, request.content), name=f"cloud-ws request of {request.peer}")
            self._handling[key] = task
            task.add_done_callback(lambda _: self._handling.pop(key, None))

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        """Say no without waiting; a requester that comes faster than we may answer hears nothing."""
        if self._sending.take(self._loop.time()):
            self._connection.send_now(wire.response(request.id, request.peer, refusal))

    async def _answer(self, request: Request, envelope: Envelope) -> None:
        try:
            async with asyncio.timeout(self._bounds.handling):
                outcome = await self._host.handle(envelope, Origin(NAME))
        except TimeoutError:
            outcome = Refusal(RefusalCode.TOO_SLOW, "it took too long to answer")
        except Exception:
            logger.exception("handling a request of %s failed", request.peer)
            outcome = Refusal(RefusalCode.INTERNAL, "handling the request failed")
        if len(outcome.body) > MAX_BODY:
            outcome = Refusal(RefusalCode.INTERNAL, f"the answer exceeds {MAX_BODY} bytes")
        try:
            await self._send(wire.response(request.id, request.peer, outcome))
        except Unreachable as error:
            logger.debug("the answer for %s is lost: %s", request.peer, error)

    def _cancel(self, key: tuple[str, str]) -> None:
        task = self._handling.get(key)
        if task is not None:
            task.cancel()

    # The end.

    def leave(self) -> None:
        """End the connection, and so `run`: this place is not ours any more."""
        self._last_word = "this device meets its peers elsewhere now"
        self._connection.transport.abort()

    async def aclose(self, *, closed: bool = False) -> None:
        """End the connection and all that hangs on it; ``closed`` says that we wanted it so. Ends also when it is cancelled."""
        error: HallwayError = ClosedError("cloud-ws was closed") if closed else Unreachable("the connection to the signal server is lost")
        for request_id in list(self._pending):
            self._fail(request_id, error)
        tasks = list(self._handling.values())
        for task in tasks:
            task.cancel()
        for key in list(self._told):
            self._tell(key, None)
        self._peers.clear()
        try:
            await self._connection.close(1000 if closed else 1002)
            if tasks:
                _, stubborn = await asyncio.wait(tasks, timeout=_STUBBORN)
                if stubborn:
                    logger.warning("%d handlers go on although they were cancelled", len(stubborn))
        finally:
            self._connection.transport.abort()


def _bucket(joined: Joined, bounds: Bounds, now: float) -> Bucket:
    return Bucket(max(1.0, min(bounds.rate, joined.rate * _HEADROOM)), max(1.0, min(bounds.burst, joined.burst * _HEADROOM)), now)


async def _pace(bucket: Bucket) -> None:
    """Take a token of ``bucket``, waiting for it."""
    loop = asyncio.get_running_loop()
    while True:
        if bucket.take(loop.time()):
            return
        await asyncio.sleep(bucket.wait(loop.time()))
