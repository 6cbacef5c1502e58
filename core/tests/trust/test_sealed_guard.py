"""Two sealed devices exchange descriptions and HELLOs, and everything that should not get through does not."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealed_site import NOW, ORIGIN, Site, binding, description, fingerprint, offer, sdp

from hallway.errors import MisuseError, PeerUnavailable, Untrusted
from hallway.model import Candidate, Description, Envelope, Refusal, RefusalCode
from hallway.trust import Mark, Signal, envelope
from hallway.trust.credential import DEVICE_LIFE
from hallway.trust.membership import Membership
from hallway.trust.messages import Head, Message
from hallway.trust.receiving import NeedsChallenge, NeedsRoster
from hallway.trust.replay import MAX_SEEN_OF_ONE, ReplayCache
from hallway.trust.roster import Member, following
from hallway.trust.sealed_guard import SealedGuard

SITE = Site("a", "b", "c")


def pair() -> tuple[SealedGuard, SealedGuard]:
    return SITE.guard("a"), SITE.guard("b")


def reason(guard: SealedGuard, sent: Envelope, now: float = NOW) -> str:
    """Why ``guard`` refuses what was sent; and that the carrier's answer names nobody."""
    with pytest.raises(Untrusted) as caught:
        guard.read(sent, now)
    return caught.value.reason


def exchanged(a: SealedGuard, b: SealedGuard, now: float = NOW) -> None:
    """A has offered with certificate 1, B answered with certificate 2."""
    signal = b.read(offer(a, "b", now), now)
    a.read(b.seal("a", description("answer", 2), now, reference=signal.reference), now)


def crafted(sender: SealedGuard, to: SealedGuard, /, **change: object) -> Envelope:
    """An offer that ``sender`` signs and seals by itself, with some of the head changed: what a hostile member can do."""
    own, target = sender.membership, to.membership.keys.id
    head = Head(own.property_id, 1, own.keys.id, target, SITE.random(16), int(NOW), own.chain.digest, own.book.current.digest)
    rest = {key: value for key, value in change.items() if key in attrs.fields_dict(Message)}
    head = attrs.evolve(head, **{key: value for key, value in change.items() if key not in rest})
    message = Message("offer", head, "webrtc", sdp(), f"sha-256 {fingerprint(1)}", (1, "e"))
    token, _ = attrs.evolve(message, **rest).sign(own.keys.identity)
    return Envelope("offer", "", envelope.seal(own.book.secret, target, (token, *own.chain.tokens), SITE.random(12)))


class TestTheHonestWay:
    def test_an_offer_is_read_by_whom_it_is_for(self):
        a, b = pair()
        signal = b.open(offer(a, "b"), ORIGIN, NOW)
        assert isinstance(signal, Signal)
        assert (signal.sender, signal.to, signal.mark) == ("a", "b", Mark(1, "start-a"))
        assert signal.description is not None
        assert "10.0.0.7 5000 typ host" in signal.description.sdp

    def test_both_admit_each_other_after_offer_answer_and_hello(self):
        a, b = pair()
        exchanged(a, b)
        ours, theirs = binding(1, 2), binding(2, 1)
        assert b.admit("a", a.hello("b", ours, NOW), theirs, NOW) is None
        assert a.admit("b", b.hello("a", theirs, NOW), ours, NOW) is None

    def test_nothing_readable_is_in_the_bytes(self):
        a, _ = pair()
        body = offer(a, "b").body
        assert (len(body) - envelope.OVERHEAD) % envelope.STEP == 0
        for word in (b"hw-offer", b"10.0.0.7", a.membership.keys.id.encode(), b"candidate", a.membership.property_id):
            assert word not in body

    def test_a_member_that_no_roster_names_yet_is_known_by_its_credential(self):
        site = Site("a")
        site.device("new")
        a, new = site.guard("a"), site.guard("new")
        with pytest.raises(PeerUnavailable):
            a.seal("new", description(), NOW)
        signal = a.read(offer(new, "a"), NOW)
        assert a.seal("new", description("answer", 2), NOW, reference=signal.reference).kind == "answer"


