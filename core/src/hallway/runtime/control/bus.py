"""The control bus: requests over open links, and the handlers that answer them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from hallway.errors import BadMessage, ControlRefused, DeadlineExceeded, HallwayError, MessageTooLarge, MisuseError, PeerUnavailable
from hallway.interfaces import MAX_CONTROL_BODY, MAX_CONTROL_REQUESTS, ControlBus, ControlHandler
from hallway.protocol import jsontext
from hallway.protocol.frames import MAX_ERROR, LinkFrame, Request, Response
from hallway.runtime.tasks import TaskSet

logger = logging.getLogger(__name__)

UNSERVED = "let both devices have the plugin in a chain, in versions that go together"
"""The hint for a requester whose peer does not know what it is asked."""

Error = tuple[str, str, str]


class _Port:
    """One linked peer: how to send to it, what it was asked, and how much of its own is being handled."""

    def __init__(self, peer_id: str, send: Callable[[LinkFrame], None], channel: int) -> None:
        self.peer_id = peer_id
        self.send = send
        self.channel = channel
        self.asked: dict[int, asyncio.Future[Any]] = {}
        self.handling = 0
        self.numbers = count(1)


class Bus(ControlBus):
    """See `ControlBus`. Links say `up` and `down`, and hand in what they receive. ``tasks`` owns the handlers."""

    def __init__(self, tasks: TaskSet) -> None:
        self._tasks = tasks
        self._ports: dict[str, _Port] = {}
        self._handlers: dict[str, ControlHandler] = {}
        self._listeners: list[Callable[[], None]] = []
        self._numbers = count(1)

    @property
    def channels(self) -> dict[str, int]:
        """The number of the open channel to each linked peer: no two channels have the same."""
        return {port.peer_id: port.channel for port in self._ports.values()}

    @property
    def linked(self) -> tuple[str, ...]:
        """See `ControlBus.linked`."""
        return tuple(port.peer_id for port in self._ports.values())

    async def request(self, peer_id: str, kind: str, body: Any, deadline: float) -> Any:
        """See `ControlBus.request`."""
        port = self._ports.get(peer_id.lower())
        if port is None:
            raise _not_linked(peer_id)
        _check_size(body)
        number = next(port.numbers)
        answer = port.asked[number] = asyncio.get_running_loop().create_future()
        port.send(Request(number, kind, body))
        try:
            async with asyncio.timeout_at(deadline):
                return await answer
        except TimeoutError as error:
            raise DeadlineExceeded(f"{peer_id} did not answer {kind!r} in time") from error
        finally:
            port.asked.pop(number, None)

    def serve(self, kind: str, handler: ControlHandler) -> None:
        """See `ControlBus.serve`."""
        if kind in self._handlers:
            raise MisuseError(f"requests of the kind {kind!r} are served already")
        self._handlers[kind] = handler

    def watch(self, listener: Callable[[], None]) -> None:
        """See `ControlBus.watch`."""
        self._listeners.append(listener)

    # What links say.

    def up(self, peer_id: str, send: Callable[[LinkFrame], None]) -> None:
        """A link to ``peer_id`` is open; ``send`` sends a frame over whichever channel it has."""
        self._ports[peer_id.lower()] = _Port(peer_id, send, next(self._numbers))
        self._changed()

    def moved(self, peer_id: str) -> None:
        """It is open over another channel now."""
        if (port := self._ports.get(peer_id.lower())) is not None:
            port.channel = next(self._numbers)
            self._changed()

    def down(self, peer_id: str) -> None:
        """It is not open any more."""
        port = self._ports.pop(peer_id.lower(), None)
        if port is None:
            return
        for answer in port.asked.values():
            if not answer.done():
                answer.set_exception(PeerUnavailable(f"the link to {peer_id} went down before it answered"))
        self._changed()

    def received(self, peer_id: str, frame: Request | Response) -> None:
        """A frame for the bus came over the link to ``peer_id``."""
        port = self._ports.get(peer_id.lower())
        if port is None:
            return
        if isinstance(frame, Response):
            _settle(port.asked.get(frame.number), frame)
        elif port.handling >= MAX_CONTROL_REQUESTS:
            port.send(Response(frame.number, error=("busy", f"more than {MAX_CONTROL_REQUESTS} requests are under way", "ask again later")))
        else:
            port.handling += 1
            self._tasks.start(self._handle(port, frame), f"control {frame.kind[:32]} of {peer_id}")

    async def _handle(self, port: _Port, request: Request) -> None:
        try:
            response = await self._response(port.peer_id, request)
        finally:
            port.handling -= 1
        if self._ports.get(port.peer_id.lower()) is port:
            port.send(response)

    async def _response(self, peer_id: str, request: Request) -> Response:
        handler = self._handlers.get(request.kind)
        if handler is None:
            return Response(request.number, error=("unknown-kind", f"no plugin of the peer serves {request.kind!r}", UNSERVED))
        try:
            body = await handler(peer_id, request.body)
            _check_size(body)
        except HallwayError as error:
            reason = error.reason if isinstance(error, ControlRefused) else error.code
            return Response(request.number, error=_cut((reason, str(error), error.hint)))
        except Exception:
            logger.exception("the handler of %r failed at a request of %s", request.kind, peer_id)
            return Response(request.number, error=("internal", f"the handler of {request.kind!r} failed", ""))
        return Response(request.number, body)

    def _changed(self) -> None:
        """Tell the listeners, but not in the midst of what the link has to do at this change."""
        asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                logger.exception("a listener of the control bus failed")


def _not_linked(peer_id: str) -> PeerUnavailable:
    return PeerUnavailable(f"there is no open link to {peer_id} over which it could be asked", hint="wait for peer-connected")


def _check_size(body: Any) -> None:
    try:
        size = len(jsontext.dumps(body).encode())
    except jsontext.BadJson as error:
        raise BadMessage(str(error)) from error
    if size > MAX_CONTROL_BODY:
        raise MessageTooLarge(f"the body has {size} bytes as JSON; {MAX_CONTROL_BODY} are allowed")


def _settle(answer: asyncio.Future[Any] | None, response: Response) -> None:
    if answer is None or answer.done():
        return
    if response.error is None:
        answer.set_result(response.body)
    else:
        reason, text, hint = response.error
        answer.set_exception(ControlRefused(text, reason=reason, hint=hint))


def _cut(error: Error) -> Error:
    code, text, hint = (part[:MAX_ERROR] for part in error)
    return code, text, hint
