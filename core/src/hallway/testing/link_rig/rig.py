"""The network between the two devices, and the clock."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random

from hallway.protocol.effects import Effect
from hallway.testing.link_rig.device import Device
from hallway.testing.link_rig.values import NAMES, Offer, Pipe, Weather

REQUEST_PATIENCE = 1.5
"""Seconds that an offer waits for its answer, as on the LAN."""
RETRY = 0.25
"""Seconds after which a frame that met a partition is sent again."""

Call = Callable[[], None]


class Rig:
    """The two devices, the network between them, and the clock.

    Args:
        seed: everything that happens follows from it.
        weather: while `bad` is set.
        sight: who ever sees the other by discovery.
        reach: whose offers can reach the other.

    """

    def __init__(self, seed: int, weather: Weather, *, sight: tuple[str, ...] = NAMES, reach: tuple[str, ...] = NAMES) -> None:
        self.seed, self.random, self.weather = seed, Random(seed), weather
        self.sight, self.reach = sight, reach
        self.now = 0.0
        self.bad = True
        self.parted_until = 0.0
        self.agreed_since: float | None = None
        self.pipes: list[Pipe] = []
        self.trace: deque[tuple[float, str, str, list[Effect]]] = deque(maxlen=400)
        self._epochs, self._order = count(1), count()
        self._queue: list[tuple[float, int, Device | None, Call]] = []
        self.devices: dict[str, Device] = {name: Device(self, name, f"e{next(self._epochs)}") for name in NAMES}

    def later(self, seconds: float, call: Call) -> None:
        """Call ``call`` in ``seconds``."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), None, call))

    def tell(self, device: Device, seconds: float, call: Call) -> None:
        """Call ``call`` in ``seconds``, or once ``device`` is not stalled any more, unless it is dead by then."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), device, call))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, device, call = heapq.heappop(self._queue)
            if device is None or (device.alive and device.stalled_until <= self.now):
                call()
                self._note_agreement()
            elif device.alive:
                self.tell(device, device.stalled_until - self.now, call)
        self.now = until

    @property
    def agreed(self) -> bool:
        """Whether both links are open, over one and the same channel that works."""
        one, other = (device.open_pipe for device in self.devices.values())
        return one is not None and one is other and not one.dead

    def _note_agreement(self) -> None:
        if not self.agreed:
            self.agreed_since = None
        elif self.agreed_since is None:
            self.agreed_since = self.now

    def delay(self) -> float:
        """Seconds that something takes now."""
        return self.random.uniform(0.0005, self.weather.delay if self.bad else 0.01)

    def happens(self, probability: float) -> bool:
        """Whether a misfortune happens now."""
        return self.bad and self.random.random() < probability

    def send_offer(self, offer: Offer) -> None:
        """Carry an offer to whoever bears the other name when it arrives."""
        sender = offer.sender
        for _ in range(2 if self.happens(self.weather.twice) else 1):
            if sender.name in self.reach and not self._lost():
                self.later(self.delay(), partial(self._deliver_offer, offer))
        self.tell(sender, REQUEST_PATIENCE, partial(sender.gave_up, offer.attempt))

    def _deliver_offer(self, offer: Offer) -> None:
        target = self.devices[offer.sender.other_name]
        if target.alive:
            self.tell(target, 0.0, partial(target.offered, offer))

    def respond(self, offer: Offer, pipe: Pipe | None) -> None:
        """Carry the answer (or a refusal) back."""
        if not self._lost():
            self.tell(offer.sender, self.delay(), partial(offer.sender.response, offer.attempt, pipe))

    def withdraw(self, offer: Offer) -> None:
        """Tell those who still work on an offer that nobody waits for them."""
        offer.withdrawn = True
        for device, attempt in offer.handled:
            if not self._lost():
                self.tell(device, self.delay(), partial(device.withdrawn, attempt))

    def _lost(self) -> bool:
        return self.parted_until > self.now or self.happens(self.weather.loss)

    def connect(self, pipe: Pipe) -> None:
        """Both descriptions are known: the channel opens at each end in its own time, or not at all."""
        self.pipes.append(pipe)
        if self.happens(self.weather.stillborn) or self.parted_until > self.now:
            pipe.dead = True
        for device in pipe.ends:
            self.tell(device, self.delay() + self.delay(), partial(self._open, pipe, device))

    def _open(self, pipe: Pipe, device: Device) -> None:
        device.opened(pipe)
        self._pump(pipe, device.name)

    def send(self, pipe: Pipe, to: str, data: bytes | None) -> None:
        """Carry a frame, or the news of a close, in order."""
        pipe.under_way[to].append(data)
        pipe.arrival[to] = max(pipe.arrival[to], self.now + self.delay())
        self.later(pipe.arrival[to] - self.now, partial(self._pump, pipe, to))

    def _pump(self, pipe: Pipe, to: str) -> None:
        target = next((device for device in pipe.ends if device.name == to), None)
        if target is None or not target.alive or target in pipe.closed or pipe.dead:
            return
        waiting = pipe.under_way[to]
        if max(target.stalled_until, target.paused_until, self.parted_until) > self.now:
            self.later(RETRY, partial(self._pump, pipe, to))
            return
        while waiting and (target in pipe.opened or waiting[0] is None) and target not in pipe.closed:
            target.received(pipe, waiting.popleft())

    def close(self, pipe: Pipe, device: Device) -> None:
        """One end closes; the other is told after all that was sent, unless it is not."""
        pipe.closed.add(device)
        if not self.happens(self.weather.silent):
            self.send(pipe, device.other_name, None)

    def start(self, name: str) -> None:
        """A device starts, or starts again with a new epoch."""
        if self.devices[name].alive:
            self.crash(name)
        device = self.devices[name] = Device(self, name, f"e{next(self._epochs)}")
        for each in (device, self.devices[device.other_name]):
            if each.name in self.sight:
                self.tell(each, self.random.uniform(0.0, 0.5), each.look)

    def crash(self, name: str) -> None:
        """A device is gone from one moment to the next, and its channels tell nobody."""
        device = self.devices[name]
        device.alive = False
        for pipe in self.pipes:
            pipe.dead |= device in pipe.ends

    def leave(self, name: str) -> None:
        """A device closes as it should."""
        device = self.devices[name]
        if device.alive:
            device.close()
            device.alive = False

    def break_channel(self) -> None:
        """The newest channel carries nothing any more."""
        if self.pipes:
            self.pipes[-1].dead = True

    def story(self) -> str:
        """The seed, what happened last, and how things are."""
        heading = f"seed {self.seed} sight={self.sight} reach={self.reach} {self.weather}"
        lines = [f"{time:9.3f} {who:9} {what} -> {effects}" for time, who, what, effects in self.trace]
        return "\n".join([heading, *lines, *map(str, self.devices.values())])
