"""What the sealed mode costs, in words and a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPEN, SEALED = "#999", "#2a7"
CONNECT_BOUND = 1.3
"""Of the open mode's time, at most."""
OUTSIDERS_BOUND = 50
"""Outsiders' envelopes for the time of one member's, at least."""


def lines(results: dict[str, Any]) -> Iterator[str]:
    yield f"{'':38}{'open':>14}{'sealed':>14}{'ratio':>9}"
    for name, unit, open_, sealed in _pairs(results):
        yield f"{name:38}{open_:>11.{2 if open_ < 100 else 0}f} {unit}{sealed:>11.{2 if sealed < 100 else 0}f} {unit}{sealed / open_:>9.2f}"
    costs = results["envelopes"]
    yield (
        f"an envelope of {costs['bytes']:.0f} bytes: {costs['member_us']:.0f} us if a member made it, {costs['outsider_us']:.1f} us if an"
        f" outsider did: {costs['outsiders_for_a_member']:.0f} to one (at least {OUTSIDERS_BOUND})"
    )
    yield f"(bounds: connecting {CONNECT_BOUND} times the open mode's time, messages as fast)"


def _pairs(results: dict[str, Any]) -> Iterator[tuple[str, str, float, float]]:
    connect, flow = results["connect"], results["flow"]
    yield "connect", "ms", connect["open"]["median_ms"], connect["sealed"]["median_ms"]
    yield "round trip", "ms", flow["open"]["ping_ms"], flow["sealed"]["ping_ms"]
    for size in flow["open"]["sizes"]:
        yield f"{size} bytes", "/s", flow["open"]["sizes"][size]["per_second"], flow["sealed"]["sizes"][size]["per_second"]


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    pairs = list(_pairs(results))
    figure, axis = plt.subplots(figsize=(7, 4))
    bars = axis.bar([name for name, *_ in pairs], [sealed / open_ for _, _, open_, sealed in pairs], color=SEALED)
    axis.bar_label(bars, fmt="%.2f")
    axis.axhline(1.0, color=OPEN)
    axis.axhline(CONNECT_BOUND, color=OPEN, linestyle=":")
    axis.set(title="sealed mode, in times of the open one")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
