"""What a signaling chain does when a path is down."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hallway.model import Mode
from hallway.protocol.chain import ChainEntry

OUTAGES: dict[str, frozenset[Mode]] = {
    "nothing": frozenset(),
    "the WAN": frozenset({Mode.CLOUD}),
    "the LAN path": frozenset({Mode.LOCAL}),
    "both": frozenset({Mode.LOCAL, Mode.CLOUD}),
}
"""What can be down, and the modes that are gone with it. A channel that is open needs none of them."""


@attrs.frozen
class Forecast:
    """With ``down`` away: the signaling mode, and the plugins that are left, in order."""

    down: str
    mode: Mode
    order: tuple[str, ...]


def forecasts(chain: Sequence[ChainEntry]) -> list[Forecast]:
    """One forecast for each of `OUTAGES`."""
    return [_forecast(down, [entry for entry in chain if entry.mode not in gone]) for down, gone in OUTAGES.items()]


def _forecast(down: str, left: Sequence[ChainEntry]) -> Forecast:
    return Forecast(down, left[0].mode if left else Mode.NONE, tuple(entry.plugin for entry in left))
