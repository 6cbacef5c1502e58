"""What the devices of a mesh and the network between them hold."""

from __future__ import annotations

from collections import deque
from enum import Enum
from random import Random
from typing import TYPE_CHECKING

import attrs

from hallway.protocol.attempt import Role
from hallway.protocol.frames import Frame

if TYPE_CHECKING:
    from hallway.testing.link_rig.end import End


class PromiseBroken(AssertionError):
    """A link did what it must never do; the message has the command that repeats it and what happened before."""


class Ends(Enum):
    """Which device of each pair can do something."""

    BOTH = "both"
    LOWER = "lower"
    """Only the one with the lower id."""
    HIGHER = "higher"

    def has(self, one: str, other: str) -> bool:
        """Whether ``one`` can, towards ``other``."""
        return self is Ends.BOTH or (one.lower() < other.lower()) is (self is Ends.LOWER)


@attrs.frozen
class Setting:
    """What a seed needs beside it to give the same life again."""

    devices: int = 2
    sight: Ends = Ends.BOTH
    """Who ever sees the other by discovery."""
    reach: Ends = Ends.BOTH
    """Whose offers get through."""
    cloud: bool = False
    """There is a second way to everybody, over more than the LAN; the LAN is often seen later than the cloud."""
    faulty: float = 20.0
    """Seconds of trouble."""

    def command(self, seed: int) -> str:
        """What a shell needs to live that life again."""
        options = f"--devices {self.devices} --sight {self.sight.value} --reach {self.reach.value} --faulty {self.faulty:g}"
        return f"python -m hallway.testing.link_rig --seed {seed} {options}{' --cloud' if self.cloud else ''}"


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
class Flow:
    """What is under way to one end of a pipe, in order; None is the news that the other end has closed."""

    frames: deque[tuple[float, Frame | None]] = attrs.field(factory=deque)
    """On the network, each with the time at which it arrives."""
    retrying: bool = False
    inbox: deque[Frame | None] = attrs.field(factory=deque)
    """Arrived, and not read yet."""
    acks: deque[float] = attrs.field(factory=deque)
    """When the sender learns that a frame has arrived."""
    lost_acks: bool = False
    """Something has arrived, and its acknowledgement has not: both are sent again."""

    @property
    def waits(self) -> bool:
        """Whether something that was sent is not acknowledged."""
        return bool(self.frames or self.acks or self.lost_acks)


@attrs.define(eq=False)
class Pipe:
    """A channel: the ends with their attempts, and what is under way to each."""

    ends: dict[End, int] = attrs.field(factory=dict)
    addresses: dict[End, str] = attrs.field(factory=dict)
    """Where each end was when it took part."""
    distant: bool = False
    tells: bool = True
    """Whether it knows what the other end has acknowledged."""
    established: bool = False
    opened: set[End] = attrs.field(factory=set)
    closed: set[End] = attrs.field(factory=set)
    carries_on: dict[End, bool] = attrs.field(factory=dict)
    """Of each end whose link it has become, whether the link was open before, and has moved."""
    flows: dict[End, Flow] = attrs.field(factory=dict)
    dead: bool = False
    """It carries nothing any more and tells nobody."""

    def join(self, end: End, attempt: int) -> None:
        """Become the channel of an attempt."""
        self.ends[end] = attempt
        self.addresses[end] = end.device.address
        self.flows[end] = Flow()

    def other(self, end: End) -> End:
        """The end that is not this one."""
        return next(each for each in self.ends if each is not end)


@attrs.define(eq=False)
class Offer:
    """One offer, in however many requests: who made it, and which attempts of the other end it has led to, one entry a request."""

    end: End
    attempt: int
    epoch: str
    to: str
    """The address that it goes to; of no matter if it is ``distant``."""
    address: str
    """Where it comes from."""
    distant: bool = False
    handled: list[tuple[End, int]] = attrs.field(factory=list)
    withdrawn: bool = False


@attrs.define
class Run:
    """What a device holds for one attempt."""

    role: Role
    offer: Offer | None = None
    ways: list[tuple[str, bool]] = attrs.field(factory=list)
    """Where it can still be offered: the address, and whether that is over more than the LAN."""
    requests: int = 0
    """How many requests wait for the answer."""
    answered: bool = False
    pipe: Pipe | None = None
    looking: bool = False
    """Whether something is under way, so that it is looked for acknowledgements."""
