"""The values that cross every boundary: frozen, checked when made, free of I/O."""

from __future__ import annotations

import re
from enum import Enum
from typing import Literal, Self
from urllib.parse import urlsplit

import attrs

DEVICE_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""A DNS label (RFC 1035 section 2.3.1), compared without case: it names the mDNS instance and host."""

MAX_NAME = 128
"""Characters in a property id or a device type."""


def is_device_id(text: object) -> bool:
    """Whether ``text`` can name a device."""
    return isinstance(text, str) and DEVICE_ID.fullmatch(text) is not None


def is_name(text: object) -> bool:
    """Whether ``text`` can be a property id or a device type: 1 to 128 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME and text.isprintable()


def is_endpoint(url: object) -> bool:
    """Whether ``url`` is a text whose host and port can be read: what peers and files say may be anything."""
    try:
        return isinstance(url, str) and urlsplit(url).port != 0
    except ValueError:
        return False


def same_device(one: str, other: str) -> bool:
    """Whether two device ids name one device: case does not count."""
    return one.lower() == other.lower()


class Mode(Enum):
    """What a signaling plugin gives while it is up (``Peer.signaling_mode``)."""

    LOCAL = "local"
    CLOUD = "cloud"
    NONE = "none"


class IcePolicy(Enum):
    """Which candidates an attempt may use (RFC 8445 section 5.1.1)."""

    LAN = "lan"
    """Host candidates of allowed interfaces only; no STUN, no TURN, nothing to a public address."""
    WAN = "wan"
    """The configured ICE servers as well; gathering is capped at 1 s."""


@attrs.frozen
class DeviceInfo:
    """This device's public facts. ``epoch`` is new at every start: a peer whose epoch changed has restarted."""

    device_id: str
    property_id: str
    device_type: str = "device"
    epoch: str = ""


@attrs.frozen
class PeerRecord:
    """Where a device of our property can be reached, as one plugin sees it.

    ``endpoints`` are URLs, best first; a signaling plugin picks those of its own schemes (``http://10.0.0.7:8090``).
    ``epoch`` is None for a device that does not speak hallway.
    """

    device_id: str
    property_id: str
    device_type: str = "device"
    endpoints: tuple[str, ...] = ()
    epoch: str | None = None

    @property
    def id(self) -> str:
        """The device id, under the seed's name."""
        return self.device_id

    @property
    def ip(self) -> str | None:
        """The host of the first endpoint, or None."""
        return urlsplit(self.endpoints[0]).hostname if self.endpoints else None

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts of all endpoints; those of a scheme that names no network host have none."""
        return frozenset(host for url in self.endpoints if (host := urlsplit(url).hostname) is not None)

    @property
    def port(self) -> int | None:
        """The port of the first endpoint, or None."""
        return urlsplit(self.endpoints[0]).port if self.endpoints else None


@attrs.frozen
class Seen:
    """A peer was found, or what is known of it changed: ``record`` replaces the earlier one of the same source."""

    record: PeerRecord


@attrs.frozen
class Gone:
    """A source does not see the peer any more (goodbye, expiry)."""

    device_id: str


Sighting = Seen | Gone


@attrs.frozen
class Candidate:
    """One trickled ICE candidate (RTCIceCandidateInit, W3C WebRTC section 4.8.1.1).

    ``candidate`` is the attribute's text (``candidate:1 1 udp …``); "" is end-of-candidates.
    """

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


@attrs.frozen
class Description:
    """An offer or an answer (JSEP, RFC 8829 section 3). ``kind`` says for which channels: ``webrtc``, ``memory``, …

    ``candidates`` are those that came beside ``sdp`` and are not in it.
    """

    kind: str
    type: Literal["offer", "answer"]
    sdp: str
    candidates: tuple[Candidate, ...] = ()


@attrs.frozen
class Binding:
    """The fingerprints of both ends as the channel itself verified them (``sha-256 AB:CD:…``)."""

    local: str
    remote: str


@attrs.frozen
class Path:
    """The two ends of an open channel's way through the network (the selected pair, RFC 8445 section 8.1.1): addresses without ports.

    ``distant``: it goes over more than the LAN: a relay, an address that a server saw, or one that is not of this site.
    """

    local: str
    remote: str
    distant: bool = False


@attrs.frozen
class Envelope:
    """What a signaling plugin carries: bytes that only the guard reads.

    ``kind`` is ``offer``, ``answer``, ``candidate`` or, in a response without content, ``accepted``.
    """

    kind: str
    content_type: str
    body: bytes

    @classmethod
    def accepted(cls) -> Self:
        """A response that says: taken, nothing to add."""
        return cls("accepted", "application/json", b"{}")


@attrs.frozen
class Origin:
    """Where an envelope came in: the signaling plugin's name and the sender's network address, if it has one."""

    plugin: str
    address: str | None = None


class RefusalCode(Enum):
    """Why a request is refused. Each carrier maps these to its own codes in one place."""

    BAD_REQUEST = "bad-request"
    BAD_DESCRIPTION = "bad-description"
    WRONG_PROPERTY = "wrong-property"
    WRONG_DEVICE = "wrong-device"
    UNAUTHENTICATED = "unauthenticated"
    """It does not come from a member of the property."""
    FORBIDDEN = "forbidden"
    REPLAY = "replay"
    """These very bytes have come before, whoever sends them now."""
    NOT_FOUND = "not-found"
    GLARE = "glare"
    OCCUPIED = "occupied"
    CHALLENGE = "challenge"
    """The two clocks differ: the body of the refusal is for the guard, which can then ask again."""
    STALE_ROSTER = "stale-roster"
    """The requester lacks the newest roster, or a credential that has not ended: the body has it, for its guard."""
    UNSUPPORTED_KIND = "unsupported-kind"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    RATE_LIMITED = "rate-limited"
    BUSY = "busy"
    CLOSING = "closing"
    INTERNAL = "internal"


@attrs.frozen
class Refusal:
    """An answer that says no: a code for programs, a sentence for people, and at times ``body``: bytes for the requester's guard.

    Carriers carry a body of at most 30 KiB.
    """

    code: RefusalCode
    message: str
    body: bytes = b""
