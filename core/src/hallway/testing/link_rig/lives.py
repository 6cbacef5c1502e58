"""Whole lives of two links: trouble first, then calm, and whether they agree in the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import attrs

from hallway.testing.link_rig.rig import Rig
from hallway.testing.link_rig.values import NAMES, Weather

LONGEST_FAULT = 6.0


def _restart(rig: Rig, name: str, seconds: float, *, graceful: bool) -> None:
    end = rig.leave if graceful else rig.crash
    end(name)
    rig.later(seconds / 4, partial(rig.start, name))


def _part(rig: Rig, _: str, seconds: float) -> None:
    rig.parted_until = rig.now + seconds


def _stall(rig: Rig, name: str, seconds: float) -> None:
    rig.devices[name].stalled_until = rig.now + seconds


def _pause(rig: Rig, name: str, seconds: float) -> None:
    device = rig.devices[name]
    rig.tell(device, 0.0, partial(device.pause, seconds))


def _break(rig: Rig, _name: str, _seconds: float) -> None:
    rig.break_channel()


def _lose_sight(rig: Rig, name: str, _: float) -> None:
    rig.tell(rig.devices[name], 0.0, rig.devices[name].lose_sight)


def _look(rig: Rig, name: str, _: float) -> None:
    rig.tell(rig.devices[name], 0.0, rig.devices[name].look)


FAULTS: tuple[Callable[[Rig, str, float], None], ...] = (
    partial(_restart, graceful=False),
    partial(_restart, graceful=True),
    _part,
    _stall,
    _pause,
    _break,
    _lose_sight,
    _look,
)
"""What can go wrong, with whom, for how many seconds."""


@attrs.frozen
class Outcome:
    """How one life went: seconds from the end of the faults until both links agreed for good, None if they never did."""

    rig: Rig
    seconds: float | None


def live(seed: int, *, faulty: float = 20.0, calm: float = 40.0, **setting: Any) -> Outcome:
    """One seeded life: ``faulty`` seconds of trouble, then ``calm`` seconds in which everything works and everybody is seen.

    Raises:
        PromiseBroken: a link did what it must never do.

    """
    rig = Rig(seed, Weather.drawn(Random(f"weather {seed}")), **setting)
    random = rig.random
    for name in NAMES:
        rig.later(random.uniform(0.0, 0.3), partial(rig.start, name))
    for _ in range(random.randint(0, 8)):
        fault = partial(random.choice(FAULTS), rig, random.choice(NAMES), random.choice((0.1, 1.0, LONGEST_FAULT)))
        rig.later(random.uniform(0.3, faulty - LONGEST_FAULT), fault)
    rig.run(faulty)
    rig.bad = False
    for device in rig.devices.values():
        if device.name in rig.sight:
            rig.tell(device, random.uniform(0.0, 1.0), device.look)
    rig.run(faulty + calm)
    since = rig.agreed_since
    return Outcome(rig, None if since is None else max(0.0, since - faulty))
