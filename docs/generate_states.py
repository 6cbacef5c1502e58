"""The page on the states of a link and of an attempt, with diagrams of their tables. Called by generate.py."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from hallway.protocol import attempt, states

HERE = Path(__file__).parent / "explanation"

PAGE = """\
# The states of a link

<!-- Made by docs/generate_states.py from the code: change the code, then run docs/generate.py. -->

The link to one peer goes from state to state by one table, and each attempt to reach the peer takes its steps by another. What a table
does not have cannot happen: an input that does not fit changes nothing, and a transition that is missing is a mistake in hallway, no state.
The tables are in [protocol/states.py](../../core/src/hallway/protocol/states.py) and
[protocol/attempt.py](../../core/src/hallway/protocol/attempt.py); what leads from one state to the next is told in
[How a link is made](how-a-link-is-made.md). The command `status` of `hallway up --json` shows the state of each link.

## The link

{link}
## An attempt

At most three attempts exist at once: our offer, the peer's, and the one whose channel is the link's. `dialing` means that one is under way
and none is open; while the link is open, an attempt that fails leaves it as it is.

{attempt}"""


def meanings(kind: type[Enum]) -> dict[str, str]:
    """What the source says below each member."""
    found = re.findall(r'^    \w+ = "([^"]+)"\n(?:    """(.*?)""")?', inspect.getsource(kind), re.MULTILINE | re.DOTALL)
    return {value: " ".join(text.replace("``", "`").split()) for value, text in found}


def label(value: str) -> str:
    """A state's name for Mermaid, which takes no spaces there."""
    return value.replace(" ", "_").replace("-", "_")


def diagram(table: Mapping[tuple[Enum, Enum], Enum], first: Iterator[Enum], last: Enum) -> Iterator[str]:
    """The table as a Mermaid state diagram; transitions that lead from one state to the same other are one arrow."""
    yield "```mermaid\nstateDiagram-v2\n"
    for state in first:
        yield f"    [*] --> {label(state.value)}\n"
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, transition), following in table.items():
        if state is not last:
            arrows.setdefault((label(state.value), label(following.value)), []).append(transition.value)
    for (state_name, following_name), transitions in arrows.items():
        yield f"    {state_name} --> {following_name}: {', '.join(transitions)}\n"
    yield f"    {label(last.value)} --> [*]\n```\n\n"


def told(title: str, kind: type[Enum]) -> Iterator[str]:
    """A table of the members of ``kind`` that the source explains."""
    yield f"| {title} | meaning |\n|---|---|\n"
    for value, meaning in meanings(kind).items():
        yield f"| `{value}` | {meaning} |\n"
    yield "\n"


def states_page() -> str:
    """The page link-states.md."""
    link = [
        *diagram(states.TABLE, iter([states.State.IDLE]), states.State.CLOSED),
        *told("state", states.State),
        "".join(told("transition", states.Transition)).rstrip("\n"),
        "\n",
    ]
    steps = [
        *diagram(attempt.TRANSITIONS, iter([attempt.Phase.HELD, attempt.Phase.SIGNALING]), attempt.Phase.ENDED),
        *told("phase", attempt.Phase),
        *told("step", attempt.Step),
    ]
    return PAGE.format(link="".join(link), attempt="".join(steps)).rstrip("\n") + "\n"


def pages() -> dict[Path, str]:
    """Every page of this module."""
    return {HERE / "link-states.md": states_page()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
