"""How much a requester may ask of us: pure tables that need no clock (`now` is an argument) and cannot grow."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from hallway.protocol.bucket import Bucket

Key = TypeVar("Key", bound=Hashable)

_PAIR = "pair"


@attrs.frozen(kw_only=True)
class Bounds:
    """Every bound of the server and the client. Sizes in bytes, times in seconds, rates in requests a second."""

    body: int = 32 * 1024
    pair_body: int = 4 * 1024
    """The bodies of joiners, who need not belong to anything."""
    response: int = 64 * 1024
    pair_response: int = 384 * 1024
    """What a joiner gets has the whole roster."""
    line: int = 2048
    field: int = 4096
    fields: int = 64
    idle: float = 5.0
    """Until the headers of a request are complete, from the connection's start or the last response."""
    body_time: float = 5.0
    """Until a body is complete, from the end of its headers."""
    linger: float = 0.2
    """How long a body that was refused unread is still drained, so that the sender sees the answer and not a reset."""
    life: float = 30.0
    """Until a connection ends whatever it does; from half of it on, responses say ``Connection: close``."""
    grace: float = 0.25
    """What requests under way get to end by themselves when the server closes."""
    connections: int = 64
    address_connections: int = 8
    rate: float = 50.0
    """Of all addresses together, for what costs: what neither its head nor the host refuses as nobody's. Joiners have one of their own."""
    burst: float = 100.0
    address_rate: float = 5.0
    address_burst: float = 20.0
    addresses: int = 256
    """Addresses whose rate is remembered; the one that was silent longest is forgotten first."""
    own_share: int = 4
    """What our own machine may do, in shares of one address: several devices may run on it, and no stranger can use its address."""


class RateLimit:
    """What requesters may ask, each address by itself, and what they may make this device do, all together.

    An address pays for every request, and one that is over its rate takes nothing from the others. All together pay for what costs only:
    an attacker may have any number of addresses, and with what is cheap to refuse they must lock out nobody.
    """

    def __init__(self, bounds: Bounds, now: float) -> None:
        self._bounds = bounds
        # Whoever belongs to nothing can make us pair, and must not use up what members share.
        self._work = {pairs: Bucket(bounds.rate, bounds.burst, now) for pairs in (False, True)}
        self._of: OrderedDict[tuple[str, int], Bucket] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._of)

    def ask(self, address: str, share: int, now: float) -> float:
        """Count one request of ``address`` and return 0, or count nothing and return the seconds after which it may ask again."""
        return _take(self._bucket(address, share, now), now)

    def take(self, kind: str, now: float) -> float:
        """Take from all what one request of ``kind`` costs and return 0, or take nothing and return the seconds after which it can be."""
        return _take(self._work[kind == _PAIR], now)

    def give_back(self, kind: str) -> None:
        """It has cost nothing."""
        self._work[kind == _PAIR].give_back()

    def _bucket(self, address: str, share: int, now: float) -> Bucket:
        key = (address, share)
        if key not in self._of:
            self._of[key] = Bucket(self._bounds.address_rate * share, self._bounds.address_burst * share, now)
            if len(self._of) > self._bounds.addresses:
                self._of.popitem(last=False)
        self._of.move_to_end(key)
        return self._of[key]


def _take(bucket: Bucket, now: float) -> float:
    wait = bucket.wait(now)
    if not wait:
        bucket.take(now)
    return wait


@attrs.frozen
class Admission(Generic[Key]):
    """Whether a connection may stay, and which older one must end for it."""

    admitted: bool
    displaced: Key | None = None


@attrs.define
class _Held:
    address: str
    busy: bool = False


class Connections(Generic[Key]):
    """Counts connections, in all and for each address.

    Where no place is left a newcomer gets that of the oldest connection that has no whole request under way: of its own address if that one
    is at its limit, else of the address that holds most. So idle or slow connections, however many, lock nobody out.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._held: dict[Key, _Held] = {}

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._held)

    def admit(self, key: Key, address: str, share: int) -> Admission[Key]:
        """Decide on a new connection, and count it if it may stay (then the displaced one counts no more)."""
        crowd = self._crowd(address, share)
        if crowd is None:
            self._held[key] = _Held(address)
            return Admission(admitted=True)
        displaced = next((old for old, held in self._held.items() if held.address == crowd and not held.busy), None)
        if displaced is None:
            return Admission(admitted=False)
        del self._held[displaced]
        self._held[key] = _Held(address)
        return Admission(admitted=True, displaced=displaced)

    def _crowd(self, address: str, share: int) -> str | None:
        """The address that must give up a place, or None while there is room."""
        counts = Counter(held.address for held in self._held.values())
        if counts[address] >= self._bounds.address_connections * share:
            return address
        return counts.most_common(1)[0][0] if len(self._held) >= self._bounds.connections else None

    def busy(self, key: Key, *, busy: bool) -> None:
        """A busy connection, whose request is being answered, keeps its place."""
        if key in self._held:
            self._held[key].busy = busy

    def leave(self, key: Key) -> None:
        """The connection has ended; saying so twice is silent."""
        self._held.pop(key, None)