def opened(sent: Envelope, to: SealedGuard) -> tuple[str, ...]:
    return envelope.open_sealed(sent.body, to.membership.keys.id, lambda kid: to.membership.book.held(kid, NOW))[1]


def resealed(sent: Envelope, to: SealedGuard) -> Envelope:
    """The same message in other bytes, as a member can make it."""
    return attrs.evolve(sent, body=envelope.seal(SITE.secret, to.membership.keys.id, opened(sent, to), SITE.random(12)))


class TestRefusals:
    def test_an_outsider_gets_one_word_and_nothing_else(self):
        _, b = pair()
        for body in (b"", b"{}", b"x" * 40_000, b'{"from":"a","to":"b"}' * 40):
            refusal = b.open(Envelope("offer", "", body), ORIGIN, NOW)
            assert isinstance(refusal, Refusal)
            assert (refusal.code, refusal.message, refusal.body) == (RefusalCode.UNAUTHENTICATED, "refused", b"")

    def test_whatever_is_wrong_a_refusal_tells_no_reason(self):
        a, b = pair()
        sent = offer(a, "b")
        b.read(sent, NOW)
        wrong = [
            resealed(sent, b),
            crafted(a, b, to="d" + "a" * 26),
            crafted(a, b, property_id=bytes(32)),
            crafted(a, b, credential=bytes(32)),
        ]
        refusals = [b.open(each, ORIGIN, NOW) for each in wrong]
        assert refusals == [Refusal(RefusalCode.FORBIDDEN, "refused")] * 4

    def test_another_property_and_a_changed_byte_and_another_receiver(self):
        a, b = pair()
        sent = offer(a, "b")
        assert reason(Site("a", "b", seed=2).guard("b"), sent) == "kid"
        assert reason(b, attrs.evolve(sent, body=sent.body[:-1] + bytes([sent.body[-1] ^ 1]))) == "seal"
        assert reason(SITE.guard("c"), sent) == "seal"

    def test_a_member_that_seals_anothers_offer_to_a_third(self):
        a, b = pair()
        c = SITE.guard("c")
        parts = opened(offer(a, "b"), b)
        stolen = envelope.seal(SITE.secret, c.membership.keys.id, parts, SITE.random(12))
        assert reason(c, Envelope("offer", "", stolen)) == "to"
        own = envelope.seal(SITE.secret, c.membership.keys.id, (parts[0], *b.membership.chain.tokens), SITE.random(12))
        assert reason(c, Envelope("offer", "", own)) == "signature"

    def test_replay_at_once_and_a_minute_later_and_after_a_restart(self):
        a, b = pair()
        sent = offer(a, "b")
        b.read(sent, NOW)
        assert reason(b, sent) == "replay"
        assert reason(b, resealed(sent, b), NOW + 61) == "replay"
        assert reason(SITE.guard("b"), sent, NOW + 121) == "expired"

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"sender": "d" + "a" * 26}, "from"),
            ({"to": "d" + "a" * 26}, "to"),
            ({"property_id": bytes(32)}, "property"),
            ({"credential": bytes(32)}, "from"),
            ({"issued": int(NOW) + 121}, "early"),
            ({"issued": int(NOW) - 121}, "expired"),
            ({"challenge": bytes(16)}, "challenge"),
            ({"fingerprint": f"sha-256 {fingerprint(9)}"}, "fingerprint"),
            ({"sdp": sdp(candidates=("1 1 udp 1 224.0.0.1 5000 typ host",))}, "description"),
            ({"sdp": "v=0"}, "description"),
            ({"kind": "memory"}, "description"),
        ],
    )
    def test_what_a_hostile_member_changes(self, change, word):
        a, b = pair()
        assert reason(b, crafted(a, b, **change)) == word
        b.read(crafted(a, b), NOW)

    def test_an_answer_to_no_offer_or_to_anothers(self):
        a, b = pair()
        c = SITE.guard("c")
        signal = b.read(offer(a, "b"), NOW)
        answer = b.seal("a", description("answer", 2), NOW, reference=signal.reference)
        assert reason(SITE.guard("a"), answer) == "answer"
        c.read(offer(a, "c"), NOW)
        stolen = c._exchanges.offer_of(a.membership.keys.id, "", NOW)
        b._exchanges.received(stolen, NOW)
        assert reason(a, b.seal("a", description("answer", 2), NOW, reference=stolen.message.digest.hex())) == "answer"

    def test_one_peer_cannot_use_up_what_all_share(self):
        a, b = pair()
        for _ in range(MAX_SEEN_OF_ONE):
            b.read(crafted(a, b), NOW)
        assert reason(b, crafted(a, b)) == "full"
        b.read(offer(SITE.guard("c"), "b"), NOW)

    def test_another_with_the_same_name(self):
        site = Site("a", "b")
        guard = site.guard("b")
        keys, chain = site.device("a")
        impostor = SealedGuard(guard._device, Membership(keys, site.root.public, chain, guard.membership.book), guard._reach, site.random)
        assert reason(guard, crafted(impostor, guard)) == "name"

    def test_candidates_and_kinds_without_proof_are_not_sent(self):
        a, _ = pair()
        with pytest.raises(MisuseError):
            a.seal("b", Candidate("candidate:1 1 udp 1 10.0.0.7 5000 typ host"), NOW)
        with pytest.raises(MisuseError):
            a.seal("b", Description("memory", "offer", "x"), NOW)
        assert reason(a, Envelope("candidate", "", b"")) == "form"


