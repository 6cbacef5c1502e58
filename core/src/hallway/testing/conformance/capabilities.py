"""What a plugin declares of itself, where the interfaces leave a choice. A test for what is not there is skipped with the field's name."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ChannelCapabilities:
    """What a channel plugin does."""

    max_message: int
    """Bytes in one message, at most, between two devices of this plugin."""
    has_binding: bool = False
    """An open channel names verified fingerprints of both ends."""
    waits_for_reader: bool = True
    """A peer that does not read makes the sender wait. Otherwise the channel ends at 16 MiB that nobody read."""
    sends_now: bool = False
    """`Channel.send_now` sends while the channel is open and idle."""
    tells_acknowledged: bool = False
    """`Channel.acknowledged_bytes` is a number."""
    tells_path: bool = False
    """`Channel.path` is there once the channel is open."""

    @property
    def ends_at_flood(self) -> bool:
        """The other choice."""
        return not self.waits_for_reader


@attrs.frozen(kw_only=True)
class SignalingCapabilities:
    """What a signaling plugin does."""

    max_body: int = 32 * 1024
    """Bytes in the body of a request, at most; more is refused."""
    presence: bool = False
    """It sees who is there: it reports peers, and their records have the endpoints for `request`. Otherwise `up` names them."""
    cancels_handler: bool = True
    """A handler is cancelled when the requester has gone or given up. Otherwise it ends by itself."""
    knows_addresses: bool = True
    """An `Origin` has the sender's network address."""
    hinderable: bool = False
    """The class says by ``hindrance`` how `start` is made to fail."""


@attrs.frozen(kw_only=True)
class DiscoveryCapabilities:
    """What a discovery plugin does."""

    endpoints: tuple[str, str] = ("http://127.0.0.1:8091", "http://127.0.0.1:8092")
    """Two endpoints that it carries unchanged."""
    advertises: bool = True
    """A device that advertises is seen by those that look. Otherwise somebody else says who is there: a list in the configuration, say."""
    goodbye: bool = True
    """A device that withdraws or closes is `Gone` at once, not only when its record expires."""
    updates: bool = True
    """Changed endpoints are reported at once, not only when the earlier record expires."""
    hinderable: bool = False
    """The class says by ``hindrance`` how `start` is made to fail."""
