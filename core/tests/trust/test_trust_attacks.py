"""Attacks of the threat model that the guard alone decides on. Each prints what was tried and what came of it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable

import pytest
from sealed_site import NOW, ORIGIN, Site, binding, description, fingerprint, offer, sdp

from hallway.errors import PeerUnavailable, Untrusted
from hallway.model import Envelope, Refusal, RefusalCode
from hallway.protocol.redial import PATIENT_SECONDS, Redial
from hallway.trust import envelope, jws
from hallway.trust.claims import b64, unb64
from hallway.trust.credential import Subject, issue
from hallway.trust.guard import Signal
from hallway.trust.jws import Typ
from hallway.trust.keys import DeviceKeys
from hallway.trust.messages import Head, Message
from hallway.trust.receiving import EARLIER_BURST
from hallway.trust.replay import MAX_SEEN, MAX_SEEN_OF_ONE, MEMORY, ReplayCache
from hallway.trust.roster import following, issue_roster
from hallway.trust.sealed_guard import SealedGuard

SITE = Site("a", "b", "c", "thief")
ALG_NONE = b'{"alg":"none","typ":"hw-offer+jws"}'
YEARS = 2 * 365 * 86_400.0


def word(guard: SealedGuard, body: bytes, kind: str = "offer", now: float = NOW) -> str:
    """Why ``guard`` refuses it; and it has kept nothing of it that a channel could come from."""
    with pytest.raises(Untrusted) as caught:
        guard.read(Envelope(kind, "", body), now)
    assert guard._exchanges == SITE.guard("a")._exchanges
    return caught.value.reason


def opened(body: bytes, to: SealedGuard) -> tuple[str, tuple[str, ...]]:
    _, parts = envelope.open_sealed(body, to.membership.keys.id, lambda kid: to.membership.book.held(kid, NOW))
    return parts[0], parts[1:]


def sealed(to: SealedGuard, *parts: str) -> bytes:
    return envelope.seal(SITE.secret, to.membership.keys.id, parts, SITE.random(12))


def claims_of(token: str) -> dict[str, object]:
    return json.loads(unb64(token.split(".")[1]))


def signed(by: DeviceKeys, to: SealedGuard, chain: tuple[str, ...]) -> bytes:
    """An offer that the holder of those keys signs, with a certificate of its own."""
    own = SITE.membership("a")
    head = Head(own.property_id, 1, by.id, to.membership.keys.id, SITE.random(16), int(NOW), jws.digest(chain[0]), SITE.roster.digest)
    token, _ = Message("offer", head, "webrtc", sdp(), f"sha-256 {fingerprint(1)}", (1, "e")).sign(by.identity)
    return sealed(to, token, *chain)


def quickest(work: Callable[[], object]) -> float:
    """Milliseconds of this process that it takes, at best."""
    spent = []
    for _ in range(20):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent) * 1000


OUTSIDERS = {
    "unsealed": b'{"from":"a","to":"b","sdp":{"type":"offer","sdp":"v=0"},"iceCandidates":[]}',
    "with the property's id": json.dumps({"from": "a", "to": "b", "propertyId": SITE.membership("a").property_id.hex()}).encode() * 10,
    "noise": SITE.random(1569),
}


@pytest.mark.attack("A1", "A2")
@pytest.mark.parametrize("what", OUTSIDERS)
def test_an_outsider_is_turned_away_for_next_to_nothing(what):
    b = SITE.guard("b")
    sent = Envelope("offer", "", OUTSIDERS[what])
    refusal = b.open(sent, ORIGIN, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.UNAUTHENTICATED
    assert b.shown(refusal).message == "refused"
    took = quickest(lambda: b.open(sent, ORIGIN, NOW))
    print(f"A1 A2 an offer {what}: {refusal.message}, {took:.3f} ms")
    assert took < 5.0


def replaced(pattern: str, by: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, by, text, count=1)


LINE = f"a=fingerprint:sha-256 {fingerprint(1)}\r\n"
BENT = {
    "A3 the fingerprint": lambda text: text.replace(fingerprint(1), fingerprint(9)),
    "A3 a second fingerprint": lambda text: text.replace(LINE, LINE + LINE.replace(fingerprint(1), fingerprint(9))),
    "A3 no fingerprint": lambda text: text.replace(LINE, ""),
    "A4 a candidate": replaced("10.0.0.7 5000", "10.0.0.66 6666"),
    "A4 the ufrag": replaced("(ice-ufrag:).", r"\1x"),
    "A4 the setup": replaced("setup:[a-z]+", "setup:passive"),
    "A4 the largest message": replaced("(max-message-size:)[0-9]+", r"\g<1>1"),
}


@pytest.mark.attack("A3", "A4")
@pytest.mark.parametrize("kind", ["offer", "answer"])
@pytest.mark.parametrize("what", BENT)
def test_a_relay_that_changes_a_description_breaks_its_signature(what, kind):
    """It is a member, and may seal whatever it likes."""
    a, b = SITE.guard("a"), SITE.guard("b")
    body, to = offer(a, "b").body, b
    if kind == "answer":
        signal = b.read(Envelope("offer", "", body), NOW)
        body, to = b.seal("a", description("answer", 1), NOW, reference=signal.reference).body, a
    token, chain = opened(body, to)
    header, _, rest = token.partition(".")
    claims = claims_of(token)
    text = BENT[what](claims["sdp"])
    assert text != claims["sdp"]
    for change in ({"sdp": text}, {"sdp": text, "fp": f"sha-256 {fingerprint(9)}"}):
        changed = f"{header}.{b64(json.dumps(claims | change).encode())}.{rest.rpartition('.')[2]}"
        with pytest.raises(Untrusted) as caught:
            to.read(Envelope(kind, "", sealed(to, changed, *chain)), NOW)
        assert caught.value.reason == "signature"
    assert not (to._exchanges._transcripts if kind == "answer" else to._exchanges._received)
    print(f"{what} changed in an {kind}: {caught.value.reason}")


@pytest.mark.attack("A5", "A16")
def test_a_relay_that_signs_with_other_credentials_is_nobody():
    b, mallory = SITE.guard("b"), SITE.membership("c")
    revoked, chain = SITE.devices["thief"]
    b.membership.learn(SITE.signed(following(SITE.roster, revoke=[revoked.id], now=NOW), SITE.secret).text, NOW)
    foreign, foreign_chain = Site("a", seed=7).devices["a"]
    mine = DeviceKeys.generate(SITE.random)
    as_admin = {"iss": mallory.keys.id, "sub": mine.id, "ik": b64(mine.identity.public), "xk": b64(mine.sealing.public), "nm": "a"}
    own_word = jws.sign(Typ.CREDENTIAL, claims_of(mallory.chain.tokens[0]) | as_admin, mallory.keys.identity)
    own_root = jws.sign(Typ.CREDENTIAL, claims_of(mallory.chain.tokens[1]) | as_admin, mine.identity)
    tries = {
        "a revoked one": (signed(revoked, b, chain.tokens), "revoked"),
        "one of another property": (signed(foreign, b, foreign_chain.tokens), "chain"),
        "one that a member has issued": (signed(mine, b, (own_word, mallory.chain.tokens[0])), "chain"),
        "one that it has issued itself": (signed(mine, b, (own_root,)), "chain"),
        "another's": (signed(mallory.keys, b, SITE.devices["a"][1].tokens), "signature"),
    }
    for name, (body, reason) in tries.items():
        got = word(b, body)
        print(f"A5 an offer signed with the credential of {name}: {got}")
        assert got == reason


@pytest.mark.attack("A6")
def test_an_offer_counts_once_for_its_receiver_and_only_for_a_while():
    a, b = SITE.guard("a"), SITE.guard("b")
    body = offer(a, "b").body
    b.read(Envelope("offer", "", body), NOW)
    got = {f"{after} s later": reason_again(b, body, NOW + after) for after in (0, 61, 119, 299)}
    got["at a restarted device, 121 s later"] = reason_again(SITE.guard("b"), body, NOW + 121)
    restarted = SITE.guard("b")
    restarted.read(Envelope("offer", "", body), NOW)
    got["at a restarted device, the second time"] = reason_again(restarted, body, NOW + 1)
    got["at a third device"] = reason_again(SITE.guard("c"), body, NOW)
    token, chain = opened(body, b)
    got["at a third device, sealed for it"] = reason_again(SITE.guard("c"), sealed(SITE.guard("c"), token, *chain), NOW)
    got["at who made it, sealed for it"] = reason_again(a, sealed(a, token, *chain), NOW)
    print(f"A6 the same offer again: {got}")
    assert list(got.values()) == ["replay", "replay", "replay", "replay", "expired", "replay", "seal", "to", "from"]


@pytest.mark.attack("A8")
@pytest.mark.parametrize("turned", [False, True])
def test_what_a_device_signs_beside_its_property_is_nothing_in_it_and_the_other_way_round(turned):
    """A member that stands between seals anew what `hallway bench` has signed: else what waits for a device would go to its bench."""

    def guard(name: str, *, beside: bool) -> SealedGuard:
        plain = SITE.guard(name)
        if not beside:
            return plain
        return SealedGuard(plain._device, plain.membership.apart("bench"), plain._reach, SITE.random)

    a, b = guard("a", beside=not turned), guard("b", beside=turned)
    parts = envelope.open_sealed(offer(a, "b").body, b.membership.keys.id, lambda kid: a.membership.book.held(kid, NOW))[1]
    between = envelope.seal(b.membership.book.secret, b.membership.keys.id, parts, SITE.random(12))
    got = reason_again(b, between, NOW)
    print(f"A8 an offer {'for the property, to a bench' if turned else 'of a bench, to the property'}, sealed anew by a member: {got}")
    assert got == "type"
    assert b.read(offer(guard("a", beside=turned), "b"), NOW).sender == "a"


@pytest.mark.attack("A6")
@pytest.mark.parametrize("off", [0.0, 7200.0])
def test_who_repeats_what_it_has_recorded_costs_as_little_as_an_outsider(off):
    """Also if the offer was not let in the first time: its maker would seal another one."""
    a, b = SITE.guard("a"), SITE.guard("b")
    envelope = offer(a, "b", NOW + off)
    first = b.open(envelope, ORIGIN, NOW)
    again = [b.open(envelope, ORIGIN, NOW + 1) for _ in range(3)]
    spent = quickest(lambda: b.open(envelope, ORIGIN, NOW + 2))
    print(f"A6 a recorded offer ({off:.0f} s off) for the second time: {again[0]}, {spent:.3f} ms")
    assert isinstance(first, Signal) == (off == 0.0)
    assert again == [Refusal(RefusalCode.REPLAY, "refused")] * 3
    assert spent < 0.2


def reason_again(guard: SealedGuard, body: bytes, now: float) -> str:
    with pytest.raises(Untrusted) as caught:
        guard.read(Envelope("offer", "", body), now)
    return caught.value.reason


@pytest.mark.attack("A6")
def test_who_replays_offers_to_a_restarted_device_cannot_prove_anything():
    """The offer is read, once; for a link its maker's certificate would be needed, and its key for HELLO."""
    a, b, c = SITE.guard("a"), SITE.guard("b"), SITE.guard("c")
    body = offer(a, "b").body
    signal = b.read(Envelope("offer", "", body), NOW)
    b.seal("a", description("answer", 2), NOW, reference=signal.reference)
    hello = {"proof": jws.sign(Typ.HELLO, {"from": a.membership.keys.id}, c.membership.keys.identity)}
    objections = [b.admit("a", hello, binding(2, certificate), NOW) for certificate in (1, 9)]
    print(f"A6 HELLO of who has replayed an offer, with its certificate and with another: {objections}")
    assert None not in objections
    assert b.standing("a") is None


