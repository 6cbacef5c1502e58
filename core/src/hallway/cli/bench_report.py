"""What a benchmark has found, for programs and for people."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from hallway.cli.bench_client import Measurement, Outcome
from hallway.cli.bench_cpu import Cpu
from hallway.cli.bench_measure import Sample

BUSY = 0.8
"""From this share of a core on, used or waited for, a device has no more to give: the rest is what the system takes."""
BUSY_TOGETHER = 0.6
"""The same for the two devices of a round trip, of which one waits while the other works."""
WAITED = 0.1
"""From this share on it is told that a device waited for a core."""
DISK_SHARE = 0.5
"""From this share on of what the disks take by themselves, they are what holds up stored messages, unless the CPU holds up them too."""
TITLES = {
    "round-trip": "round trip",
    "small": "small messages",
    "large": "large messages",
    "durable": "durable messages",
}


@attrs.frozen
class Limit:
    """What holds a measurement up: ``network``, ``cpu`` or ``disk``; ``device`` says whose CPU."""

    what: str
    device: str | None = None

    @property
    def short(self) -> str:
        """In a column of the table."""
        return f"CPU of {self.device}" if self.what == "cpu" else self.what


def figure(samples: Sequence[Sample], unit: str) -> dict[str, float]:
    """The figures of one side: median and 95th percentile of all round trips; else the median of the rounds."""
    values = [value for sample in samples for value in sample.values]
    if unit != "ms":
        return {"perSecond": statistics.median(values)}
    p95 = statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"medianMs": statistics.median(values), "p95Ms": p95}


def ratio(measurement: Measurement) -> float:
    """Hallway's median by the yardstick's."""
    ours, bare = (next(iter(figure(each, measurement.unit).values())) for each in (measurement.hallway, measurement.bare))
    return ours / bare if bare else 0.0


def limit(measurement: Measurement, device: str, peer: str) -> Limit:
    """What holds hallway up there, by how busy the devices were and what the yardstick reached."""
    here, there = _cpu(measurement.hallway)
    busiest, whose = (here, device) if here.wanted >= there.wanted else (there, peer)
    is_busy = here.wanted + there.wanted >= BUSY_TOGETHER if measurement.unit == "ms" else busiest.wanted >= BUSY
    if measurement.beside == "disk" and ratio(measurement) >= DISK_SHARE and max(each.wanted for each in _cpu(measurement.bare)) < BUSY:
        return Limit("disk")
    return Limit("cpu", whose) if is_busy else Limit("network")


def _cpu(samples: Sequence[Sample]) -> tuple[Cpu, Cpu]:
    """Of this device and of its peer, the medians of all rounds."""
    ends = ([each.busy.here for each in samples], [each.busy.there for each in samples])
    here, there = (Cpu(statistics.median(each.used for each in end), statistics.median(each.waited for each in end)) for end in ends)
    return here, there


def as_json(outcome: Outcome) -> dict[str, Any]:
    """One JSON object."""
    return {
        "device": outcome.device,
        "peer": outcome.peer,
        "hallway": dict(zip((outcome.device, outcome.peer), outcome.versions, strict=True)),
        "link": {**outcome.link, "ms": outcome.connect_ms},
        "rounds": outcome.rounds,
        "seconds": outcome.seconds,
        "measurements": [_measurement(each, outcome) for each in outcome.measurements],
        "summary": summary(outcome),
    }


def _measurement(measurement: Measurement, outcome: Outcome) -> dict[str, Any]:
    found = limit(measurement, outcome.device, outcome.peer)
    return {
        "name": measurement.name,
        "unit": measurement.unit,
        "bytes": measurement.size or None,
        "hallway": {**figure(measurement.hallway, measurement.unit), "cpu": _cpu_json(measurement.hallway, outcome)},
        "beside": measurement.beside,
        "bare": {**figure(measurement.bare, measurement.unit), "cpu": _cpu_json(measurement.bare, outcome)},
        "ratio": ratio(measurement),
        "limit": found.what,
        "limitDevice": found.device,
    }


def _cpu_json(samples: Sequence[Sample], outcome: Outcome) -> dict[str, dict[str, float]]:
    return dict(zip((outcome.device, outcome.peer), map(attrs.asdict, _cpu(samples)), strict=True))


def summary(outcome: Outcome) -> str:
    """One sentence: what holds up what."""
    limits = [limit(each, outcome.device, outcome.peer) for each in outcome.measurements]
    parts: dict[str, list[str]] = {}
    for each, found in zip(outcome.measurements, limits, strict=True):
        parts.setdefault(f"the {found.short}", []).append(TITLES[each.name])
    if len(parts) == 1:
        return f"Everything here is limited by {next(iter(parts))}."
    return f"Limits here: {'; '.join(f'{_listed(names)} by {what}' for what, names in parts.items())}."


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def table(outcome: Outcome) -> str:
    """The table for people, with the sentence below it."""
    path = outcome.link.get("path")
    between = f", {path['local']} to {path['remote']}" if path else ""
    head = f"{outcome.device} and {outcome.peer} over {outcome.link['channel']}, signaled by {outcome.link['signaling']}{between}"
    rows = [("", "hallway", "alone", "ratio", "limited by"), *(row for each in outcome.measurements for row in _rows(each, outcome))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([head, "", *lines, "", *_notes(outcome), summary(outcome)])


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    first, *middle, last = (
        cell.ljust(width) if at in {0, len(row) - 1} else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *middle, last]).rstrip()


def _rows(measurement: Measurement, outcome: Outcome) -> Iterator[tuple[str, ...]]:
    ours, bare = (figure(each, measurement.unit) for each in (measurement.hallway, measurement.bare))
    found = limit(measurement, outcome.device, outcome.peer)
    for key, value in ours.items():
        yield (
            _title(measurement, key),
            _amount(value, measurement.unit),
            f"{_amount(bare[key], measurement.unit)} ({measurement.beside})",
            f"{value / bare[key]:.2f}" if bare[key] else "-",
            found.short,
        )


def _title(measurement: Measurement, key: str) -> str:
    if measurement.unit == "ms":
        return "round trip, " + ("median" if key == "medianMs" else "95 % within")
    size = f"{measurement.size} bytes" if measurement.size < 1024 else f"{measurement.size / 1024:g} KiB"
    return f"{'durable ' if measurement.name == 'durable' else ''}messages of {size}"


def _amount(value: float, unit: str) -> str:
    return f"{value:.2f} ms" if unit == "ms" else f"{value:,.0f}/s"


def _notes(outcome: Outcome) -> Iterator[str]:
    yield f"Alone: what a bare channel, or the slower of the two disks, reaches without hallway, in the same run ({outcome.rounds} rounds)."
    if outcome.measurements[-1].beside != "disk":
        yield "Neither device has a store ([delivery].store, or --store): durable messages were kept in memory."
    ends = zip(*(_cpu(each.hallway) for each in outcome.measurements), strict=True)
    for name, cpus in zip((outcome.device, outcome.peer), ends, strict=True):
        used, waited = max(cpu.used for cpu in cpus), max(cpu.waited for cpu in cpus)
        others = f"; other programs made it wait for one, up to {waited:.0%} of the time" if waited >= WAITED else ""
        yield f"{name} used up to {used:.0%} of a core{others}."
