"""One link without a device around it, and the ways to bring it where a test wants it."""

from __future__ import annotations

from hallway.model import PeerRecord
from hallway.protocol.attempt import Phase
from hallway.protocol.effects import (
    Admit,
    Dial,
    Drop,
    Effect,
    Failed,
    Greet,
    Moved,
    SendFrame,
)
from hallway.protocol.frames import MOVED, Bye, Hello
from hallway.protocol.heartbeat import Timing
from hallway.protocol.link import Link

TIMING = Timing()
TIMED_OUT = "the channel did not open in time"


def record(epoch: str | None = "e1", *endpoints: str) -> PeerRecord:
    return PeerRecord("mike", "p", endpoints=endpoints, epoch=epoch)


def hello(epoch: str = "e1", sender: str = "mike", to: str = "lima", versions: tuple[int, ...] = (1,), *, moves: bool = False) -> Hello:
    return Hello(sender, to, epoch, versions, moves=moves)


def make(own_id: str = "lima", peer_id: str = "mike") -> Link:
    """A link that wins a glare against the peer, unless told otherwise; its jitter is at its longest."""
    return Link(own_id, peer_id, lambda: 1.0)


def dialing(own_id: str = "lima") -> Link:
    link = make(own_id)
    assert link.seen(record(), 0.0) == [Dial(1, record())]
    return link


def opened(epoch: str | None = "e1") -> Link:
    """A link whose dial, attempt 1, is open since second 0."""
    link = dialing()
    open_attempt(link, 1, epoch)
    return link


def told(phase: Phase, attempt: int, reason: str) -> list[Effect]:
    """The effects of an attempt that failed in ``phase``."""
    return [Failed(attempt, phase, reason), Drop(attempt, reason)]


def pass_time(link: Link, until: float) -> list[tuple[float, Effect]]:
    """What a link does by itself until then, and when."""
    done: list[tuple[float, Effect]] = []
    while link.deadline is not None and link.deadline <= until:
        now = link.deadline
        done += [(now, effect) for effect in link.timer(now)]
    return done


def open_attempt(link: Link, attempt: int, epoch: str | None = "e1", now: float = 0.0) -> list[object]:
    """Take an attempt whose offer was sent or answered to its open link; returns the last effects."""
    link.answered(attempt, now)
    effects = link.opened(attempt, now, speaks_hallway=epoch is not None)
    if epoch is None:
        return effects
    (greet,) = effects
    assert isinstance(greet, Greet)
    peer = hello(epoch, to=link.own_id, moves=greet.moves)
    assert link.received(attempt, peer, now) == [Admit(attempt, peer)]
    return link.admitted(attempt, epoch, now)


def moved(attempt: int) -> list[Effect]:
    """The effects of a move from attempt 1."""
    return [SendFrame(1, Bye(MOVED)), Moved(attempt), Drop(1, "the link has moved", graceful=True)]