class TestHello:
    @pytest.mark.parametrize(
        ("ours", "theirs", "word"),
        [
            (binding(1, 9), binding(2, 1), "proves nothing"),
            (binding(1, 2), binding(9, 1), "no exchange"),
            (binding(1, 2), None, "certificates"),
        ],
    )
    @pytest.mark.attack("A8")
    def test_other_certificates_are_refused(self, ours, theirs, word):
        a, b = pair()
        exchanged(a, b)
        assert word in (b.admit("a", a.hello("b", ours, NOW), theirs, NOW) or "")

    @pytest.mark.attack("A10")
    def test_hello_twice_and_nothing_and_anothers(self):
        a, b = pair()
        exchanged(a, b)
        section = a.hello("b", binding(1, 2), NOW)
        for nothing in (None, {}, [], {"proof": 1}, {"proof": "x"}, {"proof": b.hello("a", binding(2, 1), NOW)["proof"]}):
            assert b.admit("a", nothing, binding(2, 1), NOW) is not None
        assert b.admit("c", section, binding(2, 1), NOW) is not None
        assert b.admit("a", section, binding(2, 1), NOW) is None
        assert "no exchange" in (b.admit("a", section, binding(2, 1), NOW) or "")

    @pytest.mark.attack("A10")
    def test_hello_of_an_earlier_exchange_with_the_same_certificates(self):
        a, b = pair()
        exchanged(a, b)
        old = a.hello("b", binding(1, 2), NOW)
        exchanged(a, b)
        assert "another exchange" in (b.admit("a", old, binding(2, 1), NOW) or "")

    @pytest.mark.attack("A12")
    def test_a_member_revoked_between_answer_and_hello(self):
        a, b = pair()
        exchanged(a, b)
        section = a.hello("b", binding(1, 2), NOW)
        assert b.learn(SITE.next(SITE.roster, revoke=("a",)).text, NOW).revoked == {a.membership.keys.id}
        assert b.admit("a", section, binding(2, 1), NOW) is not None


@pytest.mark.attack("A25")
class TestClocks:
    @pytest.mark.parametrize("off", [7200.0, -7200.0, 300.0, -300.0])
    def test_a_wrong_clock_connects_by_a_challenge(self, off):
        a, b = pair()
        with pytest.raises(NeedsChallenge) as caught:
            b.read(offer(a, "b", NOW + off), NOW)
        a.challenged(b.help(caught.value, NOW), NOW + off)
        again = offer(a, "b", NOW + off)
        signal = b.read(again, NOW)
        a.read(b.seal("a", description("answer", 2), NOW, reference=signal.reference), NOW + off)
        assert reason(b, resealed(again, b)) == "challenge"

    def test_a_clock_of_years_ago_stands_on_the_floor(self):
        a, b = pair()
        assert isinstance(b.open(offer(a, "b", NOW - 700), ORIGIN, 0.0), Signal)

    def test_a_challenge_of_another_is_refused(self):
        a, b = pair()
        c = SITE.guard("c")
        with pytest.raises(NeedsChallenge) as caught:
            c.read(offer(a, "c", NOW + 7200), NOW)
        sealed = c.help(caught.value, NOW)
        with pytest.raises(Untrusted):
            b.challenged(sealed, NOW)
        with pytest.raises(Untrusted, match="no offer"):
            SITE.guard("a").challenged(sealed, NOW)


