"""The exchanges of descriptions that are under way: offers that wait for their answers, and transcripts that wait for HELLO. Bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs

from hallway.model import Binding
from hallway.trust.hello import Transcript
from hallway.trust.receiving import Received

Item = TypeVar("Item")

LIFE = 120.0
"""Seconds from a description to its HELLO, at most."""
MAX_OF_ONE = 8
"""Of one peer; the oldest make room."""


@attrs.frozen
class OwnOffer:
    """An offer of ours: to whom (key id), its digest and our fingerprint in it."""

    to: str
    digest: bytes
    fingerprint: str
    at: float


@attrs.frozen
class _Waiting:
    transcript: Transcript
    at: float
    admitted: bool = False


@attrs.define
class Exchanges:
    """By peer (key id)."""

    _offers: dict[str, list[OwnOffer]] = attrs.field(factory=dict)
    _received: dict[str, list[tuple[Received, float]]] = attrs.field(factory=dict)
    _transcripts: dict[str, list[_Waiting]] = attrs.field(factory=dict)

    def offered(self, offer: OwnOffer) -> None:
        """We have made an offer."""
        _add(self._offers, offer.to, offer, [one for one in self._offers.get(offer.to, []) if _alive(one.at, offer.at)])

    def own(self, digest: bytes, now: float) -> OwnOffer | None:
        """The offer of ours with that digest, if it may still be answered."""
        return next((one for offers in self._offers.values() for one in offers if one.digest == digest and _alive(one.at, now)), None)

    def waiting(self, now: float) -> frozenset[bytes]:
        """The digests of our offers that may still be answered."""
        return frozenset(one.digest for offers in self._offers.values() for one in offers if _alive(one.at, now))

    def received(self, offer: Received, now: float) -> None:
        """A peer's offer has come."""
        sender = offer.message.head.sender
        _add(self._received, sender, (offer, now), [one for one in self._received.get(sender, []) if _alive(one[1], now)])

    def offer_of(self, peer: str, reference: str, now: float) -> Received | None:
        """The offer of ``peer`` with that digest in hexadecimal; "" is its newest."""
        offers = [one for one, at in self._received.get(peer, []) if _alive(at, now)]
        return next((one for one in reversed(offers) if reference in ("", one.message.digest.hex())), None)

    def described(self, transcript: Transcript, now: float) -> None:
        """Both descriptions of an exchange are known."""
        peer = transcript.peer.leaf.sub
        _add(self._transcripts, peer, _Waiting(transcript, now), [one for one in self._transcripts.get(peer, []) if _alive(one.at, now)])

    def transcript(self, peer: str, binding: Binding, now: float, *, unadmitted: bool = False) -> Transcript | None:
        """The exchange with ``peer`` from which a channel with those certificates has come; ``unadmitted``: one without a HELLO yet."""
        for one in reversed(self._transcripts.get(peer, [])):
            fits = (one.transcript.local, one.transcript.remote) == (binding.local, binding.remote)
            if fits and _alive(one.at, now) and not (unadmitted and one.admitted):
                return one.transcript
        return None

    def admitted(self, transcript: Transcript) -> None:
        """The peer's HELLO has been taken; there is no second one."""
        peer = transcript.peer.leaf.sub
        waiting = self._transcripts.get(peer, [])
        self._transcripts[peer] = [attrs.evolve(one, admitted=True) if one.transcript == transcript else one for one in waiting]

    def forget(self, now: float) -> None:
        """Let go of what is too old, for every peer."""
        _forget(self._offers, lambda one: _alive(one.at, now))
        _forget(self._received, lambda one: _alive(one[1], now))
        _forget(self._transcripts, lambda one: _alive(one.at, now))


def _add(table: dict[str, list[Item]], peer: str, item: Item, alive: list[Item]) -> None:
    table[peer] = [*alive, item][-MAX_OF_ONE:]


def _forget(table: dict[str, list[Item]], alive: Callable[[Item], bool]) -> None:
    for peer, items in list(table.items()):
        table[peer] = [one for one in items if alive(one)]
        if not table[peer]:
            del table[peer]


def _alive(at: float, now: float) -> bool:
    return abs(now - at) <= LIFE
