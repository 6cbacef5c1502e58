"""The shape of ``[plugins.http-local]``."""

from __future__ import annotations

import attrs

from hallway.config.options import between, option

NAME = "http-local"
"""The plugin's name: its entry point, its config table, and the plugin of every `Origin` that it hands in."""

DEFAULT_PORT = 8090

PORTS_TRIED = 10
"""A taken port is passed over: the configured one and the nine after it are tried (8090 to 8099)."""


@attrs.frozen
class HttpLocalConfig:
    """Options of `http-local`. Its bounds are fixed on purpose (see the README): a site that needs other ones needs another carrier."""

    port: int = option(
        help="TCP port to listen on; the next nine are tried if it is taken, and 0 means any free one",
        default=DEFAULT_PORT,
        check=between(0, 65535),
    )