class TestEpochs:
    def test_an_earlier_epoch_gets_the_roster_and_nothing_else(self):
        a, b = pair()
        b.learn(SITE.next(SITE.roster, revoke=("c",)).text, NOW)
        with pytest.raises(NeedsRoster) as caught:
            b.read(offer(a, "b"), NOW)
        handed = b.help(caught.value, NOW)
        with pytest.raises(Untrusted):
            SITE.guard("c").handed_over(handed, NOW)
        assert a.handed_over(handed, NOW).replaced
        b.read(offer(a, "b"), NOW)

    def test_a_revoked_device_gets_nothing_though_it_has_the_earlier_secret(self):
        c, b = SITE.guard("c"), SITE.guard("b")
        b.learn(SITE.next(SITE.roster, revoke=("c",)).text, NOW)
        assert reason(b, offer(c, "b")) == "revoked"
        with pytest.raises(PeerUnavailable):
            b.seal("c", description(), NOW)

    def test_after_thirty_days_an_earlier_secret_opens_nothing(self):
        a, b = pair()
        b.learn(SITE.next(SITE.roster, revoke=("c",)).text, NOW)
        later = NOW + 30 * 86_400
        assert reason(b, offer(a, "b", later), later) == "kid"

    def test_a_new_member_with_the_same_secret_interrupts_nobody(self):
        site = Site("a", "b")
        _, chain = site.device("new")
        grown = site.signed(following(site.roster, add=[Member.of(chain.leaf)], now=NOW), site.secret)
        a, b = site.guard("a"), site.guard("b")
        assert b.learn(grown.text, NOW).replaced
        b.read(offer(a, "b"), NOW)
        a.read(offer(b, "a"), NOW)


@pytest.mark.fuzz
@given(st.data())
def test_any_change_of_an_envelope_is_a_refusal(data):
    a, b = pair()
    body = bytearray(offer(a, "b").body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    assert isinstance(b.open(Envelope("offer", "", bytes(body)), ORIGIN, NOW), Refusal)


@pytest.mark.fuzz
@given(kind=st.sampled_from(["offer", "answer", "candidate", ""]), body=st.binary(max_size=2000))
def test_any_bytes_are_a_refusal(kind, body):
    assert isinstance(SITE.guard("b").open(Envelope(kind, "", body), ORIGIN, NOW), Refusal)


@pytest.mark.fuzz
@given(parts=st.lists(st.text(st.characters(codec="ascii", exclude_characters="~\0"), max_size=200), min_size=1, max_size=4))
def test_anything_that_a_member_seals_is_a_refusal(parts):
    b = SITE.guard("b")
    body = envelope.seal(SITE.secret, b.membership.keys.id, tuple(parts), bytes(12))
    assert isinstance(b.open(Envelope("offer", "", body), ORIGIN, NOW), Refusal)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 80), st.floats(0, 2000)), max_size=300))
def test_the_replay_cache_lets_nothing_in_twice_within_five_minutes(notes):
    cache, seen = ReplayCache(), {}
    for sender, number, now in sorted(notes, key=lambda note: note[2]):
        key = (sender, number)
        again = key in seen and now - seen[key] <= 300
        refusal = noted(cache, sender, number, now)
        assert refusal in ({"replay"} if again else {"", "full"})
        if refusal == "":
            seen[key] = now
        assert len(cache) <= 3 * MAX_SEEN_OF_ONE


def noted(cache: ReplayCache, sender: str, number: int, now: float) -> str:
    try:
        cache.note(sender, number.to_bytes(16, "big"), now)
    except Untrusted as error:
        return error.reason
    return ""


def test_a_flood_of_refusals_is_counted_whole_and_told_once_a_minute(caplog):
    guard = Site("a", "b").guard("b")
    for second in range(61):
        for _ in range(10):
            guard.open(Envelope("offer", "", bytes(700)), ORIGIN, NOW + second)

    assert sum(guard.refusals.values()) == 610
    assert len([record for record in caplog.records if "is refused" in record.message]) == 2


