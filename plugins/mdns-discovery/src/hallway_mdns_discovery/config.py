"""The shape of ``[plugins.mdns]``."""

from __future__ import annotations

import attrs

from hallway.config.options import between, option


@attrs.frozen
class MdnsConfig:
    """What an operator may set. The service type, the names and the TXT keys are the wire's."""

    ttl: int = option(
        default=120,
        check=between(10, 4500),
        help="Seconds for which other devices remember this one after its last sign of life.",
    )