@pytest.mark.attack("A11")
def test_no_spelling_of_a_signed_offer_counts_twice():
    a, b = SITE.guard("a"), SITE.guard("b")
    body = offer(a, "b").body
    b.read(Envelope("offer", "", body), NOW)
    token, chain = opened(body, b)
    header, payload, signature = token.split(".")
    huge = b64(json.dumps({"alg": "EdDSA", "typ": "hw-offer+jws", "x": "y" * 1_000_000}).encode())
    tries = {
        "as it is, sealed anew": token,
        "padded": f"{header}.{payload}.{signature}==",
        "with a header of 1 MB": f"{huge[:20_000]}.{payload}.{signature}",
        "alg none": f"{b64(ALG_NONE)}.{payload}.",
        "its credential as an offer": chain[0],
        "100,000 brackets": f"{header}.{b64(b'[' * 20_000)}.{signature}",
        "nothing": "",
    }
    got = {name: reason_again(b, sealed(b, changed, *chain), NOW) for name, changed in tries.items()}
    print(f"A11 {got}")
    assert list(got.values()) == ["replay", "form", "form", "form", "type", "signature", "form"]
    for deep in (b"[" * 100_000, b'{"a":' * 100_000):
        assert size(deep) == "size"


def size(payload: bytes) -> str:
    with pytest.raises(Untrusted) as caught:
        jws.verify(f"e.{b64(payload)}.{'A' * 86}", Typ.OFFER, SITE.root.private.public_key(), 30_000)
    return caught.value.reason


