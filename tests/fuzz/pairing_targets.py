"""Targets: the messages of pairing, as a stranger sends them and as one sends them who has the code."""

from __future__ import annotations

import copy
from random import Random

import attrs
from pairing_rig import Inviter, Newcomer, by_code, by_invitation
from sealed_site import NOW
from tests.fuzz.target import TAKEN, Room, Run, Target, packed, text_of, unpacked

from hallway.errors import BadInvitation, Untrusted
from hallway.trust.applicant import introduce
from hallway.trust.invitation import Invitation, _checksum, code_text, read_code
from hallway.trust.joining import Joiner
from hallway.trust.pairing import Window
from hallway.trust.pairing_wire import Fourth, No, Second, Third, read_answer, read_request


def inviter() -> Inviter:
    """The same window each time."""
    one = Inviter()
    one.random = Random(7).randbytes
    one.open()
    return one


def joiner(one: Inviter, *, code: bool = False) -> Joiner:
    return Newcomer("tablet-1").joiner(by_code(one) if code else by_invitation(one))


def requests() -> tuple[bytes, ...]:
    whole = []
    for code in (False, True):
        one = inviter()
        begun = joiner(one, code=code)
        third = begun.third(_answer(one.post(begun.first)))
        begun.joined(_answer(one.post(third)), NOW)
        whole.append(packed(begun.first, third, begun.done()))
    return tuple(whole)


def _answer(outcome: bytes | No) -> bytes:
    assert isinstance(outcome, bytes)
    return outcome


def post_requests(_: Room) -> Run:
    """Up to four messages of a joiner, one after the other."""
    fresh = inviter()

    def run(data: bytes) -> str:
        one = copy.copy(fresh)
        one.membership = copy.copy(fresh.membership)
        one.membership.book = copy.copy(fresh.membership.book)
        one.random = Random(7).randbytes
        one.open()
        found: bytes | No = No.FORM
        for body in list(unpacked(data))[:4]:
            found = one.post(body)
            assert isinstance(found, bytes | No)
        assert len(one.names) <= 2
        return TAKEN if isinstance(found, bytes) else found.value

    return run


def read_requests(_: Room) -> Run:
    """Reading alone, which is fast: the key exchange costs a hundred times as much."""

    def run(data: bytes) -> str:
        found = []
        for read in (read_request, read_answer):
            try:
                message = read(data)
            except Untrusted as error:
                found.append(error.reason)
            else:
                assert read(message.body()) == message
                return TAKEN
        return found[0]

    return run


def answers() -> tuple[bytes, ...]:
    one = inviter()
    begun = joiner(one)
    second = _answer(one.post(begun.first))
    third = begun.third(second)
    return begun.first, second, third, _answer(one.post(third)), begun.done()


def granted() -> tuple[bytes, ...]:
    one, begun, third = _begun()
    fourth = read_answer(_answer(one.post(third)))
    assert isinstance(fourth, Fourth)
    return (begun._run[1].unseal("admin", fourth.sealed),)


def _begun() -> tuple[Inviter, Joiner, bytes]:
    """Both have the keys of one run; and PAIR3."""
    one = inviter()
    begun = joiner(one, code=True)
    return one, begun, begun.third(_answer(one.post(begun.first)))


def take_grant(_: Room) -> Run:
    """What an admin that knows the code, and is hostile, gives a joiner."""
    _, begun, _ = _begun()
    keys = begun._run[1]

    def run(data: bytes) -> str:
        try:
            begun.joined(Fourth(keys.confirm("admin"), keys.seal("admin", data)).body(), NOW)
        except Untrusted as error:
            return error.reason
        return TAKEN

    return run


def introductions() -> tuple[bytes, ...]:
    _, begun, _ = _begun()
    return (introduce(Newcomer("tablet-1").keys, "tablet-1", begun._run[1].transcript),)


def take_introduction(_: Room) -> Run:
    """What a joiner that knows the code, and is hostile, says of itself."""
    one, begun, _ = _begun()
    session, (second, keys) = one.window._session, begun._run

    def run(data: bytes) -> str:
        window: Window = copy.copy(one.window)
        window.events, window._session = [], attrs.evolve(session)
        assert isinstance(second, Second)
        found = window.handle(Third(second.session, keys.confirm("joiner"), keys.seal("joiner", data)).body(), 1.0)
        return found.value if isinstance(found, No) else TAKEN

    return run


def invitations() -> tuple[bytes, ...]:
    one = inviter()
    return one.window.invitation.text().encode(), code_text(one.window.code).encode()


def read_invitation(_: Room) -> Run:
    """A text as it is, and with a checksum that fits."""

    def run(data: bytes) -> str:
        text = text_of(data)
        plain = "".join(text.split()).upper().rpartition(":")[0]
        fitting = f"{plain}:{_checksum(plain)}" if plain.isascii() else text
        found = []
        for read, what in ((Invitation.parse, text), (Invitation.parse, fitting), (read_code, text)):
            try:
                made = read(what)
            except BadInvitation as error:
                found.append(str(error))
            else:
                assert not isinstance(made, Invitation) or Invitation.parse(made.text()) == made
                return TAKEN
        return found[1]

    return run


TARGETS = (
    Target("pairing-messages", answers, read_requests, 6000),
    Target("pairing-window", requests, post_requests, 4000, slow=True),
    Target("pairing-grant", granted, take_grant, 8192),
    Target("pairing-introduction", introductions, take_introduction, 4000),
    Target("invitation", invitations, read_invitation, 600),
)
