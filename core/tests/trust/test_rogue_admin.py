"""What a stolen admin device signs with software of its own must not stop the next admin: that it is turned away is all that is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jwt import PyJWS
from sealed_site import NOW, Site, reason_of

from hallway.trust import admin, jws
from hallway.trust.claims import b64
from hallway.trust.credential import Role, Subject, issue_admin, verify_chain
from hallway.trust.jws import Typ
from hallway.trust.membership import Membership
from hallway.trust.roster import MAX_MEMBERS, MAX_REVOKED, Draft, Member, Revocation, following, issue_roster
from hallway.trust.roster_book import MAX_UNION
from hallway.trust.state import TrustState

DEVICES = ("a", "b", "c")
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def made_up(number: int) -> str:
    """A key id that nobody has."""
    return "d" + "".join(LETTERS[number >> 5 * place & 31] for place in range(26))


def site() -> tuple[Site, dict[str, Membership]]:
    made = Site(*DEVICES)
    made.admin("rogue")
    made.roster = made.signed(following(made.roster, add=[Member.of(made.found("rogue")[1].leaf)], now=NOW), made.secret)
    return made, {name: made.membership(name) for name in (*DEVICES, "admin", "rogue")}


def by_hand(made: Site, change: Callable[[dict[str, Any]], None]) -> str:
    """The next roster of the rogue, with whatever it likes in it."""
    keys, chain = made.admins["rogue"]
    text = issue_roster(keys.identity, chain, following(made.roster, now=NOW), made.secret, NOW)
    token, _, credential = text.partition("~")
    claims = jws.verify(token, Typ.ROSTER, keys.identity.private.public_key(), len(token)).values
    change(claims := dict(claims))
    # In its own software: ours would not write some of it.
    payload, private = json.dumps(claims).encode(), keys.identity.private
    return f"{PyJWS().encode(payload, private, algorithm='EdDSA', headers={'typ': Typ.ROSTER.value})}~{credential}"


def member(**fields: Any) -> dict[str, Any]:
    return {"sub": made_up(1), "ser": b64(bytes(16)), "nm": "nobody", "role": "member", "xk": b64(b"\x09" + bytes(31)), **fields}


def crowd(claims: dict[str, Any], devices: int) -> None:
    claims["members"] = [member(sub=made_up(number), nm=f"n{number}") for number in range(devices)]
    claims["gk"] = {}


def lists(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims["members"].append(member(**fields))


def revokes(*subs: str) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims["revoked"].extend({"sub": sub, "ser": b64(bytes(16)), "at": int(NOW)} for sub in subs)


TRICKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a member of which no key can be named": lists(sub="\ud800"),
    "a member to which nothing can be sealed": lists(xk=b64(bytes(32))),
    "a revocation of which no key can be named": revokes("\ud800"),
    "as many revocations as a roster holds": revokes(*(made_up(number) for number in range(MAX_REVOKED))),
    "the last epoch that there is": lambda claims: claims.update(ep=(1 << 53) - 1, min_ep=(1 << 53) - 1, gk={}),
    "as many strangers as a roster holds, and nobody else": lambda claims: crowd(claims, MAX_MEMBERS),
}


@pytest.mark.attack("A12", "A16")
@pytest.mark.parametrize("what", TRICKS)
@pytest.mark.parametrize("healer", ["another admin", "the root"])
def test_who_stole_an_admin_cannot_keep_others_from_turning_it_away(what, healer):
    made, own = site()
    rogue = made.admins["rogue"][0].id
    text = by_hand(made, TRICKS[what])
    taken = {name: reason_of(own[name].learn, text, NOW) for name in (*DEVICES, "admin")}
    if healer == "the root":
        own["c"] = admin.recover(own["c"], made.root, NOW, made.random)
    boss = own["c" if healer == "the root" else "admin"]
    boss.learn(admin.revoke(boss, "rogue", NOW, made.random), NOW)
    for name in (*DEVICES, "admin"):
        if own[name] is not boss:
            own[name].learn(boss.book.current.text, NOW)
    print(
        f"A16 {what}: {taken}; then {healer} turns it away: epoch {boss.book.current.epoch}, {len(boss.book.current.revoked)} revocations"
    )
    assert all(own[name].book.is_revoked(rogue) for name in (*DEVICES, "admin"))
    assert {own[name].book.current.digest for name in (*DEVICES, "admin")} == {boss.book.current.digest}
    assert all(own[name].book.stands(own["a"].chain) for name in DEVICES)
    assert not any(own[name].book.unsettled for name in (*DEVICES, "admin")) or "strangers" in what
    boss.learn(admin.settle(boss, NOW, made.random), NOW)
    assert not boss.book.unsettled


@pytest.mark.parametrize("text", ["", "~", "\ud800~\ud800", "a" * 300_000, "é.é.é~é", "\0"])
def test_what_is_no_roster_is_refused(text):
    assert reason_of(site()[1]["a"].learn, text, NOW) in {"form", "size"}


@pytest.mark.attack("A16")
def test_an_admin_that_leaves_itself_out_is_seen_and_can_be_revoked_by_its_name_and_by_its_key():
    made, own = site()
    rogue = made.admins["rogue"][0].id
    own["admin"].learn(by_hand(made, lambda claims: crowd(claims, 3)), NOW)
    assert (rogue, "rogue", Role.ADMIN) in admin.belonging(own["admin"])
    for called in ("Rogue", rogue):
        own["a"] = made.membership("a")
        own["a"].learn(admin.revoke(own["admin"], called, NOW, made.random), NOW)
        assert own["a"].book.is_revoked(rogue)


@pytest.mark.attack("A12")
def test_revocations_without_end_fill_neither_memory_nor_the_state_folder(tmp_path):
    made, own = site()
    a, state = own["a"], TrustState(tmp_path / "state")
    for batch in range(6):
        first = batch * MAX_REVOKED
        subs = [made_up(number) for number in range(first, first + MAX_REVOKED)]
        a.learn(by_hand(made, lambda claims, subs=subs, batch=batch: (revokes(*subs)(claims), claims.update(ep=10 + batch, gk={}))), NOW)
    assert len(a.book.revocations) == MAX_UNION
    boss = admin.recover(own["c"], made.root, NOW, made.random)
    a.learn(admin.revoke(boss, "rogue", NOW, made.random), NOW)
    assert a.book.is_revoked(made.admins["rogue"][0].id)
    state.save_keys(a.keys)
    state.save(a)
    assert state.load().book.revocations == a.book.revocations


@pytest.mark.attack("A16")
def test_a_roster_is_nothing_beside_another_credential_of_its_admin():
    """Or else a member could make a later admin look like an earlier one, who silences nobody."""
    made, own = site()
    keys, chain = made.admins["admin"]
    again = issue_admin(made.root, Subject(keys.identity.public, keys.sealing.public, "admin", Role.ADMIN), NOW, made.random)
    made.admins["admin"] = keys, verify_chain([again], made.root.public, NOW)
    roster = made.next(made.roster, revoke=("rogue",))
    token = roster.text.partition("~")[0]
    assert reason_of(own["a"].learn, f"{token}~{chain.tokens[0]}", NOW) == "issuer"
    own["a"].learn(roster.text, NOW)


def test_revocations_that_do_not_fit_any_more_are_the_oldest():
    made, own = site()
    old = tuple(Revocation(made_up(number), bytes(16), int(NOW) - number) for number in range(MAX_REVOKED))
    full = made.signed(Draft(2, made.roster.members, old), made.secret)
    own["admin"].learn(full.text, NOW)
    for name in ("a", "b"):
        own["admin"].learn(admin.revoke(own["admin"], name, NOW, made.random), NOW)
    told = {one.sub for one in own["admin"].book.current.revoked}
    new, oldest = {made.devices[name][0].id for name in ("a", "b")}, {made_up(MAX_REVOKED - back) for back in (1, 2)}
    assert told ^ full.revoked_ids == new | oldest
    assert own["admin"].book.is_revoked(*oldest)
    assert not own["admin"].book.unsettled
