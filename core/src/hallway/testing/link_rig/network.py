"""What lies between the devices: who can reach whom, and how offers and their answers travel."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

from hallway.model import RefusalCode
from hallway.testing.link_rig.schedule import Schedule
from hallway.testing.link_rig.values import Offer, Pipe, Setting, Weather

if TYPE_CHECKING:
    from hallway.testing.link_rig.device import Device

CLOUD_DELAY = 0.2
"""Seconds that something takes over the cloud, at most, beside what the weather adds."""
CALM_DELAY = 0.01
"""Seconds that something takes on a network that is not bad, at most."""


class Network:
    """The LAN and, in some settings, the cloud. ``devices`` are those that live now, by id in lower case."""

    def __init__(self, schedule: Schedule, random: Random, weather: Weather, setting: Setting, devices: dict[str, Device]) -> None:
        self.schedule, self.random, self.weather, self.setting = schedule, random, weather, setting
        self.bad = True
        self.offline_until = 0.0
        self._devices = devices
        self._walls: dict[tuple[str, str], float] = {}

    def wall(self, one: Device, other: Device, seconds: float) -> None:
        """Nothing gets over the LAN from ``one`` to ``other`` for so long."""
        self._walls[one.name, other.name] = self.schedule.now + seconds

    def heal(self) -> None:
        """From now on everything gets through, in its time."""
        self.bad = False
        self.offline_until = 0.0
        self._walls.clear()

    def blocked(self, one: Device, other: Device, *, distant: bool) -> bool:
        """Whether nothing gets from ``one`` to ``other`` now."""
        if distant:
            return self.offline_until > self.schedule.now
        return self._walls.get((one.name, other.name), 0.0) > self.schedule.now

    def delay(self, *, distant: bool = False) -> float:
        """Seconds that something takes now."""
        longest = self.weather.delay if self.bad else CALM_DELAY
        return self.random.uniform(0.0005, longest + (CLOUD_DELAY if distant else 0.0))

    def happens(self, probability: float) -> bool:
        """Whether a misfortune happens now."""
        return self.bad and self.random.random() < probability

    def send(self, offer: Offer) -> None:
        """Carry an offer to whoever is at its address when it arrives."""
        if not self.setting.reach.has(offer.end.device.name, offer.end.peer):
            return
        for _ in range(2 if self.happens(self.weather.twice) else 1):
            if not self.happens(self.weather.loss):
                self.schedule.later(self.delay(distant=offer.distant), partial(self._deliver, offer))

    def _deliver(self, offer: Offer) -> None:
        target = self._devices[offer.end.peer.lower()]
        there = offer.distant or target.address == offer.to
        if target.alive and there and not self.blocked(offer.end.device, target, distant=offer.distant):
            self.schedule.tell(target, 0.0, partial(target.offered, offer))

    def respond(self, offer: Offer, reply: Pipe | RefusalCode, *, requests: int) -> None:
        """Carry the answer, or a refusal, back to each of the requests that wait for it."""
        target = self._devices[offer.end.peer.lower()]
        for _ in range(requests):
            if not self._is_lost(target, offer.end.device, distant=offer.distant):
                seconds = self.delay(distant=offer.distant)
                self.schedule.tell(offer.end.device, seconds, partial(offer.end.response, offer, reply))

    def withdraw(self, offer: Offer) -> None:
        """Tell those who still work on an offer that nobody waits for them."""
        offer.withdrawn = True
        for end, attempt in offer.handled:
            self.tell_withdrawn(offer, end.device, partial(end.withdrawn, attempt))

    def tell_withdrawn(self, offer: Offer, device: Device, call: partial[None]) -> None:
        """Tell one of them, unless that gets lost."""
        if not self._is_lost(offer.end.device, device, distant=offer.distant):
            self.schedule.tell(device, self.delay(distant=offer.distant), call)

    def _is_lost(self, one: Device, other: Device, *, distant: bool) -> bool:
        return self.blocked(one, other, distant=distant) or self.happens(self.weather.loss)
