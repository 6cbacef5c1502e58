"""What the two devices and the network between them hold."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING

import attrs

from hallway.protocol.attempt import Role

if TYPE_CHECKING:
    from hallway.testing.link_rig.device import Device

NAMES = ("alpha", "Beta")


class PromiseBroken(AssertionError):
    """A link did what it must never do; the message has the seed and what happened before."""


@attrs.frozen
class Weather:
    """How bad the network is while it is bad. Delays are in seconds, the rest are probabilities."""

    delay: float = 0.02
    loss: float = 0.0
    """Of an offer, of an answer, of a cancellation."""
    twice: float = 0.0
    """An offer arrives twice."""
    stillborn: float = 0.0
    """A channel never opens."""
    silent: float = 0.0
    """The other end is not told that a channel was closed."""

    @classmethod
    def drawn(cls, random: Random) -> Weather:
        """Any weather, with calm ones among them."""
        return cls(
            delay=random.choice((0.002, 0.02, 0.2, 1.0)),
            loss=random.choice((0.0, 0.1, 0.4)),
            twice=random.choice((0.0, 0.2)),
            stillborn=random.choice((0.0, 0.1, 0.4)),
            silent=random.choice((0.0, 0.3, 1.0)),
        )


@attrs.define(eq=False)
class Pipe:
    """A channel: who has which end, and what is under way to whom."""

    ends: dict[Device, int] = attrs.field(factory=dict)
    opened: set[Device] = attrs.field(factory=set)
    closed: set[Device] = attrs.field(factory=set)
    under_way: dict[str, deque[bytes | None]] = attrs.field(factory=lambda: {name: deque() for name in NAMES})
    arrival: dict[str, float] = attrs.field(factory=lambda: dict.fromkeys(NAMES, 0.0))
    dead: bool = False
    """It carries nothing any more and tells nobody."""


@attrs.define(eq=False)
class Offer:
    """One request: who made it, and which attempts of the other end it has led to."""

    sender: Device
    attempt: int
    epoch: str
    handled: list[tuple[Device, int]] = attrs.field(factory=list)
    withdrawn: bool = False


@attrs.define
class Run:
    """What a device holds for one attempt."""

    offer: Offer
    role: Role
    pipe: Pipe | None = None
