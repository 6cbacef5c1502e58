"""Who may offer when both do: decided before anything is allocated, because rollback (RFC 8829 section 4.1.10.2) cannot be relied on."""

from __future__ import annotations

from enum import Enum

from hallway.model import RefusalCode
from hallway.protocol.attempt import Attempt, Phase, Step
from hallway.protocol.effects import Contested, Drop, Effect, Refuse


class Verdict(Enum):
    """What to do with an offer that came in while our own dial is under way."""

    ANSWER = "answer"
    """Answer it and drop our own offer."""
    BOTH = "both"
    """Answer it and keep our own offer: the channel that opens first is the link's."""
    HOLD = "hold"
    """Keep it until our own offer has worked (then refuse it) or failed (then answer it)."""


def glare(own_id: str, peer_id: str, *, speaks_hallway: bool, yielding: bool = False, greeting: bool = False) -> Verdict:
    """Both ends have offered; the lower device id's offer stands, compared without case.

    A device that does not speak hallway does not know the rule: its offer is always answered.

    Args:
        own_id: this device.
        peer_id: the device whose offer came in.
        speaks_hallway: whether the peer does.
        yielding: our last offer to this peer failed, so that theirs may be the one that gets through. Ours is kept all the same: if both
            get through, the peer drops its own, and with it the channel of our answer.
        greeting: the channel of our dial is open and our HELLO has gone out, so that the peer may count on it already.

    """
    if greeting and speaks_hallway:
        return Verdict.HOLD
    if not speaks_hallway or own_id.lower() > peer_id.lower():
        return Verdict.ANSWER
    return Verdict.BOTH if yielding else Verdict.HOLD


def ended(attempt: Attempt | None, reason: str, code: RefusalCode = RefusalCode.GLARE) -> list[Effect]:
    """End an attempt: an offer that is held is refused with ``code``, anything else is dropped for ``reason`` (a clause)."""
    if attempt is None:
        return []
    held = attempt.phase is Phase.HELD
    attempt.apply(Step.END)
    if held and attempt.contested:
        return [Refuse(attempt.id, RefusalCode.FORBIDDEN), Contested()]
    return [Refuse(attempt.id, code)] if held else [Drop(attempt.id, reason)]
