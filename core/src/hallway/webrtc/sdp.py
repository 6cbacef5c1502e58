"""The SDP of a data channel: what we accept of a peer's, and what ours looks like. Pure text.

Only this module reads SDP, so there is no second parser that could understand it otherwise. JSEP (RFC 8829), SCTP over DTLS (RFC 8841),
fingerprints (RFC 8122), ICE (RFC 8839).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import attrs

from hallway.errors import BadDescription

MAX_SDP = 16 * 1024
"""Bytes (of UTF-8) in one description."""
LOCAL_MAX_MESSAGE = 256 * 1024
"""Bytes in one message, as we advertise it and hold to it."""
DEFAULT_MAX_MESSAGE = 64 * 1024
"""Bytes that a peer takes which advertises nothing (RFC 8841 section 6.1)."""
SCTP_PORT = 5000

_LINE = re.compile(r"[a-z]=[^\x00-\x1f\x7f]*")
_MEDIA = re.compile(r"m=(?P<kind>[^ ]+) (?P<port>[0-9]{1,5}) (?P<profile>[^ ]+) (?P<format>.+)")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_DIGESTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_MID = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]{1,32}")
_PROFILES = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})

Setup = Literal["actpass", "active", "passive"]


@attrs.frozen
class Fingerprint:
    """A certificate's digest: ``algorithm`` in lower case, ``value`` as ``AB:CD:…``."""

    algorithm: str
    value: str


@attrs.frozen
class RemoteDescription:
    """What a peer's description says, checked."""

    ufrag: str
    pwd: str
    lite: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup
    sctp_port: int
    max_message: int
    mid: str
    bundled: bool
    candidates: tuple[str, ...]
    """The attributes' values, not looked into yet."""
    complete: bool
    """No candidates follow (RFC 8838 section 14)."""

    @property
    def sha256(self) -> Fingerprint:
        """The fingerprint that counts: there is exactly one."""
        return next(one for one in self.fingerprints if one.algorithm == "sha-256")

    def rewritten(self, candidates: Iterable[str], session: int) -> str:
        """The same in our own words, with ``candidates`` only, for a library that parses SDP itself and must not see a stranger's."""
        return LocalDescription(
            ufrag=self.ufrag,
            pwd=self.pwd,
            fingerprint=self.sha256,
            setup=self.setup,
            candidates=tuple(candidates),
            host="0.0.0.0",  # noqa: S104 - an address that is not used (RFC 8829 section 5.2.1)
            port=9,
            mid=self.mid,
            bundled=self.bundled,
            sctp_port=self.sctp_port,
            max_message=self.max_message,
            lite=self.lite,
            complete=self.complete,
        ).render(session)


@attrs.frozen
class LocalDescription:
    """What a description that we write says. ``candidates`` are attribute values (``<foundation> 1 udp …``), the default one first."""

    ufrag: str
    pwd: str
    fingerprint: Fingerprint
    setup: Setup
    candidates: tuple[str, ...]
    host: str
    port: int
    mid: str = "0"
    bundled: bool = True
    sctp_port: int = SCTP_PORT
    max_message: int = LOCAL_MAX_MESSAGE
    lite: bool = False
    complete: bool = True

    def render(self, session: int) -> str:
        """The text; ``session`` is the origin's id (RFC 8866 section 5.2)."""
        family = "IP6" if ":" in self.host else "IP4"
        lines = [
            "v=0",
            f"o=- {session} 2 IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            *(["a=ice-lite"] if self.lite else []),
            *([f"a=group:BUNDLE {self.mid}"] if self.bundled else []),
            f"m=application {self.port} UDP/DTLS/SCTP webrtc-datachannel",
            f"c=IN {family} {self.host}",
            f"a=mid:{self.mid}",
            f"a=sctp-port:{self.sctp_port}",
            f"a=max-message-size:{self.max_message}",
            *(f"a=candidate:{candidate}" for candidate in self.candidates),
            *(["a=end-of-candidates"] if self.complete else []),
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.pwd}",
            "a=ice-options:trickle",
            f"a=fingerprint:{self.fingerprint.algorithm} {self.fingerprint.value}",
            f"a=setup:{self.setup}",
        ]
        return "\r\n".join(lines) + "\r\n"


