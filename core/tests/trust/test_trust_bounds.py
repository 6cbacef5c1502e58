"""What is remembered of others, and how much of it: the numbers of docs/reference/bounds.md."""

from __future__ import annotations

import attrs
import pytest
from sealed_site import NOW, Site, description

from hallway.errors import Untrusted
from hallway.trust import envelope
from hallway.trust.exchanges import Exchanges, OwnOffer
from hallway.trust.replay import Challenges, ReplayCache


def reason(call, *arguments) -> str:
    with pytest.raises(Untrusted) as caught:
        call(*arguments)
    return caught.value.reason


def test_16384_messages_are_remembered_for_five_minutes_320_of_one_sender() -> None:
    cache = ReplayCache()
    for number in range(16_384):
        cache.note(f"member-{number // 320}", number.to_bytes(16, "big"), NOW)
    assert len(cache) == 16_384
    assert reason(cache.note, "member-0", bytes(16), NOW + 300) == "replay"
    assert reason(cache.note, "member-0", b"another", NOW) == "full"
    assert reason(cache.note, "nobody yet", b"one", NOW + 300) == "full"
    cache.note("nobody yet", b"one", NOW + 301)
    assert len(cache) == 1


def test_320_messages_of_one_sender_leave_room_for_others() -> None:
    cache = ReplayCache()
    for number in range(320):
        cache.note("much", number.to_bytes(16, "big"), NOW)
    assert reason(cache.note, "much", b"more", NOW) == "full"
    cache.note("little", b"more", NOW)


def test_128_challenges_are_out_at_once_one_for_each_peer() -> None:
    challenges = Challenges(bytes)
    for number in range(128):
        challenges.give(f"peer-{number}", NOW)
    challenges.give("peer-0", NOW)
    assert reason(challenges.give, "peer-128", NOW) == "full"
    challenges.redeem("peer-1", bytes(16), NOW)
    challenges.give("peer-128", NOW)


def test_of_one_peer_8_offers_wait_for_120_seconds_and_the_oldest_make_room() -> None:
    exchanges, offer = Exchanges(), OwnOffer("peer", b"", "sha-256 00", NOW)
    for number in range(20):
        exchanges.offered(attrs.evolve(offer, digest=bytes([number])))
        exchanges.offered(attrs.evolve(offer, to=f"peer-{number}", digest=bytes([100 + number])))
    of_one = {digest[0] for digest in exchanges.waiting(NOW + 120) if digest[0] < 100}
    assert of_one == set(range(12, 20))
    assert len(exchanges.waiting(NOW + 120)) == 8 + 20
    assert exchanges.waiting(NOW + 121) == frozenset()


def test_an_envelope_has_32_kib_at_most() -> None:
    guard = Site("a", "b").guard("b")
    body = Site("a", "b").guard("a").seal("b", description("offer"), NOW).body
    assert len(body) <= 32 * 1024 == envelope.MAX_ENVELOPE
    for size, word in ((32 * 1024 + 1, "size"), (32 * 1024, "form")):
        assert reason(envelope.open_sealed, bytes(size), guard.membership.keys.id, lambda _: None) == word