@pytest.mark.attack("A12")
def test_a_revoked_device_gets_nowhere_with_old_news():
    a, b, thief = SITE.guard("a"), SITE.guard("b"), SITE.guard("thief")
    news = SITE.next(SITE.roster, revoke=("thief",))
    a.learn(news.text, NOW)
    got = {"reconnects": reason_again(a, offer(thief, "a").body, NOW)}
    with pytest.raises(Untrusted) as caught:
        a.learn(SITE.roster.text, NOW)
    got["presents the old roster"] = caught.value.reason
    own, chain = SITE.devices["thief"]
    with pytest.raises(Untrusted) as caught:
        issue_roster(own.identity, chain, following(SITE.roster, now=NOW), SITE.secret, NOW)
    got["makes a roster"] = caught.value.reason
    with pytest.raises(PeerUnavailable):
        a.seal("thief", description(), NOW)
    print(f"A12 a revoked device {got}")
    assert list(got.values()) == ["revoked", "rollback", "issuer"]
    # b has slept through it: the thief is a peer to it until it meets anybody who knows.
    assert b.knows("thief")
    offered = b.open(offer(a, "b"), ORIGIN, NOW)
    assert isinstance(offered, Refusal)
    handed = a.hand_over("b", offered, NOW)
    assert handed is not None
    b.open(handed, ORIGIN, NOW)
    print(f"A12 a member that slept through it, after its first contact: epoch {b.status()['epoch']}, knows the thief: {b.knows('thief')}")
    assert not b.knows("thief")
    assert reason_again(b, offer(thief, "b").body, NOW) == "revoked"


