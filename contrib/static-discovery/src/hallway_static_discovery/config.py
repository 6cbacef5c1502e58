"""The shape of ``[plugins.static]``."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from hallway.config.options import option
from hallway.model import is_device_id
from hallway.protocol.chain import MAX_ENDPOINTS
from hallway.protocol.peer_table import CAPACITY
from hallway_static_discovery._places import endpoint
from hallway_static_discovery.errors import BadPlace

NAME = "static"
"""The plugin's name: its entry point and its config table."""


def _check_peers(peers: Mapping[str, str | tuple[str, ...]]) -> str | Mapping[str, str]:
    if len(peers) > CAPACITY:
        return f"must be at most {CAPACITY} peers"
    spellings: dict[str, str] = {}
    problems = {}
    for device_id, places in peers.items():
        first = spellings.setdefault(device_id.lower(), device_id)
        problem = f"is {first} again: case does not count" if first != device_id else _objection(device_id, places)
        if problem:
            problems[device_id] = problem
    return problems


def _objection(device_id: str, places: str | tuple[str, ...]) -> str:
    """What is wrong with one entry, or ""."""
    if not is_device_id(device_id):
        return "is no device id: letters, digits and hyphens, up to 63"
    if not 0 < len(listed(places)) <= MAX_ENDPOINTS:
        return f"must be 1 to {MAX_ENDPOINTS} places, not {len(places)}"
    try:
        for place in listed(places):
            endpoint(place)
    except BadPlace as error:
        return str(error)
    return ""


def listed(places: str | tuple[str, ...]) -> tuple[str, ...]:
    """The places of one entry, however it was written."""
    return (places,) if isinstance(places, str) else places


@attrs.frozen
class StaticConfig:
    """Options of `static`."""

    peers: Mapping[str, str | tuple[str, ...]] = option(
        help='the peers by device id, each with its place: tablet-2 = "10.0.0.7", or host:port, a URL, '
        f"or a list of up to {MAX_ENDPOINTS}, best first",
        factory=dict,
        check=_check_peers,
    )

    def endpoints(self) -> dict[str, tuple[str, ...]]:
        """The URLs of each peer."""
        return {device_id: tuple(dict.fromkeys(map(endpoint, listed(places)))) for device_id, places in self.peers.items()}
