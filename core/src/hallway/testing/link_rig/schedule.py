"""Virtual time: what happens when, to whom."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hallway.testing.link_rig.device import Device

Call = Callable[[], None]


class Schedule:
    """Calls in the order of their times; ``now`` is in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = count()
        self._queue: list[tuple[float, int, Device | None, bool, Call]] = []

    def later(self, seconds: float, call: Call) -> None:
        """Call ``call`` in ``seconds``."""
        self._put(self.now + seconds, None, call)

    def tell(self, device: Device, seconds: float, call: Call) -> None:
        """Call ``call`` in ``seconds``, or once ``device`` is not stalled any more, unless it is dead by then."""
        self._put(self.now + seconds, device, call)

    def alarm(self, device: Device, seconds: float, call: Call) -> None:
        """The same for what the device does by its own clock: it comes sooner if that clock jumps."""
        self._put(self.now + seconds, device, call, own=True)

    def jump(self, device: Device, seconds: float) -> None:
        """The device's own clock has gone on by ``seconds`` all at once."""
        self._queue = [
            (max(self.now, at - seconds) if own and whose is device else at, order, whose, own, call)
            for at, order, whose, own, call in self._queue
        ]
        heapq.heapify(self._queue)

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, device, own, call = heapq.heappop(self._queue)
            if device is None or (device.alive and device.stalled_until <= self.now):
                call()
            elif device.alive:
                self._put(device.stalled_until, device, call, own=own)
        self.now = until

    def _put(self, at: float, device: Device | None, call: Call, *, own: bool = False) -> None:
        heapq.heappush(self._queue, (at, next(self._order), device, own, call))
