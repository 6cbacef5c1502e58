"""Who may offer when both do: decided before anything is allocated, because rollback (RFC 8829 section 4.1.10.2) cannot be relied on."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What to do with an offer that came in while our own dial is under way."""

    ANSWER = "answer"
    """Answer it and drop our own offer."""
    HOLD = "hold"
    """Keep it until our own offer has worked (then refuse it) or failed (then answer it)."""


def glare(own_id: str, peer_id: str, *, speaks_hallway: bool, yielding: bool) -> Verdict:
    """Both ends have offered; the lower device id's offer stands, compared without case.

    A device that does not speak hallway does not know the rule: its offer is always answered. ``yielding`` says that our last offer to this
    peer failed, so that theirs may be the one that gets through.
    """
    ours_stands = own_id.lower() < peer_id.lower()
    return Verdict.HOLD if ours_stands and speaks_hallway and not yielding else Verdict.ANSWER
