"""The figures of `healing` in words and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.report import BARE, OURS

FAULTS = {
    "notice_killed": "a killed peer is noticed",
    "returned": "linked after its return",
    "parted": "messages after a partition",
    "stopped": "messages after a stop",
    "moved": "messages after a new address",
    "notice_moved": "a new address is noticed",
}
MESH = {"seconds": ("mesh from the last ready", "s"), "from_start": ("mesh from the start", "s"), "cpu": ("CPU of all processes", "s")}
NEVER = {"returned", "moved"}
"""What bare aiortc never does by itself."""


def lines(results: dict[str, Any]) -> Iterator[str]:
    """The table."""
    yield f"{'seconds, median (max)':30}{'bare':>18}{'hallway':>18}   (partition and stop of {results['outage']:g} s)"
    for key, name in FAULTS.items():
        cells = [_cell(results[side].get(key), key, side) for side in ("bare", "hallway")]
        yield f"{name:30}" + "".join(f"{cell:>18}" for cell in cells)
    mesh = results["mesh"]
    yield f"{mesh['devices']} devices in {mesh['processes']} processes{'':4}{'bare':>15}{'hallway':>18}{'ratio':>9}"
    for key, (name, unit) in MESH.items():
        yield f"{name:30}{mesh['bare'][key]:>16.1f} {unit}{mesh['hallway'][key]:>16.1f} {unit}{mesh['ratio_hallway_to_bare'][key]:>9.2f}"
    yield "(bare: who dials whom and where is known beforehand; nothing is discovered, checked, or kept alive)"


def _cell(figures: dict[str, Any] | None, key: str, side: str) -> str:
    if figures is None:
        return "never" if side == "bare" and key in NEVER else "-"
    return f"{figures['median_s']:.2f} ({figures['max_s']:.2f})"


def plot(results: dict[str, Any], path: Path) -> None:
    """The same as bars; what never happens has none."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, (times, costs) = plt.subplots(1, 2, figsize=(14, 5), width_ratios=[2, 1])
    _pairs(
        times,
        "seconds (log)",
        [(name.strip(), *(_median(results[side].get(key)) for side in ("bare", "hallway"))) for key, name in FAULTS.items()],
    )
    times.set_yscale("log")
    mesh = results["mesh"]
    _pairs(
        costs, f"mesh of {mesh['devices']} devices", [(name, mesh["bare"][key], mesh["hallway"][key]) for key, (name, _) in MESH.items()]
    )
    figure.suptitle("what breaks a link, and what many of them cost: hallway beside bare aiortc")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _median(figures: dict[str, Any] | None) -> float:
    return figures["median_s"] if figures else 0.0


def _pairs(axis: Any, title: str, rows: list[tuple[str, float, float]]) -> None:
    for side, (name, color) in enumerate((("bare", BARE), ("hallway", OURS))):
        places = [index + 0.4 * side for index in range(len(rows))]
        bars = axis.bar(places, [row[1 + side] for row in rows], 0.38, color=color, label=name)
        axis.bar_label(bars, labels=[f"{row[1 + side]:.2f}" if row[1 + side] else "none" for row in rows])
    axis.set_xticks([index + 0.2 for index in range(len(rows))], [row[0].replace(" ", "\n") for row in rows])
    axis.set(title=title)
    axis.legend()
