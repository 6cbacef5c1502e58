"""How the demo is watched: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hallway.cli.demo_run import DeviceState, View


class QuietView:
    """Shows nothing."""

    def show(self, devices: list[DeviceState], phase: str) -> None:
        """See `View.show`."""

    def close(self) -> None:
        """See `View.close`."""


class LineView:
    """One line whenever a device has a new link or a phase begins."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._links: set[tuple[str, str]] = set()

    def show(self, devices: list[DeviceState], phase: str) -> None:
        """See `View.show`."""
        if phase != self._phase:
            self._phase = phase
            self._console.print(f"… {phase}", highlight=False)
        for device in devices:
            for peer, ms in device.links.items():
                if (device.name, peer) not in self._links:
                    self._links.add((device.name, peer))
                    self._console.print(f"  {device.name} is linked to {peer} after {ms:.0f} ms", highlight=False)

    def close(self) -> None:
        """See `View.close`."""


class LiveView:
    """A table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=12)
        self._live.start()

    def show(self, devices: list[DeviceState], phase: str) -> None:
        """See `View.show`."""
        self._live.update(_table(devices, phase))

    def close(self) -> None:
        """See `View.close`."""
        self._live.stop()


def _table(devices: list[DeviceState], phase: str) -> Table:
    table = Table(title="hallway demo: mDNS, HTTP and WebRTC on this machine", caption=phase)
    for column in ("device", "reachable at", "linked to", "sent", "received", "last"):
        table.add_column(column, justify="right" if column in ("sent", "received") else "left", no_wrap=True)
    for device in devices:
        links = f"{len(device.links)} of {len(devices) - 1}"
        table.add_row(device.name, device.listen, links, str(device.sent), str(device.received_total), device.last)
    return table


def view_for(stream: TextIO, *, quiet: bool) -> View:
    """The view that suits ``stream``."""
    if quiet:
        return QuietView()
    console = Console(file=stream)
    return LiveView(console) if console.is_terminal else LineView(console)
