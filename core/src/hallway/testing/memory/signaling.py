"""Signaling in memory: a request is a call of the other device's handler."""

from __future__ import annotations

import asyncio

import attrs

from hallway.errors import ClosedError, DeadlineExceeded, Unreachable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import DeviceInfo, Envelope, Origin, Refusal
from hallway.testing.memory.hub import Hub

SCHEME = "memory"


@attrs.define(eq=False)
class MemorySignaling(Signaling):
    """Reaches the devices of one hub under ``memory://<device id>``."""

    device: DeviceInfo
    hub: Hub
    _closed: bool = False

    async def start(self, host: SignalingHost) -> None:
        """See `Signaling.start`."""
        self.hub.listeners[self.device.device_id.lower()] = host
        host.up((f"{SCHEME}://{self.device.device_id}",))

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """See `Signaling.request`."""
        if self._closed:
            raise ClosedError("memory signaling was closed")
        listener = self.hub.listeners.get(endpoint.removeprefix(f"{SCHEME}://").lower())
        if listener is None:
            raise Unreachable(f"nobody listens at {endpoint}")
        try:
            async with asyncio.timeout_at(deadline):
                return await listener.handle(envelope, Origin(SCHEME))
        except TimeoutError as error:
            raise DeadlineExceeded(f"{endpoint} did not answer in time") from error

    async def aclose(self) -> None:
        """See `Signaling.aclose`."""
        if not self._closed:
            self._closed = True
            self.hub.listeners.pop(self.device.device_id.lower(), None)