class TestARenewal:
    """A device whose credential has ended gets another one from an admin, by refusal or by hand, and nothing else from anybody."""

    LATER = NOW + DEVICE_LIFE

    def both(self) -> tuple[SealedGuard, SealedGuard]:
        site = Site("a", "b")
        return site.guard("admin"), site.guard("a")

    def test_an_offer_is_refused_with_a_new_credential_and_then_read(self):
        admin, a = self.both()
        refusal = admin.open(offer(a, "admin", self.LATER), ORIGIN, self.LATER)
        assert isinstance(refusal, Refusal)
        assert refusal.code is RefusalCode.STALE_ROSTER
        assert a.helped(refusal, self.LATER)
        assert a.membership.chain.leaf.issued == int(self.LATER)
        assert isinstance(admin.open(offer(a, "admin", self.LATER), ORIGIN, self.LATER), Signal)

    def test_an_answer_needs_it_too_and_it_is_handed_over(self):
        admin, a = self.both()
        told: list[frozenset[str]] = []
        a.watch(told.append)
        signal = a.read(offer(admin, "a", self.LATER), self.LATER)
        answer = a.seal("admin", description("answer", 2), self.LATER, reference=signal.reference)
        refusal = admin.open(answer, ORIGIN, self.LATER)
        assert isinstance(refusal, Refusal)
        handed = admin.hand_over("a", refusal, self.LATER)
        assert handed is not None
        assert a.open(handed, ORIGIN, self.LATER) == Envelope.accepted()
        assert told == [frozenset()]
        signal = a.read(offer(admin, "a", self.LATER), self.LATER)
        admin.read(a.seal("admin", description("answer", 2), self.LATER, reference=signal.reference), self.LATER)

    def test_a_clock_that_is_behind_takes_the_admins_word_for_it(self):
        admin, a = self.both()
        refusal = admin.open(offer(a, "admin", self.LATER), ORIGIN, self.LATER)
        assert isinstance(refusal, Refusal)
        assert a.helped(refusal, NOW)
        assert a.membership.chain.leaf.issued == self.LATER
        assert isinstance(admin.open(offer(a, "admin", self.LATER), ORIGIN, self.LATER), Signal)

    def test_another_member_refuses_it_and_gives_nothing(self):
        site = Site("a", "b")
        a, b = site.guard("a"), site.guard("b")
        refusal = b.open(offer(a, "b", self.LATER), ORIGIN, self.LATER)
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.body) == (RefusalCode.FORBIDDEN, b"")
        assert b.refusals["credential-expired"] == 1

    def test_who_is_revoked_gets_none(self):
        site = Site("a", "b")
        admin, a = site.guard("admin"), site.guard("a")
        sent = offer(a, "admin", self.LATER)
        admin.learn(site.next(site.roster, revoke=("a",)).text, self.LATER)
        assert reason(admin, sent, self.LATER) == "revoked"

    def test_what_is_for_another_device_or_damaged_is_not_taken(self):
        admin, a = self.both()
        refusal = admin.open(offer(a, "admin", self.LATER), ORIGIN, self.LATER)
        assert isinstance(refusal, Refusal)
        b = Site("a", "b").guard("b")
        assert not b.helped(refusal, self.LATER)
        assert not a.helped(attrs.evolve(refusal, body=refusal.body[:-1]), self.LATER)
        assert a.membership.chain.leaf.issued == int(NOW - 1000)

    def test_a_group_secret_of_before_and_an_ended_credential_are_two_refusals(self):
        site = Site("a", "b")
        admin, a = site.guard("admin"), site.guard("a")
        late = NOW + DEVICE_LIFE
        admin.learn(site.next(site.roster, revoke=("b",)).text, late - 1)
        for _ in range(2):
            refusal = admin.open(offer(a, "admin", late), ORIGIN, late)
            assert isinstance(refusal, Refusal)
            assert a.helped(refusal, late)
        assert isinstance(admin.open(offer(a, "admin", late), ORIGIN, late), Signal)
