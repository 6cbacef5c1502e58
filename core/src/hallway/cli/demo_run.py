"""What the demo does: start devices, wait until all are linked, let all speak, and count."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import attrs

from hallway.cli.child import Child

INTERRUPTED = "interrupted"
"""What `Summary.problem` says then."""
FAILED = "The demo FAILED; try --log-level info."


@attrs.define
class DeviceState:
    """What the demo knows of one device."""

    name: str
    listen: str = ""
    links: dict[str, float] = attrs.field(factory=dict)
    sent: int = 0
    received: dict[str, int] = attrs.field(factory=dict)
    last: str = "starting"
    has_ended: bool = False
    exit_status: int | None = None

    @property
    def received_total(self) -> int:
        """Messages that have arrived from all others."""
        return sum(self.received.values())


@attrs.frozen
class Summary:
    """How the demo went."""

    devices: tuple[DeviceState, ...]
    messages: int
    seconds: float
    problem: str = ""
    advice: str = ""

    @property
    def expected(self) -> int:
        """Messages that should have arrived, in all."""
        return len(self.devices) * (len(self.devices) - 1) * self.messages

    @property
    def arrived(self) -> int:
        """Messages that have arrived, in all."""
        return sum(device.received_total for device in self.devices)

    @property
    def complete(self) -> bool:
        """Whether every expected message arrived and every device ended well."""
        return self.arrived == self.expected and not self.problem and all(device.exit_status == 0 for device in self.devices)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        times = [ms for device in self.devices for ms in device.links.values()]
        return {
            "event": "summary",
            "ok": self.complete,
            "devices": len(self.devices),
            "links": len(times) // 2,
            "expected": self.expected,
            "arrived": self.arrived,
            "slowestLinkMs": max(times, default=None),
            "seconds": round(self.seconds, 2),
            "problem": self.problem,
        }

    def text(self) -> str:
        """For people."""
        facts = self.as_json()
        count = len(self.devices)
        slowest = "" if facts["slowestLinkMs"] is None else f", the slowest {facts['slowestLinkMs']:.0f} ms after it was found"
        lines = [
            f"{facts['links']} of {count * (count - 1) // 2} links between {count} devices{slowest}.",
            f"{self.arrived} of {self.expected} messages arrived; {self.seconds:.1f} s in all, no internet and no server used.",
        ]
        if self.problem == INTERRUPTED:
            return "\n".join([*lines, "Interrupted."])
        if self.problem:
            lines.append(f"Problem: {self.problem}")
        lines += [f"{device.name} ended with status {device.exit_status}" for device in self.devices if device.exit_status != 0]
        return "\n".join([*lines, "Every expected message arrived." if self.complete else self.advice or FAILED])


class DeviceEnded(Exception):
    """A device has ended by itself."""


class View(Protocol):
    """Where the demo is watched."""

    def show(self, devices: list[DeviceState], phase: str) -> None:
        """Something has changed."""

    def close(self) -> None:
        """Nothing more will change."""


class DemoRun:
    """One run of the demo with its own property, so that nothing else on this network takes part."""

    def __init__(self, devices: int, messages: int, interfaces: Sequence[str], pace: float, log_level: str) -> None:
        self.interrupted = False
        self._limit: asyncio.Timeout | None = None
        self._pace = pace
        self._log_level = log_level
        self._interfaces = json.dumps(list(interfaces))
        self._property = f"demo-{secrets.token_hex(4)}"
        self._messages = messages
        self._states = [DeviceState(f"device-{number}-{secrets.token_hex(2)}") for number in range(1, devices + 1)]
        self._phase = "starting the devices"
        self._changed = asyncio.Event()

    async def play(self, view: View, timeout: float) -> Summary:
        """Run everything within ``timeout`` seconds and say how it went."""
        begin = time.monotonic()
        problem, advice = "", ""
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(view.close)
            try:
                async with asyncio.timeout(0 if self.interrupted else timeout) as self._limit:
                    await self._play(stack, view)
            except TimeoutError:
                problem, advice = (INTERRUPTED, "") if self.interrupted else self._unfinished(timeout)
            except DeviceEnded as ended:
                problem = f"{ended} ended by itself, while {self._phase}"
            finally:
                self._limit = None
            seconds = time.monotonic() - begin
        return Summary(tuple(self._states), self._messages, seconds, problem, advice)

    def interrupt(self) -> None:
        """Let `play` end now; silent when it ends anyway."""
        if self._limit is not None and not self.interrupted:
            self._limit.reschedule(asyncio.get_running_loop().time())
        self.interrupted = True

    def _unfinished(self, timeout: float) -> tuple[str, str]:
        """What was still missing when the time was up, and what to do about it."""
        count = len(self._states)
        sent = min(state.sent for state in self._states)
        linked = sum(len(state.links) for state in self._states) // 2
        arrived = sum(state.received_total for state in self._states)
        wanted = f"{count * (count - 1) // 2} links, {sent} of {self._messages} broadcasts of each device"
        facts = f"{linked} of {wanted} and {arrived} of {count * (count - 1) * sent} of their messages were there"
        advice = "The demo was too slow: give it a longer --timeout, or less --messages or --pace." if 0 < sent < self._messages else FAILED
        return f"not finished after {timeout:.0f} s, while {self._phase}: {facts}", advice

    async def _play(self, stack: contextlib.AsyncExitStack, view: View) -> None:
        children = await asyncio.gather(*(self._start(state, stack) for state in self._states))
        watchers = await stack.enter_async_context(_cancelled_at_end())
        for child, state in zip(children, self._states, strict=True):
            watchers.append(asyncio.create_task(self._watch(child, state)))
        others = len(self._states) - 1
        await self._until("waiting until every device is linked to every other", view, lambda state: len(state.links) == others)
        await self._speak_all(children, view)
        await self._until("waiting for the last messages", view, lambda state: state.received_total >= others * self._messages)

    async def _speak_all(self, children: Sequence[Child], view: View) -> None:
        self._phase = "every device speaks to all others"
        for number in range(1, self._messages + 1):
            await asyncio.gather(*(self._speak(child, state, number) for child, state in zip(children, self._states, strict=True)))
            view.show(self._states, self._phase)
            await asyncio.sleep(self._pace)

    async def _start(self, state: DeviceState, stack: contextlib.AsyncExitStack) -> Child:
        settings = ["security=open", f"device.id={state.name}", f"device.property={self._property}", "device.type=demo"]
        settings.append(f"network.interfaces={self._interfaces}")
        child = await Child.start(state.name, settings, self._log_level)
        stack.push_async_callback(self._stop, child, state)
        return child

    async def _stop(self, child: Child, state: DeviceState) -> None:
        state.exit_status = await child.stop()

    async def _watch(self, child: Child, state: DeviceState) -> None:
        async for event in child.events():
            _note(state, event)
            self._changed.set()
        state.has_ended = True
        self._changed.set()

    async def _speak(self, child: Child, state: DeviceState, number: int) -> None:
        try:
            await child.command(command="broadcast", message={"type": "demo", "data": number})
        except ConnectionError:
            raise DeviceEnded(state.name) from None
        state.sent = number

    async def _until(self, phase: str, view: View, reached: Any) -> None:
        self._phase = phase
        while not all(reached(state) for state in self._states):
            if ended := [state.name for state in self._states if state.has_ended]:
                raise DeviceEnded(" and ".join(ended))
            self._changed.clear()
            view.show(self._states, phase)
            await self._changed.wait()
        view.show(self._states, phase)


def _note(state: DeviceState, event: dict[str, Any]) -> None:
    """Bring ``state`` up to date."""
    match event:
        case {"event": "ready", "listen": [first, *_]}:
            state.listen, state.last = first, "ready"
        case {"event": "peer-found", "peerId": peer}:
            state.last = f"found {peer}"
        case {"event": "peer-connected", "peerId": peer, "ms": ms}:
            state.links[peer] = ms
            state.last = f"linked to {peer} in {ms:.0f} ms"
        case {"event": "peer-disconnected", "peerId": peer, "reason": reason}:
            state.links.pop(peer, None)
            state.last = f"lost {peer}: {reason}"
        case {"event": "message", "peerId": peer, "message": {"data": number}}:
            state.received[peer] = state.received.get(peer, 0) + 1
            state.last = f"{peer} says {number}"
        case {"event": "error", "message": message}:
            state.last = f"error: {message}"


@contextlib.asynccontextmanager
async def _cancelled_at_end() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
