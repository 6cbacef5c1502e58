"""The shape of ``[plugins.cloud-ws]``."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from hallway.config.options import option
from hallway.model import is_name

NAME = "cloud-ws"
"""The plugin's name: its entry point, its config table, and the plugin of every `Origin` that it hands in."""

SCHEME = "cloud-ws"
"""The scheme of its endpoints: ``cloud-ws:<device id>`` is that device in our room."""


def _check_url(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"ws", "wss"} and parts.hostname and parts.port != 0 and "@" not in parts.netloc and not parts.fragment
    except ValueError:
        usable = False
    return None if usable else "must be a ws:// or wss:// URL with a host"


def _check_room(value: str | None) -> str | None:
    return None if value is None or is_name(value) else "must be 1 to 128 printable characters"


@attrs.frozen
class CloudWsConfig:
    """Options of `cloud-ws`. Its bounds are fixed on purpose (see the README)."""

    url: str | None = option(
        help="the signal server, such as wss://signal.example.org; without it the plugin is skipped",
        default=None,
        check=_check_url,
        needed_to_use=True,
    )
    room: str | None = option(help="the room to meet in; absent: the property's id", default=None, check=_check_room)
