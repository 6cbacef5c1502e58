"""How the demo went, for people and for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs

from hallway.cli.demo_state import DeviceState

INTERRUPTED = "interrupted"
"""What `Summary.problem` says then."""
FAILED = "The demo FAILED; try --log-level info."


@attrs.define
class ActReport:
    """How one act went."""

    title: str
    expected: int = 0
    """Messages that should have arrived, once it is known who speaks."""
    arrived: int = 0
    links: Counter[str] = attrs.field(factory=Counter)
    """Links at its end, by the plugin that signaled them."""
    disturbed: tuple[str, ...] = ()
    """Links that changed though the act did not touch them."""
    is_over: bool = False

    @property
    def complete(self) -> bool:
        """Whether every expected message arrived once, and no link changed that should not."""
        return self.is_over and self.arrived == self.expected and not self.disturbed

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        facts = {"links": self.links.total(), "signaling": dict(self.links), "expected": self.expected, "arrived": self.arrived}
        return {"title": self.title, "ok": self.complete, **facts, "disturbed": list(self.disturbed)}

    def text(self) -> str:
        """For people."""
        signaled = ", ".join(f"{count} by {name}" for name, count in sorted(self.links.items())) or "none"
        disturbed = f"; CHANGED: {', '.join(self.disturbed)}" if self.disturbed else ""
        return f"{self.title}\n   links: {signaled}; {self.arrived} of {self.expected} messages arrived{disturbed}"


@attrs.frozen
class Summary:
    """How the demo went."""

    devices: tuple[DeviceState, ...]
    acts: tuple[ActReport, ...]
    planned: int
    """Acts that there should have been."""
    seconds: float
    server_status: int | None = None
    problem: str = ""
    advice: str = ""
    notice: str = ""

    @property
    def complete(self) -> bool:
        """Whether every expected message arrived in every act, and every process ended well."""
        played = len(self.acts) == self.planned and all(act.complete for act in self.acts)
        return played and not self.problem and not self._bad_ends()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "event": "summary",
            "ok": self.complete,
            "devices": len(self.devices),
            "acts": [act.as_json() for act in self.acts],
            "expected": sum(act.expected for act in self.acts),
            "arrived": sum(act.arrived for act in self.acts),
            "slowestLinkMs": self._slowest(),
            "seconds": round(self.seconds, 2),
            "problem": self.problem,
            "notice": self.notice,
        }

    def text(self) -> str:
        """For people."""
        facts, slowest = self.as_json(), self._slowest()
        lines = [f"{number}. {act.text()}" for number, act in enumerate(self.acts, 1)]
        lines.append(f"{facts['arrived']} of {facts['expected']} messages arrived; {self.seconds:.1f} s in all, and no internet was used.")
        if slowest is not None:
            lines.append(f"The slowest link was open {slowest:.0f} ms after it was found.")
        if self.notice:
            lines.append(self.notice)
        return "\n".join([*lines, *self._ending()])

    def _ending(self) -> list[str]:
        if self.problem == INTERRUPTED:
            return ["Interrupted."]
        problem = [f"Problem: {self.problem}"] if self.problem else []
        return [*problem, *self._bad_ends(), "Every expected message arrived." if self.complete else self.advice or FAILED]

    def _bad_ends(self) -> list[str]:
        ends = [(device.name, status) for device in self.devices for status in device.statuses]
        if self.server_status is not None:
            ends.append(("the signal server", self.server_status))
        return [f"{name} ended with status {status}" for name, status in ends if status != 0]

    def _slowest(self) -> float | None:
        return max((device.slowest for device in self.devices if device.slowest is not None), default=None)
