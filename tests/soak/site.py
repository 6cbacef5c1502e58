"""The devices of the soak, their traffic, and the run of faults over them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import Any

import attrs
from cloud import LOCAL_FIRST, URL, signal_server
from faults import Device, Gone, Seen, Site, now, start, whole
from tests.soak.ledger import Ledger
from tests.soak.menu import Trouble
from tests.soak.vitals import Vitals, sample

from netlab import Host, Lab, ProcessError

PACE = 0.2
"""Seconds between two messages of one device to everybody."""
SETTLE = 7.0
"""Seconds without a link event after which a fault has had its effect."""
GIVE_UP = 60.0
"""Seconds after which a link counts as not back."""
SAMPLES = 5.0
DRAIN = 5.0


class Speaker(Device):
    """A device whose lines go into the ledger, and that numbers messages to everybody while it lives."""

    def __init__(self, host: Host, name: str, ledger: Ledger) -> None:
        super().__init__(host, name, LOCAL_FIRST, URL)
        self.ledger = ledger

    def take(self, seen: Seen) -> None:
        """Messages are counted, not kept."""
        self.ledger.take(self.name, seen)
        if seen.line["event"] != "message":
            super().take(seen)

    async def speak(self, stop: asyncio.Event, peers: int) -> None:
        """Send until ``stop``; what a process that ends may have taken counts as neither sent nor refused."""
        number = 0
        while not stop.is_set():
            life, at = self.life, now()
            if self.process:
                with suppress(Gone, ProcessError):
                    result = await self.call(command="broadcast", message=[life, number])
                    takers = set(result["value"]["ids"]) if result["ok"] else set()
                    self.ledger.sent(self.name, life, number, at, takers, peers)
                    number += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PACE)


@attrs.frozen
class Healed:
    """A fault: when it began and was over (seconds of `now`), and the seconds from then to the whole mesh, None if it did not come."""

    name: str
    begun: float
    over: float
    seconds: float | None
    missing: list[str]


class Soak:
    """One run."""

    def __init__(self, lab: Lab, count: int, random: Random) -> None:
        self.ledger, self.vitals = Ledger(), Vitals()
        self.healed: list[Healed] = []
        self.random = random
        self.site = Site(lab)
        names = [f"tablet-{number}" for number in range(1, count + 1)]
        self.devices = [Speaker(lab.lan().host(f"host-of-{name}"), name, self.ledger) for name in names]
        self.site.devices += self.devices
        self.trouble = Trouble(lab, list(self.devices), random, self.ledger.ended)
        self.begun = now()

    async def run(self, seconds: float, tell: Any) -> None:
        """Start everything, let faults happen for so long, and end everything."""
        server = await signal_server(self.site.lab.internet)
        async with self.site:
            await start(*self.devices)
            await whole(self.devices)
            self.begun, stop = now(), asyncio.Event()
            tell("the mesh is whole; faults begin")
            async with asyncio.TaskGroup() as group:
                for device in self.devices:
                    group.create_task(device.speak(stop, len(self.devices) - 1))
                watchers = [group.create_task(each) for each in (self._watch(), self._progress(seconds, tell))]
                while now() < self.begun + seconds:
                    await self._one(tell)
                stop.set()
                await asyncio.sleep(DRAIN)
                for watcher in watchers:
                    watcher.cancel()
            await self._sample()
            self.ledger.closed = True
        await server.terminate()

    async def _one(self, tell: Any) -> None:
        """One fault, now and then while some packets are lost as well, and what it takes to get over it."""
        name = self.random.choice(list(self.trouble.menu))
        begun = now()
        if self.random.random() < 0.2:
            percent = self.random.choice([1, 5])
            with self.site.lab.lan().drop(percent):
                over = await self.trouble.menu[name]()
            name += f", {percent} % loss"
        else:
            over = await self.trouble.menu[name]()
        healed = await self._heal(name, begun, over)
        self.healed.append(healed)
        if healed.missing:
            tell(f"  not back after {GIVE_UP:g} s ({name} at {begun - self.begun:.0f} s): {', '.join(healed.missing)}")

    async def _heal(self, name: str, begun: float, over: float) -> Healed:
        until = over + GIVE_UP
        while (remaining := self._last_event(over) + SETTLE - now()) > 0 or (self._missing() and now() < until):
            await asyncio.sleep(max(0.1, min(remaining, 1)))
        missing = self._missing()
        return Healed(name, begun, over, None if missing else self._last_event(over) - over, missing)

    def _last_event(self, since: float) -> float:
        return max([since, *(seen.at for device in self.devices for seen in device.link_events(since))])

    def _missing(self) -> list[str]:
        names = {device.name for device in self.devices}
        return [f"{device.name} to {peer}" for device in self.devices for peer in sorted(names - device.linked - {device.name})]

    async def _watch(self) -> None:
        while True:
            await self._sample()
            await asyncio.sleep(SAMPLES)

    async def _sample(self) -> None:
        for device in self.devices:
            if device.process:
                # It may end while it is looked at.
                with suppress(OSError, StopIteration):
                    self.vitals.samples[device.name, device.life].append(sample(device.process.pid, now()))

    async def _progress(self, seconds: float, tell: Any) -> None:
        ends = len(self.devices) * (len(self.devices) - 1)
        while True:
            await asyncio.sleep(30)
            last = f", the last: {self.healed[-1].name}" if self.healed else ""
            tell(
                f"  {now() - self.begun:.0f} of {seconds:.0f} s: {len(self.healed)} faults{last}; "
                f"{ends - len(self._missing())} of {ends} link ends up, {self.ledger.count()} messages"
            )
