"""How the demo is watched: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hallway.cli.demo_run import View
from hallway.cli.demo_state import DeviceState, Link


class QuietView:
    """Shows nothing."""

    def begin(self, act: str) -> None:
        """See `View.begin`."""

    def show(self, devices: Sequence[DeviceState], phase: str) -> None:
        """See `View.show`."""

    def close(self) -> None:
        """See `View.close`."""


class LineView:
    """One line whenever an act or a phase begins, or a device has a new link."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._links: dict[tuple[str, str], Link] = {}

    def begin(self, act: str) -> None:
        """See `View.begin`."""
        self._phase = ""
        self._console.print(act, highlight=False, soft_wrap=True)

    def show(self, devices: Sequence[DeviceState], phase: str) -> None:
        """See `View.show`."""
        if phase != self._phase:
            self._phase = phase
            self._console.print(f"… {phase}", highlight=False)
        links = {(device.name, peer): link for device in devices for peer, link in device.links.items()}
        for (name, peer), link in links.items():
            if self._links.get((name, peer)) is not link:
                self._console.print(f"  {name} is linked to {peer} by {link.signaling} after {link.ms:.0f} ms", highlight=False)
        self._links = links

    def close(self) -> None:
        """See `View.close`."""


class LiveView:
    """A table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=12)
        self._live.start()
        self._act = ""

    def begin(self, act: str) -> None:
        """See `View.begin`."""
        self._act = act

    def show(self, devices: Sequence[DeviceState], phase: str) -> None:
        """See `View.show`."""
        self._live.update(_table(devices, self._act, phase))

    def close(self) -> None:
        """See `View.close`."""
        self._live.stop()


def _table(devices: Sequence[DeviceState], act: str, phase: str) -> Table:
    table = Table(title=act, caption=phase, expand=True)
    table.add_column("device", no_wrap=True, min_width=max(len(device.name) for device in devices))
    table.add_column("reachable at", no_wrap=True, min_width=max(len(device.listen) for device in devices))
    table.add_column("links", no_wrap=True, min_width=12)
    table.add_column("received", no_wrap=True, min_width=8, justify="right")
    table.add_column("last", no_wrap=True, min_width=8, ratio=1)
    for device in devices:
        links = Counter(link.signaling for link in device.links.values())
        signaled = "\n".join(f"{count} {name}" for name, count in sorted(links.items()))
        table.add_row(device.name, device.listen, signaled, str(device.received_total), device.last)
    return table


def view_for(stream: TextIO, *, quiet: bool) -> View:
    """The view that suits ``stream``."""
    if quiet:
        return QuietView()
    console = Console(file=stream)
    return LiveView(console) if console.is_terminal else LineView(console)
