"""The processes of the demo: devices that come, go and come back, and a signal server."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from hallway.cli.child import Child
from hallway.cli.demo_acts import CLOUD, LAN
from hallway.cli.demo_state import DeviceState

LOCALHOST = "127.0.0.1"


class DeviceEnded(Exception):
    """A device, or the signal server, has ended by itself; ``reason``: what it said last, if that was an error."""

    def __init__(self, names: str, reason: str = "") -> None:
        super().__init__(names)
        self.reason = reason


class Stage:
    """Devices of a property of their own, so that nothing else on this network takes part. Leaving it ends every process."""

    def __init__(self, devices: int, interfaces: Sequence[str], log_level: str, *, cloud: bool) -> None:
        self.states = [DeviceState(f"device-{number}-{secrets.token_hex(2)}") for number in range(1, devices + 1)]
        self.server_status: int | None = None
        self._changed = asyncio.Event()
        self._log_level = log_level
        self._children: dict[str, Child] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._server: Child | None = None
        self._port = _HeldPort() if cloud else None
        self._settings = ["security=open", f"device.property=demo-{secrets.token_hex(4)}", "device.type=demo"]
        self._settings.append(f"network.interfaces={json.dumps(list(interfaces))}")
        if self._port is not None:
            self._settings += [f'signaling.chain=["{LAN}","{CLOUD}"]', f"plugins.{CLOUD}.url=ws://{LOCALHOST}:{self._port.number}"]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._port is not None:
            self._port.release()
        running = [state for state in self.states if state.name in self._children]
        await asyncio.gather(self.stop_server(), *(self._stop(state) for state in running))

    async def start_devices(self) -> None:
        """Start every device."""
        # Unlike `gather`, a group that is cancelled is over only when each of its tasks is: what they started has ended by then.
        async with asyncio.TaskGroup() as group:
            for state in self.states:
                group.create_task(self._start(state))

    async def restart_last(self, *settings: str) -> None:
        """End the last device, wait until every other has noticed, and start it with ``settings`` on top of the usual ones."""
        last = self.states[-1]
        await self._stop(last)
        await self.until(lambda: all(last.name not in state.links for state in self.states))
        await self._start(last, *settings)

    async def start_server(self) -> None:
        """Start the signal server that the devices' configuration names."""
        assert self._port is not None
        self._port.release()
        self._server = await Child.serve(self._port.number, self._log_level)
        async with aclosing(self._server.events()) as events:
            if await anext(events, None) is None:
                raise DeviceEnded("the signal server")

    async def stop_server(self) -> None:
        """Stop the signal server, if it runs."""
        if self._server is not None:
            self.server_status = await self._server.stop()
            self._server = None

    async def broadcast(self, act: int, number: int) -> None:
        """Let every device say ``number`` to all others."""
        await asyncio.gather(*(self._speak(state, act, number) for state in self.states))

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until what the devices have told makes ``reached`` true.

        Raises:
            DeviceEnded: one of them has ended by itself.

        """
        while not reached():
            if ended := [state for state in self.states if state.has_ended]:
                reason = ended[0].last if ended[0].last.startswith("error: ") else ""
                raise DeviceEnded(" and ".join(state.name for state in ended), reason)
            self._changed.clear()
            await self._changed.wait()

    async def _start(self, state: DeviceState, *settings: str) -> None:
        state.begin_life()
        child = await Child.start(state.name, [f"device.id={state.name}", *self._settings, *settings], self._log_level)
        self._children[state.name] = child
        self._watchers[state.name] = asyncio.create_task(self._watch(child, state))

    async def _stop(self, state: DeviceState) -> None:
        if (watcher := self._watchers.pop(state.name, None)) is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        # It stays in the list until it has ended: a cancelled restart must not leave it behind.
        state.statuses.append(await self._children[state.name].stop())
        del self._children[state.name]
        state.begin_life()

    async def _watch(self, child: Child, state: DeviceState) -> None:
        async for event in child.events():
            state.note(event)
            self._changed.set()
        state.has_ended = True
        self._changed.set()

    async def _speak(self, state: DeviceState, act: int, number: int) -> None:
        try:
            await self._children[state.name].command(command="broadcast", message={"type": "demo", "data": {"act": act, "number": number}})
        except ConnectionError:
            raise DeviceEnded(state.name) from None
        state.sent = number


class _HeldPort:
    """A TCP port that nobody else gets, and where nobody listens, until it is released."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind((LOCALHOST, 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Let the port be taken; doing it twice is silent."""
        self._socket.close()
