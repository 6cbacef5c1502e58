"""Signaling in memory: a request is a task that runs the other device's handler."""

from __future__ import annotations

import asyncio
import logging

import attrs

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, Unreachable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import DeviceInfo, Envelope, Origin, Refusal, RefusalCode
from hallway.testing.memory.hub import Handling, Hub

SCHEME = "memory"
MAX_REQUEST = 32 * 1024
MAX_RESPONSE = 64 * 1024

logger = logging.getLogger(__name__)


@attrs.define(eq=False)
class MemorySignaling(Signaling):
    """Reaches the devices of one hub under ``memory://<device id>``."""

    device: DeviceInfo
    hub: Hub
    _host: SignalingHost | None = None
    _asked: set[Handling] = attrs.field(factory=set)
    """What others do for us now."""
    _closed: bool = False

    async def start(self, host: SignalingHost) -> None:
        """See `Signaling.start`."""
        if self._closed:
            raise ClosedError("memory signaling was closed")
        self._host = host
        self.hub.listeners[self._name] = host
        host.up((f"{SCHEME}://{self.device.device_id}",))

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """See `Signaling.request`."""
        if self._closed:
            raise ClosedError("memory signaling was closed")
        name = endpoint.removeprefix(f"{SCHEME}://").lower()
        if name not in self.hub.listeners:
            raise Unreachable(f"nobody listens at {endpoint}")
        if len(envelope.body) > MAX_REQUEST:
            return Refusal(RefusalCode.TOO_LARGE, f"the body must not exceed {MAX_REQUEST} bytes")
        handling = self._ask(name, envelope)
        self._asked.add(handling)
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.wait([handling])
        except TimeoutError as error:
            raise DeadlineExceeded(f"{endpoint} did not answer in time") from error
        finally:
            self._asked.discard(handling)
            handling.cancel()
        return self._outcome(handling, endpoint)

    def _ask(self, name: str, envelope: Envelope) -> Handling:
        """Have the device of that name handle a request, in a task that ends with it."""
        handling = asyncio.create_task(self.hub.listeners[name].handle(envelope, Origin(SCHEME)), name="memory signaling")
        self.hub.handling.setdefault(name, set()).add(handling)
        handling.add_done_callback(lambda done: self._handled(name, done))
        return handling

    def _handled(self, name: str, handling: Handling) -> None:
        self.hub.handling.get(name, set()).discard(handling)
        if not handling.cancelled() and (error := handling.exception()) is not None:
            logger.error("the handler of %s failed", name, exc_info=error)

    def _outcome(self, handling: Handling, endpoint: str) -> Envelope | Refusal:
        if self._closed:
            raise ClosedError("memory signaling was closed")
        if handling.cancelled():
            raise Unreachable(f"{endpoint} closed before it answered")
        if handling.exception() is not None:
            return Refusal(RefusalCode.INTERNAL, "the handler failed")
        response = handling.result()
        if isinstance(response, Envelope) and len(response.body) > MAX_RESPONSE:
            raise BadEnvelope(f"{endpoint} answered more than {MAX_RESPONSE} bytes")
        return response

    async def aclose(self) -> None:
        """See `Signaling.aclose`."""
        self._closed = True
        handled: set[Handling] = set()
        if self._host is not None and self.hub.listeners.get(self._name) is self._host:
            del self.hub.listeners[self._name]
            handled = self.hub.handling.pop(self._name, set())
        for handling in (*self._asked, *handled):
            handling.cancel()
        if handled:
            await asyncio.wait(handled)

    @property
    def _name(self) -> str:
        return self.device.device_id.lower()
