"""Pairing without a network: who gets in by what, who does not, and what a crash at any step leaves."""

from __future__ import annotations

import hmac
import time

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairing_rig import Inviter, Newcomer, by_code, by_invitation, wrong_code
from sealed_site import NOW

from hallway.errors import Untrusted
from hallway.trust import admin
from hallway.trust.joining import Joiner
from hallway.trust.keys import DeviceKeys
from hallway.trust.pairing import ATTEMPTS, LIFE, PATIENCE, Asking, Attempted, Closing, Enrolled
from hallway.trust.pairing_wire import First, No, read_answer, read_request

WAYS = [by_code, by_invitation]


def shown(events):
    return [(type(event).__name__, getattr(event, "reason", getattr(event, "outcome", ""))) for event in events]


@pytest.mark.parametrize("way", WAYS)
class TestWhoKnowsTheSecret:
    def test_is_a_member_that_all_others_know(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        assert newcomer.join(inviter, way(inviter)) is None
        assert inviter.names == ["desk", "tablet-1"]
        assert newcomer.membership.chain.leaf.name == "tablet-1"
        assert newcomer.membership.property_name == "Sea View"
        assert newcomer.membership.book.current == inviter.membership.book.current
        assert newcomer.membership.book.secret.same(inviter.membership.book.secret)
        assert shown(inviter.events) == [("Attempted", "confirmed"), ("Enrolled", ""), ("Closed", "enrolled")]
        assert inviter.window.closed is Closing.ENROLLED

    def test_shows_the_same_four_characters_at_both_ends(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        newcomer.join(inviter, way(inviter))
        (enrolled,) = (event for event in inviter.events if isinstance(event, Enrolled))
        assert enrolled.applicant.check == newcomer.keys.id[1:5].upper()

    def test_and_has_a_name_that_is_taken_is_turned_away_and_may_take_another(self, way):
        inviter, newcomer = Inviter(), Newcomer("DESK")
        assert newcomer.join(inviter, way(inviter)) is No.NAME
        newcomer.name = "desk-2"
        assert newcomer.join(inviter, way(inviter)) is None
        assert inviter.names == ["desk", "desk-2"]

    def test_with_a_revoked_key_does_not_come_back(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        newcomer.join(inviter, way(inviter))
        inviter.membership.learn(admin.revoke(inviter.membership, "tablet-1", NOW, inviter.random), NOW)
        inviter.open()
        assert newcomer.join(inviter, way(inviter)) is No.REVOKED
        assert Newcomer("tablet-1", seed=3).join(inviter, way(inviter)) is None

    @pytest.mark.attack("A13")
    def test_and_comes_when_the_window_is_over_is_too_late(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        assert newcomer.join(inviter, way(inviter), now=LIFE) is No.CLOSED
        assert shown(inviter.events) == [("Closed", "expired")]
        assert inviter.names == ["desk"]

    @pytest.mark.attack("A13")
    def test_lets_nobody_else_in_with_it(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        ticket = way(inviter)
        joiner = newcomer.joiner(ticket)
        inviter.post(joiner.third(inviter.post(joiner.first)))
        assert Newcomer("tablet-2", seed=3).join(inviter, ticket) is No.USED
        inviter.post(joiner.done())
        assert Newcomer("tablet-2", seed=3).join(inviter, ticket) is No.CLOSED
        assert inviter.names == ["desk", "tablet-1"]

    @pytest.mark.parametrize("crash", range(1, 5))
    @pytest.mark.parametrize("who", ["joiner", "inviter"])
    @pytest.mark.attack("A15")
    def test_a_crash_after_any_message_leaves_one_member_or_none(self, way, crash, who):
        """A15: the messages up to ``crash`` have arrived, then one of the two forgets all but what is on its disk."""
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        joiner = newcomer.joiner(way(inviter))
        second = inviter.post(joiner.first)
        third = joiner.third(second) if crash >= 2 else b""
        fourth = inviter.post(third) if crash >= 3 else b""
        before = joiner.joined(fourth, NOW) if crash == 4 else None
        if who == "inviter":
            inviter.open()
        assert newcomer.join(inviter, way(inviter)) is None
        assert inviter.names == ["desk", "tablet-1"]
        member = inviter.membership.book.current.member("tablet-1")
        assert member.serial == newcomer.membership.chain.leaf.serial
        if before is not None and who == "joiner":
            assert newcomer.membership.chain.tokens == before.chain.tokens
        print(f"A15 {way.__name__}: {who} crashed after message {crash}: members {inviter.names}")

    def test_every_message_may_come_twice(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        joiner = newcomer.joiner(way(inviter))
        second = inviter.post(joiner.first)
        assert inviter.post(joiner.first) == second
        third = joiner.third(second)
        fourth = inviter.post(third)
        assert inviter.post(third) == fourth
        assert joiner.joined(fourth, NOW) is not None
        inviter.post(joiner.done())
        assert inviter.post(joiner.done()) is No.CLOSED
        assert inviter.names == ["desk", "tablet-1"]
        assert inviter.window.left == ATTEMPTS - 1

    @pytest.mark.attack("A13")
    def test_one_joiner_at_a_time_until_it_falls_silent(self, way):
        inviter, first, second = Inviter(), Newcomer("tablet-1"), Newcomer("tablet-2", seed=3)
        inviter.post(first.joiner(way(inviter)).first, 1.0)
        assert second.join(inviter, way(inviter), 1.0 + PATIENCE) is No.BUSY
        assert second.join(inviter, way(inviter), 1.1 + PATIENCE) is None
        assert ("Attempted", "given-up") in shown(inviter.events)

    @pytest.mark.attack("A13")
    def test_nobody_keeps_it_out_by_repeating_a_first_message(self, way):
        """Without a proof that costs a stranger one attempt, and nobody would be told of it."""
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        stranger = Newcomer("x", seed=9).joiner(by_code(inviter))
        inviter.post(stranger.first, 1.0)
        for now in (PATIENCE / 2, PATIENCE):
            inviter.post(stranger.first, now)
        assert newcomer.join(inviter, way(inviter), 1.1 + PATIENCE) is None
        assert ("Attempted", "given-up") in shown(inviter.events)

    def test_a_clock_that_is_wrong_does_not_keep_it_out(self, way):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        joiner = newcomer.joiner(way(inviter))
        fourth = inviter.post(joiner.third(inviter.post(joiner.first)))
        assert joiner.joined(fourth, 1000.0).time(1000.0) >= NOW


class TestAPersonLooksAtWhoHasTheCode:
    def begun(self):
        inviter, newcomer = Inviter(yes=False), Newcomer("tablet-1")
        joiner = newcomer.joiner(by_code(inviter))
        third = joiner.third(inviter.post(joiner.first))
        assert joiner.joined(inviter.post(third), NOW) is None
        return inviter, newcomer, joiner, third

    def test_and_says_yes(self):
        inviter, newcomer, joiner, third = self.begun()
        assert [event.applicant.name for event in inviter.events if isinstance(event, Asking)] == ["tablet-1"]
        assert joiner.joined(inviter.post(third), NOW) is None
        assert not inviter.window.answer("d" + "a" * 26, admit=True)
        assert inviter.window.answer(newcomer.keys.id, admit=True)
        assert joiner.joined(inviter.post(third), NOW).chain.leaf.name == "tablet-1"

    def test_and_says_no(self):
        inviter, newcomer, _, third = self.begun()
        assert inviter.window.answer(newcomer.keys.id, admit=False)
        assert inviter.post(third) is No.DECLINED
        assert inviter.names == ["desk"]

    def test_and_is_told_when_the_joiner_is_gone(self):
        inviter, newcomer, _, third = self.begun()
        assert inviter.post(third, 5.0 + PATIENCE) is No.SESSION
        assert shown(inviter.events)[-1] == ("TurnedAway", "session")
        assert not inviter.window.answer(newcomer.keys.id, admit=True)

    @pytest.mark.attack("A13")
    def test_and_nobody_else_keeps_it_waiting_when_it_is_gone(self):
        inviter, newcomer, joiner, third = self.begun()
        overheard = attrs.evolve(read_request(third), confirm=bytes(32)).body()
        for body in (overheard, joiner.first):
            inviter.post(body, PATIENCE - 1)
        assert inviter.post(third, 5.0 + PATIENCE) is No.SESSION
        assert not inviter.window.answer(newcomer.keys.id, admit=True)

    def test_and_nobody_asks_about_the_holder_of_the_invitation(self):
        inviter, newcomer = Inviter(yes=False), Newcomer("tablet-1")
        assert newcomer.join(inviter, by_invitation(inviter)) is None


def seconds_of(first, token):
    """The cryptography of turning 1,000 away, in seconds of this process."""
    begun = time.process_time()
    for number in range(1000):
        hmac.compare_digest(first.mac_of(token), number.to_bytes(32))
    return time.process_time() - begun


class TestWhoDoesNotKnowTheSecret:
    @pytest.mark.attack("A13")
    def test_three_wrong_codes_close_the_window(self):
        """A13."""
        inviter = Inviter()
        right = by_code(inviter)
        outcomes = [Newcomer(f"x{number}", seed=number).join(inviter, wrong_code(inviter)) for number in range(ATTEMPTS)]
        assert outcomes == [No.WRONG] * ATTEMPTS
        assert shown(inviter.events) == [("Attempted", "wrong")] * ATTEMPTS + [("Closed", "attempts")]
        assert [event.left for event in inviter.events if isinstance(event, Attempted)] == [2, 1, 0]
        assert Newcomer("tablet-1").join(inviter, right) is No.CLOSED
        assert inviter.names == ["desk"]
        print(f"A13: {outcomes}, then the right code: closed")

    def test_an_attempt_is_counted_when_it_begins(self):
        inviter = Inviter()
        for number in range(ATTEMPTS):
            assert not isinstance(inviter.post(Newcomer("x", seed=9).joiner(wrong_code(inviter)).first, number * 100.0), No)
            inviter.window.tick(number * 100.0 + PATIENCE + 1)
        assert inviter.window.closed is Closing.ATTEMPTS

    @pytest.mark.attack("A14")
    def test_a_wrong_token_is_turned_away_for_free(self):
        """A14."""
        inviter = Inviter()
        joiner = Newcomer("x").joiner(by_invitation(inviter))
        first = read_request(joiner.first)
        bodies = [attrs.evolve(first, mac=number.to_bytes(32)).body() for number in range(1000)]
        assert {inviter.post(body) for body in bodies} == {No.TOKEN}
        spent = min(seconds_of(first, inviter.window.invitation.token) for _ in range(5))
        assert spent < 0.010
        print(f"A14: 1000 PAIR1 without the token: all refused, {spent * 1000:.1f} ms of cryptography")
        assert inviter.window.left == ATTEMPTS
        assert inviter.events == []
        assert Newcomer("tablet-1").join(inviter, by_invitation(inviter)) is None

    def test_an_invitation_alone_cannot_be_used_up_by_codes(self):
        inviter = Inviter()
        inviter.open(with_code=False)
        for number in range(50):
            assert Newcomer("x", seed=number).join(inviter, by_code(inviter)) is No.TOKEN
        assert Newcomer("tablet-1").join(inviter, by_invitation(inviter)) is None

    @pytest.mark.attack("A13")
    def test_codes_used_up_do_not_stop_who_has_shown_the_invitation(self):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        inviter.post(newcomer.joiner(by_invitation(inviter)).first, 1.0)
        for number in range(ATTEMPTS):
            Newcomer("x", seed=number + 10).join(inviter, wrong_code(inviter), 30.0)
        assert newcomer.join(inviter, by_invitation(inviter), 31.0) is None

    @pytest.mark.attack("A13")
    def test_an_impostor_that_answers_learns_nothing_and_gives_nothing(self):
        """A13: somebody in the middle with a guess at the code."""
        inviter, impostor, newcomer = Inviter(), Inviter(seed=7), Newcomer("tablet-1")
        joiner = newcomer.joiner(by_code(inviter))
        third = joiner.third(impostor.post(joiner.first))
        assert impostor.post(third) is No.WRONG
        with pytest.raises(Untrusted) as caught:
            joiner.joined(b'{"v":1,"t":"pair4","confirm":"' + b"A" * 43 + b'","sealed":"AAAA"}', NOW)
        assert caught.value.reason == "seal"

    def test_another_admin_than_the_invitations_is_not_believed(self):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        ticket = attrs.evolve(by_invitation(inviter), admin=bytes(32))
        joiner = newcomer.joiner(ticket)
        with pytest.raises(Untrusted) as caught:
            joiner.joined(inviter.post(joiner.third(inviter.post(joiner.first))), NOW)
        assert caught.value.reason == "issuer"

    def test_a_key_that_is_another_devices_is_not_taken(self):
        inviter, victim = Inviter(), Newcomer("tablet-1")
        thief = Newcomer("tablet-2", seed=5)
        mixed = DeviceKeys(thief.keys.identity, victim.keys.sealing)
        joiner = Joiner(mixed, "tablet-2", by_code(inviter), thief.random)
        stolen = attrs.evolve(read_request(joiner.first), joiner=bytes(32)).body()
        second = inviter.post(stolen)
        assert inviter.post(joiner.third(second)) is No.WRONG

    def test_a_member_cannot_take_others_in(self):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        newcomer.join(inviter, by_code(inviter))
        inviter.membership = newcomer.membership
        inviter.open()
        with pytest.raises(Exception, match="no admin"):
            Newcomer("tablet-2", seed=3).join(inviter, by_code(inviter))


class TestAnything:
    @pytest.mark.fuzz
    @given(st.binary(max_size=5000))
    def test_is_refused_or_read(self, body):
        for read in (read_request, read_answer):
            try:
                read(body)
            except Untrusted:
                continue
        assert isinstance(Inviter.post(INVITER, body), No)

    @pytest.mark.fuzz
    @settings(max_examples=60)
    @given(st.data())
    def test_that_is_changed_on_its_way_lets_nobody_in(self, data):
        inviter, newcomer = Inviter(), Newcomer("tablet-1")
        joiner = newcomer.joiner(data.draw(st.sampled_from(WAYS))(inviter))
        at = data.draw(st.integers(1, 4))

        def changed(body, number):
            if number != at:
                return body
            place = data.draw(st.integers(0, len(body) - 1))
            return body[:place] + data.draw(st.binary(min_size=1, max_size=3)) + body[place + 1 :]

        bodies: list[bytes] = []
        try:
            second = inviter.post(changed(joiner.first, 1))
            if isinstance(second, No):
                return
            fourth = inviter.post(changed(joiner.third(changed(second, 2)), 3))
            if isinstance(fourth, No):
                return
            bodies.append(fourth)
            joiner.joined(changed(fourth, 4), NOW)
        except Untrusted:
            return
        # What was changed says the same: a space, or an escape.
        assert bodies

    @pytest.mark.fuzz
    @given(first=st.builds(First, st.just("code"), st.binary(min_size=32, max_size=32), st.binary(min_size=33, max_size=33)))
    def test_half_of_an_exchange_is_refused_or_of_no_use(self, first):
        inviter = Inviter(seed=3)
        answer = inviter.post(first.body())
        assert answer is No.FORM or isinstance(answer, bytes)
        assert inviter.names == ["desk"]


ACTORS = {"tablet-1": by_code, "tablet-2": by_invitation, "stranger": wrong_code, "other stranger": wrong_code}


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(sorted(ACTORS)), st.integers(0, 3), st.sampled_from([0.0, 1.0, PATIENCE])), max_size=25))
@pytest.mark.attack("A13")
def test_whoever_comes_in_whatever_order_one_device_joins_at_most(steps):
    """Each step is one actor that sends its next message, or an earlier one once more, or begins anew, after some time."""
    inviter, now = Inviter(seed=5), 0.0
    devices = {name: Newcomer(name.replace(" ", "-"), seed=number) for number, name in enumerate(sorted(ACTORS))}
    underway: dict[str, tuple[Joiner, list[bytes]]] = {}
    begun = 0
    for name, step, passed in steps:
        now += passed
        joiner, sent = underway.get(name, (None, []))
        if joiner is None or step == 3:
            joiner = devices[name].joiner(ACTORS[name](inviter))
            sent = [joiner.first]
        body = sent[min(step, len(sent) - 1)]
        begun += name.endswith("stranger") and body is sent[0]
        answer = inviter.post(body, now)
        if isinstance(answer, bytes) and len(sent) == 1:
            sent = [*sent, joiner.third(answer)]
        underway[name] = joiner, sent
    assert len(inviter.names) <= 2
    assert not any("stranger" in name for name in inviter.names)
    enrolled = [event.applicant.name for event in inviter.events if isinstance(event, Enrolled)]
    assert enrolled == inviter.names[1:]
    wrong = [event for event in inviter.events if isinstance(event, Attempted) and event.outcome == "wrong"]
    assert len(wrong) <= min(ATTEMPTS, begun)


INVITER = Inviter(seed=4)


def test_no_secret_shows_itself():
    inviter, newcomer = Inviter(), Newcomer("tablet-1")
    ticket = by_invitation(inviter)
    joiner = newcomer.joiner(ticket)
    inviter.post(joiner.third(inviter.post(joiner.first)))
    window = inviter.window
    text = "".join(map(repr, (window, window.invitation, ticket, joiner, window._session, *inviter.events, by_code(inviter))))
    for secret in (window.code, repr(window.invitation.token), window.invitation.text(), window.invitation.token.hex()):
        assert secret not in text
