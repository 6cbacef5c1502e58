"""How much a device asks of others, and lets them ask of it."""

from __future__ import annotations

import attrs

MAX_BODY = 32 * 1024
"""Bytes in the body of a request, as the guard made it."""

MAX_RESPONSE = 47 * 1024
"""Bytes in the body of a response: in base64 it fits one body of the control bus (64 KiB), with 1 KiB to spare for what is around it."""

MAX_NEWS = 256
"""Peers that one device tells another of, at most."""

MAX_NEWS_BYTES = 60 * 1024
"""Bytes of JSON in which it tells of them, at most: a body of the control bus, with room for what is around them."""


@attrs.frozen(kw_only=True)
class Bounds:
    """Times in seconds, rates per second."""

    relayed: int = 12
    """Requests that are carried at once for one peer, and at once to one peer; the bus takes 16, and has other users."""
    relay_rate: float = 10.0
    relay_burst: float = 64.0
    """Requests that are carried for one peer; a device that starts asks for all its peers at once."""
    handled: int = 32
    """Requests of others that this device handles at once, whoever brings them."""
    handle_rate: float = 20.0
    handle_burst: float = 128.0
    """Requests that this device takes from one relay."""
    patience: float = 10.0
    """Until a request must be answered, whatever the requester says."""
    news_interval: float = 1.0
    """Between two tellings of one peer."""
    news_retry: float = 60.0
    """Between two tries to tell a peer that does not listen, at most; it may not have this plugin."""
    news_patience: float = 5.0
    news_rate: float = 2.0
    news_burst: float = 8.0
    """Tellings of one peer that are read."""
    head_start: float = 0.5
    """Until a peer that a relay tells of is reported: on most networks there is a direct link by then, and nobody needs the relay."""
    after_loss: float = 1.5
    """The same for a peer whose link was just lost: longer than ``news_interval``, in which relays take back one that said bye to all."""
    full_pause: float = 10.0
    """Until a peer that was one too many is looked at again."""
    reported: int = 128
    """Peers that are reported at once: half of what the runtime's table takes."""
    reported_by_one: int = 64
    """Of these, those whose first relay is one and the same, so that one that lies does not crowd out what the others tell."""
    endpoints: int = 3
    """Relays that are named for one peer."""
