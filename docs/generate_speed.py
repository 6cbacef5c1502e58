"""Writes the page speed.md, and the table of numbers in the README, from the measured run in reference/speed.json. Called by generate.py.

``make bench-docs`` renews that file and the picture beside it from the results of the last ``make bench``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "reference"
SOURCE = HERE / "speed.json"
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- numbers: made by docs/generate.py from docs/reference/speed.json -->\n", "<!-- end of the numbers -->\n"

PAGE = """\
# Speed

<!-- Made by docs/generate_speed.py from speed.json: run `make bench`, then `make bench-docs`. -->

How fast hallway is beside the bare libraries, each number of both from the same run, between two hosts in network namespaces of one
machine{where}. The ratios matter; the absolute values are optimistic, since no real Wi-Fi is involved:
[measure your own network](../how-to/measure-your-network.md).

![Messages per second, round trips and queued messages: hallway beside the bare libraries](speed.png)

{table}
"Connect" is, for aiortc, from making the peer connection to the open channel, signaled by one POST; for hallway, from the first sight of
the peer to the open link: [Why offline works](../explanation/why-offline-works.md) says where the difference comes from. "Bare" of stored
messages are two processes that only commit the rows. A burst counts until its last message is at the peer. A ratio below 1 is better for
times, above 1 for messages per second.

## As the work grows

{growth}## Measure it again

`make bench` wants a machine that does nothing else. It needs root, `ip`, `tc` and `nft`, and writes `bench/results.json` and its pictures.
`make bench-docs` takes what this page shows from there into [speed.json](speed.json) and `speed.png`, and renews this page and the README.
"""
LARGE = 1024


def figure(value: float) -> str:
    """Three digits that count, with commas."""
    digits = 3 - len(str(int(abs(value))))
    return f"{round(value, digits):,.0f}" if digits <= 0 else f"{value:.{min(digits, 1 if value >= 1 else 2)}f}"


def time(milliseconds: float) -> str:
    """Milliseconds, or seconds from 1,000 of them on."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.2f} ms" if milliseconds < 1 else f"{milliseconds:.0f} ms"


def times(ratio: float) -> str:
    """Two digits that count."""
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}" if ratio >= 0.01 else f"{ratio:.3f}"


def rate(per_second: float) -> str:
    """So many per second."""
    return f"{figure(per_second)}/s"


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count} bytes" if count < LARGE else f"{count // LARGE} KiB"


def rows(numbers: Mapping[str, Any]) -> Iterator[str]:
    """The table of pairs: everything that has a bare side, and a device at rest."""
    yield "| | bare | hallway | ratio |\n|---|---|---|---|\n"
    yield from _connects(numbers["connect"])
    yield from _messages(numbers["speed"])
    rest = numbers["idle"]
    yield f"| linked device at rest | | {rest['cpu_percent']:.1f} % CPU, {rest['memory_mb']:.0f} MB | |\n"


def _connects(connect: Mapping[str, Any]) -> Iterator[str]:
    for name, bare, ours in (
        ("connect, offline", "bare", "hallway"),
        ("connect with a STUN server configured, WAN black-holed", "bare_with_stun", "hallway_with_stun"),
    ):
        yield _row(name, connect[bare]["median_ms"], connect[ours]["median_ms"], time)


def _messages(speed: Mapping[str, Any]) -> Iterator[str]:
    for channel, found in speed["flow"].items():
        bare, ours = found["bare"]["sizes"], found["hallway"]["sizes"]
        for count in bare:
            name = f"messages of {size(int(count))} over {channel}, `durable=False`"
            yield _row(name, bare[count]["per_second"], ours[count]["per_second"], rate)
    yield _row("messages of 200 bytes, stored and acknowledged", speed["durable"]["bare"], speed["durable"]["hallway"], rate)
    for channel, found in speed["flow"].items():
        yield _row(f"round trip of a lone message over {channel}", found["bare"]["ping_ms"], found["hallway"]["ping_ms"], time)


def _row(name: str, bare: float, ours: float, written: Callable[[float], str]) -> str:
    return f"| {name} | {written(bare)} | {written(ours)} | {times(ours / bare)} |\n"


def growth(numbers: Mapping[str, Any]) -> Iterator[str]:
    """What a message costs, with more peers and more messages that wait."""
    cast, grown = numbers["speed"]["broadcast"], numbers["speed"]["growth"]
    one, each_of_many = f"{cast['single']:.1f} µs of CPU to one peer", f"{cast['broadcast']:.1f} µs for each of {cast['peers']}"
    yield f"A message costs its sender {one}, and {each_of_many} by a broadcast.\n\n"
    yield "| peers | broadcast, for each | memory of the sender |\n|---|---|---|\n"
    for each in grown["peers"]:
        yield f"| {each['peers']} | {each['broadcast']:.1f} µs | {each['memory_mb']:.0f} MB |\n"
    yield "\n| messages that wait | to queue one | to deliver one | more memory |\n|---|---|---|---|\n"
    for each in grown["queued"]:
        yield f"| {each['count']:,} | {each['queue_us']:.0f} µs | {each['drain_us']:.0f} µs | {each['drained_mb']:.0f} MB |\n"
    yield "\n"


def where(machine: Mapping[str, Any]) -> str:
    """Where and when that was, as far as it is known."""
    facts = [
        f"with {machine['cores']} cores" if "cores" in machine else "",
        f"Python {machine['python']}" if "python" in machine else "",
        machine.get("day", ""),
    ]
    told = ", ".join(fact for fact in facts if fact)
    return f" ({told})" if told else ""


def pages() -> dict[Path, str]:
    """The page, and the README with its table renewed."""
    numbers = json.loads(SOURCE.read_text())
    table = "".join(rows(numbers))
    before, begin, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has lost the lines between which its numbers stand: {BEGIN}{END}")
    page = PAGE.format(where=where(numbers["machine"]), table=table, growth="".join(growth(numbers)))
    return {HERE / "speed.md": page, README: f"{before}{BEGIN}\n{table}\n{END}{after}"}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