@pytest.mark.attack("A12", "A19")
def test_a_revoked_device_cannot_spend_what_members_share():
    """It has the secret of before, and signs as much as it likes; who was away and is helped by that secret is many fewer."""
    a, b, thief, late = (SITE.guard(name) for name in ("a", "b", "thief", "c"))
    news = SITE.next(SITE.roster, revoke=("thief",))
    for guard in (a, b):
        guard.learn(news.text, NOW)
    codes = Counter(b.open(offer(thief, "b"), ORIGIN, NOW).code for _ in range(200))
    print(f"A12 200 offers of a revoked device: {codes}")
    assert codes == {RefusalCode.FORBIDDEN: EARLIER_BURST, RefusalCode.UNAUTHENTICATED: 200 - EARLIER_BURST}
    assert isinstance(b.open(offer(a, "b"), ORIGIN, NOW), Signal)
    assert b.open(offer(late, "b", NOW + 1), ORIGIN, NOW + 1).code is RefusalCode.STALE_ROSTER


@pytest.mark.attack("A16")
@pytest.mark.parametrize("role", ["guest", "browser", "king", "admin"])
def test_no_role_that_is_not_a_members_gets_in(role):
    """``role`` in a credential that a true admin has signed."""
    b, (admin, own) = SITE.guard("b"), SITE.admins["admin"]
    keys = DeviceKeys.generate(SITE.random)
    token = issue(admin.identity, own, Subject(keys.identity.public, keys.sealing.public, "x"), NOW, SITE.random, epoch=1)
    changed = jws.sign(Typ.CREDENTIAL, claims_of(token) | {"role": role}, admin.identity)
    got = word(b, signed(keys, b, (changed, *own.tokens)))
    print(f"A16 a credential with the role {role}: {got}")
    assert got == ("issuer" if role == "admin" else "role")


