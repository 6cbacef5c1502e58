"""What goes wrong: each fault is chosen and dosed by the run's random source, and returns when it was over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from random import Random

from faults import Device, asleep, now

from netlab import Lab


class Trouble:
    """The faults of one site. ``mortal`` devices may be ended; the others live through the whole run."""

    def __init__(self, lab: Lab, devices: list[Device], random: Random, ended: Callable[[str, float], None]) -> None:
        self.lab, self.devices, self.random = lab, devices, random
        self.mortal = devices[len(devices) // 3 :]
        self._ended = ended
        self._next_address = 100
        self.menu: dict[str, Callable[[], Awaitable[float]]] = {
            "killed": self.killed,
            "ended": self.terminated,
            "stopped": self.stopped,
            "partition": self.partition,
            "one way lost": self.one_way,
            "link down": self.link_down,
            "unplugged": self.unplugged,
            "new address": self.new_address,
            "loss": self.loss,
            "no multicast": self.no_multicast,
            "no internet": self.no_internet,
            "all down, new addresses": self.all_new,
        }

    async def _pause(self, low: float, high: float) -> None:
        await asyncio.sleep(self.random.uniform(low, high))

    async def _back(self, device: Device) -> float:
        self._ended(device.name, now())
        if self.random.random() < 0.7:
            await self._pause(0, 10)
        return await device.start()

    async def killed(self) -> float:
        """SIGKILL, and a new process at once or later."""
        device = self.random.choice(self.mortal)
        await device.kill()
        return await self._back(device)

    async def terminated(self) -> float:
        """SIGTERM, and a new process at once or later."""
        device = self.random.choice(self.mortal)
        await device.terminate()
        return await self._back(device)

    async def stopped(self) -> float:
        """SIGSTOP and SIGCONT."""
        return await asleep(self.random.choice(self.devices), self.random.uniform(1, 25))

    async def partition(self) -> float:
        """Some pairs lose each other."""
        with ExitStack() as stack:
            for _ in range(self.random.randint(1, 4)):
                one, two = self.random.sample(self.devices, 2)
                stack.enter_context(one.host.partition_from(two.host))
            await self._pause(1, 20)
        return now()

    async def one_way(self) -> float:
        """A device is not heard by another one."""
        one, two = self.random.sample(self.devices, 2)
        with one.host.lose_packets_to(two.host):
            await self._pause(2, 15)
        return now()

    async def link_down(self) -> float:
        """An interface is off: errors."""
        with self.random.choice(self.devices).host.link_down():
            await self._pause(1, 15)
        return now()

    async def unplugged(self) -> float:
        """No carrier: silence."""
        with self.random.choice(self.devices).host.unplug():
            await self._pause(1, 15)
        return now()

    def _address(self) -> str:
        self._next_address = 100 + (self._next_address - 99) % 150
        return f"10.77.0.{self._next_address}"

    async def new_address(self) -> float:
        """One device, or two, get another address."""
        for device in self.random.sample(self.devices, self.random.choice([1, 1, 2])):
            device.host.change_address(self._address())
        return now()

    async def loss(self) -> float:
        """Packets are lost at random."""
        with self.lab.lan().drop(self.random.choice([1, 5, 20])):
            await self._pause(5, 20)
        return now()

    async def no_multicast(self) -> float:
        """mDNS is dead while a device starts again."""
        with self.lab.lan().block_multicast():
            if self.random.random() < 0.5:
                await self.killed()
            await self._pause(5, 15)
        return now()

    async def no_internet(self) -> float:
        """The signal server is out of reach."""
        with self.lab.cut_wan() if self.random.random() < 0.5 else self.lab.black_hole_wan():
            await self._pause(3, 15)
        return now()

    async def all_new(self) -> float:
        """The router reboots and gives everybody another address."""
        for device in self.devices:
            device.host.link_down()
        await self._pause(3, 20)
        for device in self.devices:
            device.host.change_address(self._address())
            device.host.link_up()
        return now()
