"""Admins that do not hear of each other, and what the devices make of it once they do: the same, in whatever order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_site import NOW, Site, reason_of

from hallway.trust import admin
from hallway.trust.credential import Subject
from hallway.trust.keys import DeviceKeys
from hallway.trust.membership import Membership
from hallway.trust.roster_book import RosterBook
from hallway.trust.state import TrustState

ADMINS, DEVICES = ("admin", "second", "third"), ("a", "b", "c")
PAST = {"", "rollback", "revoked"}


def site(seed: int = 1) -> Site:
    made = Site(*DEVICES, seed=seed)
    for name in ADMINS[1:]:
        made.admin(name)
    made.roster = made.signed(admin.following(made.roster, add=[_member(made, name) for name in ADMINS[1:]], now=NOW), made.secret)
    return made


def _member(made: Site, name: str) -> admin.Member:
    return admin.Member.of(made.found(name)[1].leaf)


def meet(one: RosterBook, two: RosterBook) -> None:
    """Each tells the other all that it has, as they were before."""
    told = [(other, each.text) for this, other in ((one, two), (two, one)) for each in (this.current, *this.branches)]
    for other, text in told:
        assert reason_of(other.offered, text, NOW) in PAST


def talk(books: list[RosterBook]) -> None:
    """Everybody meets everybody, until nobody learns any more."""
    while True:
        before = [book.digest for book in books]
        for one, two in itertools.combinations(books, 2):
            meet(one, two)
        if [book.digest for book in books] == before:
            return


def act(made: Site, own: Membership, target: str) -> None:
    """The admin does what it can: it revokes ``target``, or takes a device of that name in."""
    if target in (*ADMINS, *DEVICES):
        if target != own.chain.leaf.name and own.book.current.member(target) is not None:
            own.learn(admin.revoke(own, target, NOW, made.random), NOW)
        return
    keys = DeviceKeys.generate(made.random)
    if own.book.current.member(target) is None:
        own.learn(admin.admit(own, Subject(keys.identity.public, keys.sealing.public, target), NOW, made.random).roster, NOW)


steps = st.one_of(
    st.tuples(st.sampled_from(ADMINS), st.sampled_from((*ADMINS, *DEVICES, "new"))),
    st.tuples(st.sampled_from((*ADMINS, *DEVICES)), st.none(), st.sampled_from((*ADMINS, *DEVICES))),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(steps, min_size=2, max_size=7), st.randoms(use_true_random=False))
def test_whoever_meets_whom_first_all_end_with_one_roster_one_secret_and_all_revocations(history, order):
    made = site()
    own = {name: made.membership(name) for name in (*ADMINS, *DEVICES)}
    signed = set()
    for step in history:
        if len(step) == 2:
            # A device that was told that it is revoked acts on, as a stolen one would.
            act(made, own[step[0]], step[1])
            signed |= own[step[0]].book.current.revoked_ids
        elif step[0] != step[2]:
            meet(own[step[0]].book, own[step[2]].book)
    books = [membership.book for membership in own.values()]
    order.shuffle(books)
    talk(books)
    assert {book.current.digest for book in books} == {books[0].current.digest}
    assert {frozenset(book.revocations) for book in books} == {frozenset(signed)}
    inside = [book for name, membership in own.items() if (book := membership.book).current.sealed.get(made.found(name)[0].id)]
    assert len({book.secret.raw() for book in inside}) <= 1


def quarrel() -> tuple[Site, dict[str, Membership]]:
    """The two admins have revoked each other; a heard of the one first, b of the other."""
    made = site()
    own = {name: made.membership(name) for name in (*ADMINS, *DEVICES)}
    act(made, own["admin"], "second")
    act(made, own["second"], "admin")
    meet(own["admin"].book, own["a"].book)
    meet(own["second"].book, own["b"].book)
    return made, own


def test_two_admins_that_revoke_each_other_are_both_out_everywhere_and_the_rest_goes_on():
    made, own = quarrel()
    devices = [own[name].book for name in DEVICES]
    talk(devices)
    gone = {made.found(name)[0].id for name in ("admin", "second")}
    for book in devices:
        assert book.revocations.keys() == gone
        assert book.unsettled
        assert book.secret.same(devices[0].secret)


def test_the_root_has_the_last_word():
    """What a stolen admin says counts no more once an admin that the root has named later has revoked it; all the rest heals."""
    made, own = quarrel()
    own["c"] = admin.recover(own["c"], made.root, NOW, made.random)
    talk([own[name].book for name in DEVICES])
    # It revokes both, since it has heard of both; what they held is worth nothing any more.
    own["c"].learn(admin.settle(own["c"], NOW, made.random), NOW)
    talk([own[name].book for name in DEVICES])
    books = [own[name].book for name in DEVICES]
    assert {book.current.digest for book in books} == {own["c"].book.current.digest}
    assert not any(book.unsettled for book in books)
    act(made, own["second"], "a")
    last = own["second"].book.current.text
    assert [reason_of(book.offered, last, NOW) for book in books] == ["revoked"] * 3
    # a and b were taken in by the admin that is out. The roster vouches for them, and the new admin renews them.
    assert books[2].stands(own["a"].chain)
    assert books[2].stands(own["b"].chain)


def forked(first: str, second: str):
    """A property, and its admins as members: two of them have signed side by side, each for that device, and all have heard of both."""
    made = site()
    own = {name: made.membership(name) for name in ADMINS}
    act(made, own["admin"], first)
    act(made, own["second"], second)
    talk([member.book for member in own.values()])
    return made, own


class TestUpkeep:
    def test_a_group_secret_is_replaced_after_180_days_by_one_admin_and_the_next_waits_a_day(self):
        made = site()
        own = [made.membership(name) for name in ADMINS]
        born = own[0].book.current.issued
        days = sorted(admin.upkeep_at(member, None) for member in own)
        assert days == [born + (180 + turn) * admin.DAY for turn in range(3)]
        assert admin.upkeep_at(made.membership("a"), None) is None

    def test_a_device_that_was_only_added_does_not_make_the_secret_younger(self):
        made = site()
        own, born = made.membership("admin"), made.roster.issued
        act(made, own, "new")
        assert own.book.secret_since == born
        assert own.book.current.issued > born
        act(made, own, "a")
        assert own.book.secret_since == own.book.current.issued

    def test_a_fork_is_settled_at_once_and_by_the_next_admin_if_the_first_does_not(self):
        made, own = forked("a", "b")
        assert all(member.book.unsettled for member in own.values())
        turns = {admin.upkeep_at(member, NOW): member for member in own.values()}
        assert sorted(turns) == [NOW + turn * admin.TURN for turn in range(3)]
        turns[NOW].learn(admin.settle(turns[NOW], NOW, made.random), NOW)
        talk([member.book for member in own.values()])
        assert not any(member.book.unsettled for member in own.values())
        assert [sorted(one.name for one in member.book.current.members) for member in own.values()] == [
            ["admin", "c", "second", "third"]
        ] * 3

    def test_two_that_settle_a_fork_side_by_side_are_done_as_well(self):
        made, own = forked("new", "new")
        for name in ADMINS[:2]:
            own[name].learn(admin.settle(own[name], NOW, made.random), NOW)
        talk([member.book for member in own.values()])
        assert not any(member.book.unsettled for member in own.values())


def test_whom_a_revoked_admin_alone_has_taken_in_does_not_stand():
    made = site()
    own = {name: made.membership(name) for name in (*ADMINS, *DEVICES)}
    made.devices["bad"] = bad = made.device("bad")
    assert own["a"].book.stands(bad[1])
    act(made, own["second"], "admin")
    meet(own["second"].book, own["a"].book)
    assert not own["a"].book.stands(bad[1])
    assert own["a"].book.stands(own["b"].chain)


@pytest.mark.parametrize("keep", [True, False])
def test_branches_and_who_said_it_last_are_kept_on_disk(tmp_path, keep):
    _, own = quarrel()
    meet(own["a"].book, own["b"].book)
    member, state = own["a"], TrustState(tmp_path / "state")
    if not keep:
        member = own["c"]
    state.save_keys(member.keys)
    state.save(member)
    again = state.load().book
    assert [one.text for one in again.branches] == [one.text for one in member.book.branches]
    assert again.revocations == member.book.revocations
    assert again.digest == member.book.digest
    assert bool(again.branches) is keep
