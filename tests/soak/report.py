"""The ledger in words, and whether the run was a good one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from faults import rank
from tests.soak.site import GIVE_UP, Soak
from tests.soak.vitals import FILES_BOUND, MEMORY_BOUND


def figures(values: list[float]) -> dict[str, float]:
    return {"p50": rank(values, 0.5), "p95": rank(values, 0.95), "max": max(values)} if values else {}


def account(soak: Soak, seed: int, seconds: float) -> dict[str, Any]:
    """The whole ledger as a JSON object."""
    by_name: defaultdict[str, list[float]] = defaultdict(list)
    for each in soak.healed:
        by_name[each.name.partition(",")[0]].append(each.seconds if each.seconds is not None else math.inf)
    everything = [seconds for values in by_name.values() for seconds in values]
    finite = [seconds for seconds in everything if seconds < math.inf]
    faults = [
        {
            "name": each.name,
            "at": each.begun - soak.begun,
            "over": each.over - soak.begun,
            "whole_after": each.seconds,
            "missing": each.missing,
        }
        for each in soak.healed
    ]
    whole = {name: {"count": len(values), **figures([v for v in values if v < math.inf])} for name, values in sorted(by_name.items())}
    return {
        "seed": seed,
        "seconds": seconds,
        "devices": len(soak.devices),
        "faults": faults,
        "whole_after": {"all": {"count": len(everything), **figures(finite)}, **whole},
        **soak.ledger.account(soak.begun),
        "vitals": soak.vitals.account(),
    }


def complaints(results: dict[str, Any]) -> Iterator[str]:
    """What makes the run a bad one."""
    for fault in results["faults"]:
        if fault["missing"]:
            yield f"not back {GIVE_UP:g} s after {fault['name']} at {fault['at']:.0f} s: {', '.join(fault['missing'])}"
    messages = results["messages"]
    if messages["duplicates"]:
        yield f"{messages['duplicates']} messages arrived twice"
    if messages["out_of_order"]:
        yield f"{messages['out_of_order']} messages arrived out of order:"
        yield from results["late"][:20]
    for lost in messages["lost_unexplained"][:20]:
        yield f"lost without a break of the link: {lost}"
    for name, life in results["vitals"].items():
        if life["memory_grown_mb"] > MEMORY_BOUND:
            yield f"{name} grew by {life['memory_grown_mb']:.1f} MB in {life['seconds']:.0f} s; {MEMORY_BOUND:g} are allowed"
        if life["files"][1] > life["files"][0] + FILES_BOUND:
            yield f"{name} had {life['files'][0]} open files and ended with {life['files'][1]}; {FILES_BOUND} more are allowed"


def lines(results: dict[str, Any]) -> Iterator[str]:
    """The ledger for people."""
    yield f"{'seconds to the whole mesh after':34}{'count':>6}{'p50':>8}{'p95':>8}{'max':>8}"
    for name, each in results["whole_after"].items():
        yield f"{name:34}{each['count']:>6}" + "".join(
            f"{each[key]:>8.2f}" if key in each else f"{'-':>8}" for key in ("p50", "p95", "max")
        )
    messages = results["messages"]
    counts = ", ".join(
        f"{messages[key]} {key.replace('_', ' ')}" for key in ("sent", "refused", "arrived", "lost", "duplicates", "out_of_order")
    )
    yield f"messages: {counts}; {len(messages['lost_unexplained'])} lost without a break of the link"
    yield f"{'link ends of':14}{'up':>6}{'moved':>7}  down"
    for name, ends in _by_device(results["links"]).items():
        down: Counter[str] = sum((Counter(end["down"]) for end in ends), Counter())
        yield f"{name:14}{sum(end['up'] for end in ends):>6}{sum(end['moved'] for end in ends):>7}  {dict(down)}"
    for name, life in results["vitals"].items():
        memory, files = life["memory_mb"], life["files"]
        yield (
            f"{name}: {memory[0]:.1f} to {memory[1]:.1f} MB in {life['seconds']:.0f} s ({life['memory_mb_per_hour']:+.1f} MB/h), "
            f"open files {files[0]} to {files[1]}"
        )
    yield f"errors: {results['errors'] or 'none'}"


def _by_device(links: dict[str, Any]) -> dict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for name, end in links.items():
        found[name.partition(" to ")[0]].append(end)
    return found
