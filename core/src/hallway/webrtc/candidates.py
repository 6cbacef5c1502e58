"""Which remote ICE candidates may be used: pure decisions over text and addresses.

Every check that we send to a candidate is a datagram that a stranger's description made us send. So candidates are filtered before the
ICE agent sees them, wherever they come from (RFC 8445 section 19, RFC 8828).
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from enum import Enum

import attrs

from hallway.errors import BadDescription
from hallway.model import IcePolicy
from hallway.network import InterfaceAddress, Lan
from hallway.network.reach import is_plain

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

COMPONENT = 1
"""The only one that a data channel has (RFC 8445 section 4)."""
MAX_CANDIDATES = 16
"""Of one peer in one session, wherever they come from."""
MAX_CHECKED = 8
"""Of those, the ones that checks are sent to: each costs whoever is there a dozen datagrams, asked for or not."""
MAX_LOCAL_NAMES = 4
"""``.local`` names among them: each costs a multicast query (docs/decisions/0007)."""

_CANDIDATE = re.compile(
    r"(?:a=)?(?:candidate:)?(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>[0-9]{1,3}) (?P<transport>[A-Za-z]{1,10})"
    r" (?P<priority>[0-9]{1,10}) (?P<host>[A-Za-z0-9.:-]{1,255}) (?P<port>[0-9]{1,5}) typ (?P<type>[a-z]{1,10})(?P<rest>( [!-~]*)*)"
)
_LOCAL_NAME = re.compile(r"[A-Za-z0-9-]{1,63}\.local")


@attrs.frozen
class RemoteCandidate:
    """One candidate that the ICE agent may have. ``host`` is an address, or a ``.local`` name that is still to be resolved."""

    foundation: str
    priority: int
    host: str
    port: int
    type: str

    @property
    def is_name(self) -> bool:
        """Whether ``host`` must be resolved by mDNS first."""
        return self.host.endswith(".local")

    @property
    def attribute(self) -> str:
        """Its text in SDP, with nothing in it that was not checked."""
        return f"{self.foundation} {COMPONENT} udp {self.priority} {self.host} {self.port} typ {self.type}"


class Verdict(Enum):
    """What to do with a remote address."""

    USE = "use"
    DROP = "drop"
    """Not for this attempt; ignoring it costs the peer a path at most."""
    FORBIDDEN = "forbidden"
    """No honest peer offers it."""


@attrs.frozen
class Reach:
    """Where one attempt may send to: its ICE policy and the LAN as it was when it began."""

    policy: IcePolicy
    lan: Lan

    @classmethod
    def of(cls, policy: IcePolicy, addresses: Iterable[InterfaceAddress]) -> Reach:
        """The reach of an attempt from ``addresses``."""
        return cls(policy, Lan.of(addresses))

    def judge(self, ip: Address) -> Verdict:
        """Decide on an address of a peer."""
        if self.lan.forbids(ip):
            return Verdict.FORBIDDEN
        if self.lan.holds(ip):
            return Verdict.USE
        distant = self.policy is IcePolicy.WAN and is_plain(ip) and not ip.is_reserved
        return Verdict.USE if distant else Verdict.DROP

    def admits(self, host: str) -> bool:
        """Whether a datagram may come from, or go to, ``host`` (an address as text)."""
        try:
            return self.judge(ipaddress.ip_address(host)) is Verdict.USE
        except ValueError:
            return False


def read_candidate(text: str) -> RemoteCandidate | None:
    """Read a candidate attribute (RFC 8839 section 5.1), or return None for one that we do not support (TCP, RTCP, host names).

    Raises:
        BadDescription: it is not a candidate attribute.

    """
    found = _CANDIDATE.fullmatch(text.strip())
    if found is None:
        raise BadDescription("a candidate in the peer's description cannot be read")
    port, priority = int(found["port"]), int(found["priority"])
    if not 0 < port < 65536 or priority >= 1 << 32:
        raise BadDescription("a candidate in the peer's description has an impossible port or priority")
    if found["transport"].lower() != "udp" or found["component"] != "1" or found["type"] not in {"host", "srflx", "relay"}:
        return None
    return RemoteCandidate(found["foundation"], priority, found["host"], port, found["type"])


def _usable(candidate: RemoteCandidate, reach: Reach) -> bool:
    if reach.policy is IcePolicy.LAN and candidate.type != "host":
        return False
    if _LOCAL_NAME.fullmatch(candidate.host):
        return candidate.type == "host"
    try:
        ip = ipaddress.ip_address(candidate.host)
    except ValueError:
        return False
    verdict = reach.judge(ip)
    if verdict is Verdict.FORBIDDEN:
        raise BadDescription(f"the peer's description has a candidate that nobody may be sent to: {ip}")
    return verdict is Verdict.USE


def _ranked(candidates: list[RemoteCandidate], reach: Reach) -> list[RemoteCandidate]:
    """On the LAN those that are on link first; on a distant path the first of each type before the second of any."""
    if reach.policy is IcePolicy.LAN:
        return sorted(candidates, key=lambda one: not (one.is_name or reach.lan.on_link(ipaddress.ip_address(one.host))))
    turn: Counter[str] = Counter()
    turns = []
    for candidate in candidates:
        turns.append((turn[candidate.type], candidate))
        turn[candidate.type] += 1
    return [candidate for _, candidate in sorted(turns, key=lambda one: one[0])]


@attrs.define
class CandidateFilter:
    """Lets through what one session may use of its peer's candidates, and counts them."""

    reach: Reach
    _seen: int = 0
    _names: int = 0
    _taken: int = 0

    def take(self, texts: Iterable[str]) -> list[RemoteCandidate]:
        """Filter the candidates of a description: the best of them, as far as `MAX_CHECKED` allows.

        Raises:
            BadDescription: they are too many, unreadable, or aim where nobody may send.

        """
        usable = self._read(texts)
        if len(usable) > MAX_CHECKED - self._taken:
            usable = _ranked(usable, self.reach)[: MAX_CHECKED - self._taken]
        self._taken += len(usable)
        return usable

    def _read(self, texts: Iterable[str]) -> list[RemoteCandidate]:
        usable = []
        for text in texts:
            self._seen += 1
            if self._seen > MAX_CANDIDATES:
                raise BadDescription(f"the peer's description has more than {MAX_CANDIDATES} candidates")
            candidate = read_candidate(text)
            if candidate is None or not _usable(candidate, self.reach):
                continue
            self._names += candidate.is_name
            if self._names > MAX_LOCAL_NAMES:
                raise BadDescription(f"the peer's description has more than {MAX_LOCAL_NAMES} .local candidates")
            usable.append(candidate)
        return usable

    def take_late(self, text: str) -> RemoteCandidate | None:
        """Filter one trickled candidate: what cannot be used is None, never an error (RFC 8838 section 11)."""
        try:
            return next(iter(self.take([text])), None)
        except BadDescription:
            return None
