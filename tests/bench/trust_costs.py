"""What an envelope costs the device that it comes to: an outsider's, which is turned away, and a member's, which is verified.

Usage: trust_costs.py [ROUNDS]. Prints one JSON object: microseconds (medians), and how many outsiders cost as much as one member. It
fails if those are fewer than 50.
"""

from __future__ import annotations

import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "core" / "tests" / "support"))

from sealed_site import NOW, ORIGIN, Site, offer

from hallway.model import Envelope, Refusal
from hallway.trust.reasons import Reason
from hallway.trust.replay import MAX_SEEN_OF_ONE

LEAST = 50
"""Outsiders' envelopes for one member's, at least."""


def median(work: Callable[[Envelope], object], envelopes: list[Envelope]) -> float:
    """Microseconds of one call."""
    times = []
    for envelope in envelopes:
        begun = time.perf_counter_ns()
        work(envelope)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return statistics.median(times)


def measure(rounds: int) -> dict[str, float]:
    site = Site("a", "b")
    members, kid = [], site.secret.kid
    for start in range(0, rounds, MAX_SEEN_OF_ONE):
        sender, receiver = site.guard("a"), site.guard("b")
        batch = [offer(sender, "b") for _ in range(min(MAX_SEEN_OF_ONE, rounds - start))]
        members.append(median(lambda envelope, receiver=receiver: receiver.read(envelope, NOW), batch))  # type: ignore[misc]
    size = len(batch[0].body)
    guard = site.guard("b")
    # The dearest outsider knows the hint, which is in the clear: only the seal gives it away.
    dear = [Envelope("offer", "", b"\x01" + kid + secrets.token_bytes(size - 5)) for _ in range(rounds)]
    cheap = [Envelope("offer", "", b"\x01" + secrets.token_bytes(size - 1)) for _ in range(rounds)]
    outsider, unknown = (median(lambda envelope: guard.open(envelope, ORIGIN, NOW), each) for each in (dear, cheap))
    refusal = guard.open(dear[0], ORIGIN, NOW)
    assert isinstance(refusal, Refusal)
    assert set(guard.refusals) == {Reason.SEAL, Reason.KID}
    member = statistics.median(members)
    return {
        "bytes": size,
        "member_us": member,
        "outsider_us": outsider,
        "unknown_kid_us": unknown,
        "outsiders_for_a_member": member / outsider,
    }


if __name__ == "__main__":
    result = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
    print(json.dumps({name: round(value, 1) for name, value in result.items()}))
    sys.exit(result["outsiders_for_a_member"] < LEAST)