class _Attributes:
    """The ``a=`` lines of a section, by name; a section without an attribute has its session's."""

    def __init__(self, lines: Iterable[str], outer: _Attributes | None = None) -> None:
        self._values: dict[str, list[str]] = {}
        self._outer = outer
        for line in lines:
            if line.startswith("a="):
                name, _, value = line[2:].partition(":")
                self._values.setdefault(name, []).append(value.strip())

    def all(self, name: str) -> list[str]:
        own = self._values.get(name)
        return own or (self._outer.all(name) if self._outer else [])

    def one(self, name: str, pattern: re.Pattern[str]) -> str:
        values = self.all(name)
        if len(values) != 1 or not pattern.fullmatch(values[0]):
            raise BadDescription(f"the peer's description has no single valid a={name}")
        return values[0]

    def number(self, name: str, default: int, highest: int) -> int:
        values = self.all(name)
        if not values:
            return default
        text = values[-1]
        if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > highest:
            raise BadDescription(f"the peer's description has an impossible a={name}")
        return int(text)


def _sections(sdp: str) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    media: list[list[str]] = []
    for line in re.split(r"\r\n|\n", sdp.rstrip("\r\n")):
        if not _LINE.fullmatch(line):
            raise BadDescription("the peer's description is not SDP")
        if line.startswith("m="):
            media.append([])
        (media[-1] if media else session).append(line)
    if not session or session[0] != "v=0":
        raise BadDescription("the peer's description is not SDP")
    return session, media


def _check_media(sections: list[list[str]]) -> None:
    found = [_MEDIA.fullmatch(lines[0]) for lines in sections]
    if len(found) != 1 or found[0] is None or found[0]["kind"] != "application":
        raise BadDescription("the peer's description must have one m=application section and nothing else")
    if found[0]["profile"] not in _PROFILES or found[0]["format"].strip() != "webrtc-datachannel":
        raise BadDescription("the peer's description is not for a WebRTC data channel")
    if not 0 < int(found[0]["port"]) < 65536:
        raise BadDescription("the peer has rejected the data channel")


def _fingerprints(values: list[str]) -> tuple[Fingerprint, ...]:
    found = []
    for value in values:
        algorithm, _, digest = value.partition(" ")
        size = _DIGESTS.get(algorithm.lower())
        if size is None:
            continue
        if not re.fullmatch(rf"[0-9A-Fa-f]{{2}}(:[0-9A-Fa-f]{{2}}){{{size - 1}}}", digest):
            raise BadDescription("the peer's description has a fingerprint that cannot be read")
        found.append(Fingerprint(algorithm.lower(), digest.upper()))
    if len({one.value for one in found if one.algorithm == "sha-256"}) != 1:
        raise BadDescription("the peer's description must have one sha-256 fingerprint")
    return tuple(found)


def _setup(values: list[str], kind: Literal["offer", "answer"]) -> Setup:
    match values, kind:
        case ["active"], _:
            return "active"
        case ["passive"], _:
            return "passive"
        case ((["actpass"] | []), "offer"):
            return "actpass"
    raise BadDescription(f"the peer's {kind} has no usable a=setup")


def read_description(sdp: str, kind: Literal["offer", "answer"]) -> RemoteDescription:
    """Read and check a peer's description.

    Raises:
        BadDescription: it cannot be used; the message is a sentence.

    """
    if len(sdp) > MAX_SDP or len(sdp.encode(errors="replace")) > MAX_SDP:
        raise BadDescription(f"the peer's description is larger than {MAX_SDP} bytes")
    session_lines, sections = _sections(sdp)
    _check_media(sections)
    session = _Attributes(session_lines)
    media = _Attributes(sections[0], session)
    mid = media.one("mid", _MID) if media.all("mid") else "0"
    advertised = media.number("max-message-size", DEFAULT_MAX_MESSAGE, 1 << 64)
    return RemoteDescription(
        ufrag=media.one("ice-ufrag", _UFRAG),
        pwd=media.one("ice-pwd", _PWD),
        lite=bool(session.all("ice-lite")),
        fingerprints=_fingerprints(media.all("fingerprint")),
        setup=_setup(media.all("setup"), kind),
        sctp_port=media.number("sctp-port", SCTP_PORT, 65535) or SCTP_PORT,
        max_message=min(advertised or LOCAL_MAX_MESSAGE, LOCAL_MAX_MESSAGE),
        mid=mid,
        bundled=f"BUNDLE {mid}" in session.all("group"),
        candidates=tuple(media.all("candidate")),
        complete=bool(media.all("end-of-candidates")),
    )


def answer_setup(remote: Setup) -> Setup:
    """Our end's ``a=setup`` against the peer's, when we answer: we take the active part if we may (RFC 8842 section 5.3)."""
    return "passive" if remote == "active" else "active"
