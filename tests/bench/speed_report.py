"""The speed of messages in words and a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

BARE, OURS = "#999", "#2a7"


def lines(results: dict[str, Any]) -> Iterator[str]:
    yield f"{'messages':38}{'bare':>14}{'hallway':>14}{'ratio':>9}"
    for name, unit, bare, ours in _pairs(results):
        yield f"{name:38}{bare:>11.{2 if bare < 100 else 0}f} {unit}{ours:>11.{2 if ours < 100 else 0}f} {unit}{ours / bare:>9.2f}"
    cast = results["broadcast"]
    costs = f"to one peer {cast['single']:.1f} us, by a broadcast to {cast['peers']} {cast['broadcast']:.1f} us"
    yield f"CPU of the sender for each message: {costs}"
    yield f"{'peers':>12}{'us/message':>14}{'memory, MB':>14}"
    for each in results["growth"]["peers"]:
        yield f"{each['peers']:>12}{each['broadcast']:>14.1f}{each['memory_mb']:>14.0f}"
    yield f"{'queued':>12}{'us to queue':>14}{'us to deliver':>14}{'more memory, MB':>18}"
    for each in results["growth"]["queued"]:
        yield f"{each['count']:>12}{each['queue_us']:>14.1f}{each['drain_us']:>14.1f}{each['drained_mb']:>18.1f}"


def _pairs(results: dict[str, Any]) -> Iterator[tuple[str, str, float, float]]:
    for channel, found in results["flow"].items():
        bare, ours = found["bare"], found["hallway"]
        yield f"{channel}: round trip", "ms", bare["ping_ms"], ours["ping_ms"]
        for size in bare["sizes"]:
            yield f"{channel}: {size} bytes", "/s", bare["sizes"][size]["per_second"], ours["sizes"][size]["per_second"]
    durable = results["durable"]
    yield "durable, 200 bytes (bare: only commits)", "/s", durable["bare"], durable["hallway"]


def plot(results: dict[str, Any], path: Path, source: str = "") -> None:
    """Draw it; ``source`` says in the file what it was drawn from."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, (speed, trips, growth) = plt.subplots(1, 3, figsize=(15, 5))
    pairs = list(_pairs(results))
    _beside(speed, "messages per second (log)", [pair for pair in pairs if pair[1] == "/s"], "{:,.0f}")
    speed.set_yscale("log")
    _beside(trips, "round trip of a lone message (ms)", [pair for pair in pairs if pair[1] == "ms"], "{:.2f}")
    queued = results["growth"]["queued"]
    for key, name in (("queue_us", "to queue"), ("drain_us", "to deliver")):
        growth.plot([each["count"] for each in queued], [each[key] for each in queued], marker="o", label=name)
    growth.set(title="time for each queued message (us)", xscale="log", xlabel="messages that wait", ylim=(0, None))
    growth.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Source": source})


def _beside(axis: Any, title: str, pairs: list[tuple[str, str, float, float]], label: str) -> None:
    places = range(len(pairs))
    for shift, color, name, values in (
        (-0.2, BARE, "bare", [pair[2] for pair in pairs]),
        (0.2, OURS, "hallway", [pair[3] for pair in pairs]),
    ):
        bars = axis.bar([place + shift for place in places], values, 0.4, color=color, label=name)
        axis.bar_label(bars, fmt=label, fontsize=7)
    names = [pair[0].split(" (")[0].replace(": ", "\n").replace(", ", "\n") for pair in pairs]
    axis.set_xticks(list(places), names, fontsize=8)
    axis.set(title=title)
    axis.legend()
