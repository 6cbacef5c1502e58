"""An admin whose clock is years ahead, and what the others make of what it signs."""

from __future__ import annotations

import pytest
from sealed_site import NOW, ORIGIN, Site, binding, description, offer

from hallway.errors import ClockDoubtful, Untrusted
from hallway.model import Refusal, RefusalCode
from hallway.trust import admin
from hallway.trust.credential import DEVICE_LIFE, Subject, issue_admin, renew, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.guard import Signal
from hallway.trust.membership import LEAP, Membership
from hallway.trust.roster import following
from hallway.trust.sealed_guard import SealedGuard

YEAR = 365 * 86_400.0
AHEAD = NOW + 3 * YEAR


def site() -> Site:
    return Site("a", "b", "new")


def subject_of(made: Site, name: str) -> Subject:
    keys = made.devices[name][0]
    return Subject(keys.identity.public, keys.sealing.public, name)


def link(one: SealedGuard, two: SealedGuard, times: tuple[float, float]) -> str | None:
    """Dial ``two``, with one challenge if it wants one; why it does not admit ``one``."""
    here, there = times
    signal = two.open(offer(one, two._device.device_id, here), ORIGIN, there)
    if isinstance(signal, Refusal) and one.helped(signal, here):
        signal = two.open(offer(one, two._device.device_id, here), ORIGIN, there)
    if not isinstance(signal, Signal):
        return signal.code.value
    answer = two.seal(one._device.device_id, description("answer", 2), there, reference=signal.reference)
    assert isinstance(one.open(answer, ORIGIN, here), Signal)
    return two.admit(one._device.device_id, one.hello(two._device.device_id, binding(1, 2), here), binding(2, 1), there)


@pytest.mark.attack("A25")
class TestAnAdminThatIsYearsAhead:
    def test_what_it_signs_moves_no_clock_by_more_than_a_day_and_ends_no_credential(self):
        made = site()
        a, b = made.guard("a"), made.guard("b")
        news = made.signed(following(made.roster, now=AHEAD), made.secret, at=AHEAD)
        for guard in (a, b):
            guard.learn(news.text, NOW)
        print(f"A25 the clock of a member after the news: {a.membership.time(NOW) - NOW:.0f} s ahead")
        assert a.membership.time(NOW) <= NOW + LEAP
        assert link(a, b, (NOW, NOW)) is None

    def test_a_credential_that_it_renews_is_taken_and_moves_no_clock_either(self):
        made = site()
        a, b = made.guard("a"), made.guard("b")
        admin_keys, own = made.admins["admin"]
        token = renew(admin_keys.identity, own, a.membership.chain.leaf, AHEAD, made.random, epoch=1)
        a.membership.renewed((token, *own.tokens), NOW)
        assert a.membership.time(NOW) <= NOW + LEAP
        assert link(a, b, (NOW, NOW)) is None

    def test_a_restart_does_not_believe_it_either(self):
        made = site()
        member = made.membership("a")
        member.learn(made.signed(following(made.roster, now=AHEAD), made.secret, at=AHEAD).text, NOW)
        again = Membership(member.keys, member.root, member.chain, member.book, member.floor)
        assert again.time(NOW) <= NOW + LEAP

    def test_the_next_group_secret_comes_in_its_time_all_the_same(self):
        made = site()
        member = made.membership("admin")
        member.learn(made.next(made.roster).text, NOW)
        ahead = made.signed(following(member.book.current, now=AHEAD), GroupSecret.generate(made.random), at=AHEAD)
        member.learn(ahead.text, NOW)
        assert admin.upkeep_at(member, None) <= NOW + admin.SECRET_LIFE + LEAP

    def test_it_takes_nobody_in_and_says_what_to_do(self):
        made = site()
        own = made.membership("admin")
        with pytest.raises(ClockDoubtful, match="ahead") as caught:
            admin.admit(own, subject_of(made, "new"), AHEAD, made.random)
        assert "set the clock" in caught.value.hint
        with pytest.raises(ClockDoubtful):
            admin.renewed(own, made.devices["a"][1], AHEAD, made.random)
        admin.admit(own, subject_of(made, "new"), own.floor + DEVICE_LIFE, made.random)

    def test_it_revokes_all_the_same_at_the_time_that_is_certain(self):
        made = site()
        own, b = made.membership("admin"), made.membership("b")
        text = admin.revoke(own, "a", AHEAD, made.random)
        b.learn(text, NOW)
        assert b.book.is_revoked(made.devices["a"][0].id)
        assert b.book.current.issued == own.floor

    def test_who_needs_a_renewal_of_it_gets_none(self):
        made = site()
        boss, a = made.guard("admin"), made.guard("a")
        challenge = boss.open(offer(a, "admin", NOW), ORIGIN, AHEAD)
        assert isinstance(challenge, Refusal)
        assert a.helped(challenge, NOW)
        refusal = boss.open(offer(a, "admin", NOW), ORIGIN, AHEAD)
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.body) == (RefusalCode.FORBIDDEN, b"")


