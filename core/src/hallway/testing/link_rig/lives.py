"""Whole lives of a mesh: trouble first, then calm, and whether everybody agrees in the end."""

from __future__ import annotations

from functools import partial
from random import Random

import attrs

from hallway.protocol.attempt import ANSWER_PATIENCE, MAX_CONNECT_PATIENCE
from hallway.protocol.chain import CLOUD_PATIENCE
from hallway.protocol.redial import SLOW_REDIAL_CAP
from hallway.protocol.states import State
from hallway.protocol.upgrade import LOOKS
from hallway.testing.link_rig.end import End
from hallway.testing.link_rig.faults import FAULTS, LONGEST_FAULT, Fault
from hallway.testing.link_rig.rig import Rig
from hallway.testing.link_rig.values import Setting, Weather

SOON = MAX_CONNECT_PATIENCE + SLOW_REDIAL_CAP + ANSWER_PATIENCE
"""Virtual seconds in which all links are open for good once the network works: what one doomed attempt may take at each end."""
QUIET = 6.0
"""Virtual seconds for which nothing may happen in the end: longer than a dead link takes to be noticed."""
MOST_FAULTS = 8
"""Faults of a life, at most, for two devices; more devices have some more."""


@attrs.frozen
class Outcome:
    """How one life went: ``linked_after`` and ``settled_after`` are seconds from the end of the faults.

    Until the last link went down or all ends agreed for the first time; until all ends agreed for good, on channels over the LAN.
    """

    rig: Rig
    linked_after: float
    settled_after: float
    complaint: str | None
    """What was not as it should be, with the story; None if all was well."""


def live(seed: int, setting: Setting | None = None) -> Outcome:
    """One seeded life: trouble first, then a time in which everything works and everybody is seen.

    Raises:
        PromiseBroken: a link did what it must never do.

    """
    rig = Rig(seed, setting, Weather.drawn(Random(f"weather {seed}")))
    _plan(rig)
    rig.run(rig.setting.faulty)
    return conclude(rig)


def _plan(rig: Rig) -> None:
    ids = [device.name for device in rig.devices.values()]
    for name in ids:
        rig.schedule.later(rig.random.uniform(0.0, 0.3), partial(rig.start, name))
    for _ in range(rig.random.randint(0, MOST_FAULTS + len(ids) // 2)):
        device, other = rig.random.sample(ids, 2)
        fault = Fault(rig, device, other, rig.random.choice((0.1, 1.0, LONGEST_FAULT)))
        seconds = rig.random.uniform(0.3, rig.setting.faulty - LONGEST_FAULT)
        rig.schedule.later(seconds, partial(fault.happen, rig.random.choice(FAULTS)))


def conclude(rig: Rig) -> Outcome:
    """From now on all is well: see whether everybody agrees, and goes on doing so.

    Raises:
        PromiseBroken: a link did what it must never do.

    """
    since, linked_at = rig.now, None
    rig.fault("from here on all is well")
    rig.network.heal()
    for device in list(rig.devices.values()):
        if not device.alive:
            rig.start(device.name)
        rig.announce(device, 1.0)
    limit = since + SOON + QUIET + (CLOUD_PATIENCE + LOOKS[1] if rig.setting.cloud else 0.0)
    while rig.now < limit and not _is_settled(rig, since):
        rig.run(rig.now + 1.0)
        if linked_at is None and rig.agreed:
            linked_at = max(rig.agreed_since.values())
    return _judge(rig, since, linked_at)


def _is_settled(rig: Rig, since: float) -> bool:
    last = max(*rig.agreed_since.values(), *rig.down_at.values(), since, 0.0)
    return rig.now >= last + QUIET and rig.agreed and rig.near and not _unsettled(rig)


def _unsettled(rig: Rig) -> list[End]:
    return [end for end in rig.ends() if len(end.runs) != 1 or end.link.state is not State.OPEN]


def _judge(rig: Rig, since: float, linked_at: float | None) -> Outcome:
    downs = max(rig.down_at.values(), default=0.0)
    linked = max(linked_at if linked_at is not None else rig.now, downs) - since
    settled = max(rig.agreed_since.values(), default=rig.now) - since
    soon = SOON + (CLOUD_PATIENCE if rig.setting.cloud else 0.0)
    wrong: tuple[tuple[str, list[End]], ...] = (
        ("they do not agree on one channel", rig.ends_of(rig.disagreeing())),
        (f"it took {linked:.1f} s until all were linked for good", rig.ends_of(rig.last_down()) if linked > soon else []),
        ("an attempt is under way, or a link in doubt, for no reason", _unsettled(rig)),
        ("a link does not find the LAN", [end for end in rig.ends() if end.open_pipe is not None and end.open_pipe.distant]),
    )
    complaint = next((f"{what}\n{rig.story(*ends[:2])}" for what, ends in wrong if ends), None)
    return Outcome(rig, max(0.0, linked), max(0.0, settled), complaint)
