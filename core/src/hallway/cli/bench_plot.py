"""The picture of a benchmark, for who has matplotlib."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hallway.cli.bench_client import Measurement, Outcome
from hallway.cli.bench_report import TITLES, figure, summary
from hallway.errors import MisuseError

COLORS = ("#999999", "#22aa77")
"""Of the yardstick and of hallway."""
ENDINGS = (".png", ".svg", ".pdf")


def check(path: Path) -> None:
    """See before anything is measured that a picture can be written to ``path``.

    Raises:
        MisuseError: there is no matplotlib, no such folder, or no such kind of picture.

    """
    if path.suffix.lower() not in ENDINGS:
        raise MisuseError(f"{path} names no kind of picture", hint=f"let it end in {', '.join(ENDINGS)}")
    if not path.absolute().parent.is_dir():
        raise MisuseError(f"there is no folder {path.absolute().parent} for the plot", hint="make it first")
    if find_spec("matplotlib") is None:
        raise MisuseError("a plot needs matplotlib, which is not installed", hint="pip install matplotlib, or leave --plot out")


def plot(outcome: Outcome, path: Path) -> None:
    """Write the picture: for each measurement hallway beside its yardstick.

    Raises:
        MisuseError: the file cannot be written.

    """
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    picture, axes = plt.subplots(1, len(outcome.measurements), figsize=(3.4 * len(outcome.measurements), 4.2))
    for axis, measurement in zip(axes, outcome.measurements, strict=True):
        _bars(axis, measurement)
    picture.suptitle(f"{outcome.device} and {outcome.peer}\n{summary(outcome)}", fontsize=9, wrap=True)
    picture.tight_layout()
    try:
        picture.savefig(path, dpi=110)
    except OSError as error:
        raise MisuseError(f"the plot cannot be written to {path}: {error.strerror}", hint="choose another file with --plot") from error
    finally:
        plt.close(picture)


def _bars(axis: Any, measurement: Measurement) -> None:
    sides = {measurement.beside: measurement.bare, "hallway": measurement.hallway}
    heights = [next(iter(figure(samples, measurement.unit).values())) for samples in sides.values()]
    bars = axis.bar(list(sides), heights, color=COLORS)
    axis.bar_label(bars, fmt="%.2f" if measurement.unit == "ms" else "%.0f")
    axis.margins(y=0.12)
    axis.set(title=TITLES[measurement.name], ylabel=measurement.unit)
