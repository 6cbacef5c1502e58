"""The control bus in memory: devices of one hub whose links a test opens and cuts."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from hallway.errors import (
    BadMessage,
    ControlRefused,
    DeadlineExceeded,
    HallwayError,
    MessageTooLarge,
    MisuseError,
    PeerUnavailable,
)
from hallway.interfaces import MAX_CONTROL_BODY, MAX_CONTROL_REQUESTS, ControlBus, ControlHandler
from hallway.protocol import jsontext
from hallway.testing.memory.hub import Hub

logger = logging.getLogger(__name__)

_Answer = asyncio.Future[str]


class MemoryBus(ControlBus):
    """The bus of one device. The latest bus of an id is that device, as after a restart; `aclose` is its end."""

    def __init__(self, hub: Hub, device_id: str) -> None:
        self.device_id = device_id
        self._hub = hub
        self._links: dict[str, MemoryBus] = {}
        self._handlers: dict[str, ControlHandler] = {}
        self._listeners: list[Callable[[], None]] = []
        self._pending: dict[_Answer, str] = {}
        self._handled: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        hub.buses[self._key] = self

    @property
    def _key(self) -> str:
        return self.device_id.lower()

    def link(self, peer_id: str) -> None:
        """Open the link to another device of the hub. It may be open already."""
        other = self._hub.buses[peer_id.lower()]
        for one, two in ((self, other), (other, self)):
            one._links[two._key] = two
        self._changed()
        other._changed()

    def unlink(self, peer_id: str) -> None:
        """Cut the link to another device: requests that wait for it fail. It may be cut already."""
        other = self._links.pop(peer_id.lower(), None)
        if other is None:
            return
        other._links.pop(self._key, None)
        self._fail(other)
        other._fail(self)
        self._changed()
        other._changed()

    async def aclose(self) -> None:
        """Cut every link and end what is being handled."""
        for peer_id in self.linked:
            self.unlink(peer_id)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def linked(self) -> tuple[str, ...]:
        """See `ControlBus.linked`."""
        return tuple(bus.device_id for bus in self._links.values())

    async def request(self, peer_id: str, kind: str, body: Any, deadline: float) -> Any:
        """See `ControlBus.request`."""
        text = _written(body)
        peer = self._links.get(peer_id.lower())
        if peer is None:
            raise PeerUnavailable(f"there is no open link to {peer_id}", hint="ask one of those in `linked`")
        loop = asyncio.get_running_loop()
        if deadline <= loop.time():
            raise DeadlineExceeded(f"there was no time left to ask {peer_id}")
        answer: _Answer = loop.create_future()
        self._pending[answer] = peer._key
        peer._take(self, kind, text, answer)
        try:
            async with asyncio.timeout_at(deadline):
                return jsontext.loads(await answer)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{peer_id} did not answer {kind} in time") from error
        finally:
            del self._pending[answer]
            if answer.done() and not answer.cancelled():
                answer.exception()

    def serve(self, kind: str, handler: ControlHandler) -> None:
        """See `ControlBus.serve`."""
        if kind in self._handlers:
            raise MisuseError(f"{kind} is served already")
        self._handlers[kind] = handler

    def watch(self, listener: Callable[[], None]) -> None:
        """See `ControlBus.watch`."""
        self._listeners.append(listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def _fail(self, gone: MemoryBus) -> None:
        for answer, peer in list(self._pending.items()):
            if peer == gone._key:
                _settle(answer, PeerUnavailable(f"the link to {gone.device_id} went down before it answered"))

    def _take(self, asker: MemoryBus, kind: str, text: str, answer: _Answer) -> None:
        handler = self._handlers.get(kind)
        if handler is None:
            _settle(answer, ControlRefused(f"no plugin of the peer serves {kind!r}", reason="unknown-kind"))
        elif self._handled[asker._key] >= MAX_CONTROL_REQUESTS:
            _settle(answer, ControlRefused(f"{self.device_id} handles {MAX_CONTROL_REQUESTS} requests already", reason="busy"))
        else:
            self._handled[asker._key] += 1
            task = asyncio.create_task(self._handle(handler, asker, text, answer), name=f"memory control {kind}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _handle(self, handler: ControlHandler, asker: MemoryBus, text: str, answer: _Answer) -> None:
        outcome: str | HallwayError
        try:
            outcome = _written(await handler(asker.device_id, jsontext.loads(text)))
        except HallwayError as error:
            reason = error.reason if isinstance(error, ControlRefused) else error.code
            outcome = ControlRefused(str(error), reason=reason, hint=error.hint)
        except Exception:
            logger.exception("a control handler of %s failed", self.device_id)
            outcome = ControlRefused(f"{self.device_id} failed to answer", reason="internal")
        finally:
            self._handled[asker._key] -= 1
        _settle(answer, outcome)


def _written(body: Any) -> str:
    try:
        text = jsontext.dumps(body)
    except jsontext.BadJson as error:
        raise BadMessage(str(error)) from error
    if len(text.encode()) > MAX_CONTROL_BODY:
        raise MessageTooLarge(f"the body has more than {MAX_CONTROL_BODY} bytes")
    return text


def _settle(answer: _Answer, outcome: str | HallwayError) -> None:
    if answer.done():
        return
    if isinstance(outcome, HallwayError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