@pytest.mark.attack("A25")
@pytest.mark.parametrize("off", [7200.0, -YEARS, YEARS / 8])
def test_a_clock_that_is_off_by_two_hours_or_two_years_connects(off):
    a, b = SITE.guard("a"), SITE.guard("b")
    refusal = b.open(offer(a, "b", NOW + off), ORIGIN, NOW)
    helped = isinstance(refusal, Refusal) and a.helped(refusal, NOW + off)
    signal = b.read(offer(a, "b", NOW + off), NOW) if helped else refusal
    answer = b.seal("a", description("answer", 2), NOW, reference=signal.reference)
    a.read(answer, NOW + off)
    ours, theirs = binding(1, 2), binding(2, 1)
    assert b.admit("a", a.hello("b", ours, NOW + off), theirs, NOW) is None
    assert a.admit("b", b.hello("a", theirs, NOW), ours, NOW + off) is None
    print(f"A25 a clock that is off by {off:.0f} s: {'after a challenge' if helped else 'on its floor'} both are admitted")


@pytest.mark.attack("A25")
def test_a_clock_that_jumps_forgets_no_replay_and_no_floor():
    a, b = SITE.guard("a"), SITE.guard("b")
    body = offer(a, "b").body
    b.read(Envelope("offer", "", body), NOW)
    got = [reason_again(b, body, now) for now in (NOW - YEARS, NOW + YEARS / 8, NOW - 600, NOW)]
    floor = b.membership.time(0.0)
    print(f"A25 an offer again after the clock has jumped: {got}; no clock is taken for earlier than {floor:.0f}")
    assert {"replay", "expired", "early", "challenge"} >= set(got)
    assert floor >= NOW - 1000


def test_a_peer_that_redials_for_as_long_as_it_may_is_never_too_many():
    """A fault that lets signaling pass and no channel must not lock the peer out once it is over."""
    cache, redial, now, most = ReplayCache(), Redial(lambda: 0.0), 0.0, 0
    redial.lost(now)
    while now < PATIENT_SECONDS + 2 * MEMORY:
        cache.note("a", SITE.random(16), now)
        most = max(most, len(cache))
        redial.dialed(now)
        redial.failed(now)
        now = redial.at or now
    print(f"{most} offers of a peer that redials are remembered at once, of {MAX_SEEN_OF_ONE}; of all {MAX_SEEN}")
    assert 50 * most <= MAX_SEEN


def test_a_reflected_hello_is_not_the_peers():
    """Who cannot sign sends back what it got."""
    a, b = SITE.guard("a"), SITE.guard("b")
    signal = b.read(offer(a, "b"), NOW)
    a.read(b.seal("a", description("answer", 2), NOW, reference=signal.reference), NOW)
    ours = binding(1, 2)
    objection = a.admit("b", a.hello("b", ours, NOW), ours, NOW)
    print(f"a reflected HELLO: {objection}")
    assert objection is not None


def test_an_impostor_with_an_earlier_name_learns_nothing_from_challenges():
    """A revoked device with a wrong clock gets neither a challenge nor a roster."""
    b, thief = SITE.guard("b"), SITE.guard("thief")
    b.learn(SITE.next(SITE.roster, revoke=("thief",)).text, NOW)
    refusal = b.open(offer(thief, "b", NOW + 7200), ORIGIN, NOW)
    assert isinstance(refusal, Refusal)
    print(f"a revoked device with a wrong clock: {refusal.code}, {len(refusal.body)} bytes of help")
    assert (refusal.code, refusal.body) == (RefusalCode.FORBIDDEN, b"")


def test_a_fake_refusal_gets_no_secret_out_of_a_member():
    """Whoever stands between answers as if the peer had no key: what comes is sealed to the true peer."""
    a, c = SITE.guard("a"), SITE.guard("c")
    handed = a.hand_over("b", Refusal(RefusalCode.UNAUTHENTICATED, ""), NOW)
    assert handed is not None
    with pytest.raises(Untrusted):
        c.handed_over(handed.body, NOW)
    assert SITE.roster.text.encode()[:60] not in handed.body
    assert a.hand_over("nobody", Refusal(RefusalCode.UNAUTHENTICATED, ""), NOW) is None