@pytest.mark.attack("A25")
class TestAPropertyThatHasSleptForYears:
    def test_the_clock_of_one_member_is_enough_for_its_admin(self):
        made = site()
        boss, a = made.guard("admin"), made.guard("a")
        refusal = boss.open(offer(a, "admin", AHEAD), ORIGIN, AHEAD)
        assert isinstance(refusal, Refusal)
        assert a.helped(refusal, AHEAD)
        assert a.membership.chain.leaf.issued == int(AHEAD)
        assert link(a, boss, (AHEAD, AHEAD)) is None
        admin.admit(boss.membership, subject_of(made, "new"), AHEAD, made.random)

    def test_a_revoked_device_is_no_witness(self):
        made = site()
        boss, a = made.guard("admin"), made.guard("a")
        boss.learn(made.next(made.roster, revoke=("a",)).text, NOW)
        assert isinstance(boss.open(offer(a, "admin", AHEAD), ORIGIN, AHEAD), Refusal)
        with pytest.raises(ClockDoubtful):
            admin.admit(boss.membership, subject_of(made, "new"), AHEAD, made.random)

    def test_the_root_has_the_last_word_about_time_as_well(self):
        made = site()
        own = admin.recover(made.membership("b"), made.root, AHEAD, made.random)
        assert own.time(0.0) == int(AHEAD)
        admin.admit(own, subject_of(made, "new"), AHEAD, made.random)


def test_the_root_names_nobody_earlier_than_whom_it_has_named_before():
    """Or else the admin of a wrong clock could not be silenced by a later one."""
    made = site()
    keys = made.devices["b"][0]
    token = issue_admin(made.root, Subject(keys.identity.public, keys.sealing.public, "b"), AHEAD, made.random)
    made.admins["b"] = keys, verify_chain([token], made.root.public, AHEAD)
    own = made.membership("a")
    own.learn(made.signed(following(made.roster, now=AHEAD), made.secret, by="b", at=AHEAD).text, NOW)
    recovered = admin.recover(own, made.root, NOW, made.random)
    assert recovered.chain.leaf.issued > AHEAD


@pytest.mark.attack("A25")
def test_a_device_whose_clock_has_stopped_meets_those_whose_credentials_are_newer():
    made = site()
    a, boss = made.guard("a"), made.membership("admin")
    later = NOW + 300 * 86_400
    tokens = admin.renewed(boss, made.devices["b"][1], later, made.random)
    b = made.guard("b")
    b.membership.renewed(tokens, later)
    assert link(a, b, (0.0, later)) is None


def test_a_credential_says_itself_that_its_time_has_come():
    made = site()
    chain = made.devices["a"][1]
    assert verify_chain(chain.tokens, made.root.public, 0.0) == chain
    with pytest.raises(Untrusted) as caught:
        verify_chain(chain.tokens, made.root.public, chain.leaf.expires)
    assert caught.value.reason == "credential-expired"
