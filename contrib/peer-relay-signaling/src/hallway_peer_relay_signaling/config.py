"""The shape of ``[plugins.peer-relay]``."""

from __future__ import annotations

import attrs

from hallway.config.options import option

NAME = "peer-relay"
"""The plugin's name: its entry point, its config table, and the plugin of every `Origin` that it hands in."""

SCHEME = "peer-relay"
"""The scheme of its endpoints: ``peer-relay:<relay>/<target>`` is the device ``target``, by way of the device ``relay``."""


@attrs.frozen
class PeerRelayConfig:
    """Options of `peer-relay`. Its bounds are fixed on purpose (see the README)."""

    relay: bool = option(help="whether this device carries for others; if not, it still lets others carry for it", default=True)
