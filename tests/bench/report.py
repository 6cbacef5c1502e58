"""The results in words and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

BARE, OURS = "#999", "#2a7"

LAYERS = {
    "bytes": "channel, bytes made ahead",
    "plugin": "the same through the plugin layer",
    "frames": "channel, messages put in frames",
    "peer": "Peer.send_to_peer",
}
"""The ways of `layer.py`, each with more of hallway around the channel than the one before."""


def lines(results: dict[str, Any]) -> Iterator[str]:
    yield from _local(results)
    yield from _cloud(results)
    yield from _layers(results["layers"])


def _local(results: dict[str, Any]) -> Iterator[str]:
    connect, rest = results["connect"], results["idle"]
    yield f"{'':26}{'bare':>14}{'hallway':>14}{'ratio':>9}"
    for name, pair in (("connect offline", ("bare", "hallway")), ("  with a STUN server", ("bare_with_stun", "hallway_with_stun"))):
        bare, ours = (connect[each]["median_ms"] for each in pair)
        yield f"{name:26}{bare:>11.1f} ms{ours:>11.1f} ms{ours / bare:>9.3f}"
    yield f"idle linked device: {rest['cpu_percent']:.2f} % CPU, {rest['memory_mb']:.0f} MB"


def _cloud(results: dict[str, Any]) -> Iterator[str]:
    relay, stun, outage = results["relay"], results["stun"], results["outage"]
    for key, name, unit in (
        ("per_second", "relayed", "/s"),
        ("cpu_us", "  CPU of the server", "us"),
        ("bytes_per_connection", "  memory per connection", "B "),
    ):
        yield f"{name:26}{relay['bare'][key]:>11.0f} {unit}{relay['hallway'][key]:>11.0f} {unit}{relay['ratio_hallway_to_bare'][key]:>9.2f}"
    yield "(bare: websockets, one JSON read, the text passed on as it came; no rooms, bounds, checks or presence)"
    without, dead = stun["without"]["median_ms"], stun["with_dead_stun"]["median_ms"]
    yield f"cloud-signaled link: {without:.0f} ms; with a STUN server that never answers: {dead:.0f} ms, {stun['delay_ms']:.0f} ms more"
    states = ", ".join(f"{name.replace('_', ' ')} {outage[name]:.2f} %" for name in ("connected", "server_dead", "wan_black_holed"))
    yield f"CPU of a linked device beside its signal server: {states}"


def _layers(layers: dict[str, Any]) -> Iterator[str]:
    yield "CPU per message, both ends together (us), and in brackets the ratio to the line above; messages of"
    sizes = list(layers["bursts"])
    yield f"{'':36}" + "".join(f"{size + ' bytes':>20}" for size in sizes) + f"{'round trip':>14}"
    above: dict[str, float] = {}
    for way, name in LAYERS.items():
        costs = {size: layers["bursts"][size][way]["cpu_us"] for size in sizes}
        ratios = {size: f" ({cost / above[size]:.2f})" if above else "" for size, cost in costs.items()}
        yield f"{name:36}" + "".join(f"{costs[size]:>12.1f}{ratios[size]:>8}" for size in sizes) + f"{layers['ping_ms'][way]:>11.2f} ms"
        above = costs
    yield "(all four send the same frames: as many bytes in each, and as many messages where they are read. The plugin layer only hands the"
    yield "channel out, so no message passes it; what Peer adds to frames is the link: per-message send, queue, heartbeat, events)"


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, ((connect, stun), (relay, layers)) = plt.subplots(2, 2, figsize=(11, 8))
    names = ["bare", "hallway", "hallway_with_stun", "bare_with_stun"]
    times = {name.replace("_", "\n"): results["connect"][name]["median_ms"] for name in names}
    _bars(connect, "connect, offline (ms, log)", times, [BARE, OURS, OURS, BARE])
    connect.set_yscale("log")
    delays = {"no server": "without", "dead STUN server": "with_dead_stun"}
    _bars(stun, "connect, signaled by the cloud (ms)", {name: results["stun"][key]["median_ms"] for name, key in delays.items()}, [OURS])
    _bars(relay, "relayed messages per second", {name: results["relay"][name]["per_second"] for name in names[:2]}, [BARE, OURS])
    small = next(iter(results["layers"]["bursts"].values()))
    _bars(layers, "CPU per small message (us)", {name: small[name]["cpu_us"] for name in LAYERS}, [BARE, BARE, BARE, OURS], "%.1f")
    idle = results["idle"]
    figure.suptitle(
        f"hallway beside bare aiortc and websockets; idle linked device: {idle['cpu_percent']:.2f} % CPU, {idle['memory_mb']:.0f} MB"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _bars(axis: Any, title: str, values: dict[str, float], colors: list[str], label: str = "%.0f") -> None:
    bars = axis.bar(list(values), list(values.values()), color=colors)
    axis.bar_label(bars, fmt=label)
    axis.set(title=title)
