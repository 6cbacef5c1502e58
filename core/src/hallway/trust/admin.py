"""What an admin decides: a property is founded, a device taken in or turned away, an admin made anew from the recovery file. Pure.

Each returns what to learn and write down, and changes nothing by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import attrs

from hallway.errors import ClockDoubtful, MisuseError, NotAdmin, PeerUnavailable
from hallway.trust.claims import b64
from hallway.trust.credential import Chain, Role, Subject, check_times, issue, issue_admin, renew, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.keys import DeviceKeys, Random, SigningKey
from hallway.trust.membership import Membership
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import Draft, Member, Roster, following, issue_roster, verify_roster
from hallway.trust.roster_book import HeldSecret, RosterBook

FIRST_EPOCH = 1
DAY = 86_400
SECRET_LIFE = 180 * DAY
"""Seconds after which a group secret is replaced."""
TURN = 120
"""Seconds by which the next admin waits, if a fork is to be settled; for a new group secret it is a day."""


@attrs.frozen
class Admission:
    """A device that is taken in: the chain of its credential, and the roster that has it."""

    tokens: tuple[str, ...]
    roster: str = attrs.field(repr=False)

    def content(self, own: Membership) -> bytes:
        """What the joiner gets in PAIR4."""
        value = {"root": b64(own.root), "chain": list(self.tokens), "roster": self.roster, "property": own.property_name}
        return json.dumps(value, separators=(",", ":")).encode()


def found(keys: DeviceKeys, property_name: str, device: str, root: SigningKey, now: float, random: Random) -> Membership:
    """A new property with this device as its admin. Raises `Untrusted` if the device's name cannot be used."""
    return _alone(keys, property_name, device, root, now, random, FIRST_EPOCH)


def admit(own: Membership, subject: Subject, now: float, random: Random) -> Admission:
    """Take a device in. One that is a member already, with the same key, gets a new credential.

    Raises:
        NotAdmin, ClockDoubtful: this device may not, or not by its clock.
        Untrusted: the name is another device's (``name``), the key was revoked (``revoked``), or there is no room (``size``).

    """
    require_able(own, now)
    time, book, current = own.time(now), own.book, own.book.current
    credential = issue(own.keys.identity, own.chain, subject, time, random, epoch=current.epoch + 1)
    tokens = (credential, *own.chain.tokens)
    leaf = verify_chain(tokens, own.root, time).leaf
    if book.is_revoked(leaf.sub):
        raise refused(Reason.REVOKED, f"the key of {subject.name} was revoked")
    secret = GroupSecret.generate(random) if book.unsettled else book.secret
    return Admission(tokens, _next(own, (Member.of(leaf),), (), secret, time))


def renewed(own: Membership, chain: Chain, now: float, random: Random) -> tuple[str, ...]:
    """A new chain for the device that has ``chain``, which verified and stands.

    Raises:
        NotAdmin, ClockDoubtful: this device may not, or not by its clock.
        Untrusted: it was revoked itself, or its own credential has ended.

    """
    require_able(own, now)
    check_times(own.chain, own.time(now))
    if not own.book.stands(own.chain):
        raise refused(Reason.REVOKED, "this device was revoked")
    token = renew(own.keys.identity, own.chain, chain.leaf, own.time(now), random, epoch=own.book.current.epoch)
    return (token, *own.chain.tokens)


def revoke(own: Membership, device: str, now: float, random: Random) -> str:
    """The roster without ``device``, with a new group secret for those who stay. If the clock is in doubt, it is of the floor's time.

    Raises:
        NotAdmin: this device may not.
        PeerUnavailable: there is no such device.
        MisuseError: it is this device itself.

    """
    require_admin(own)
    member = own.book.current.member(device)
    if member is None:
        raise PeerUnavailable(f"no device of the property has the name {device}", hint="`hallway members` lists them")
    if member.sub == own.keys.id:
        raise MisuseError("a device cannot revoke itself", hint="run `hallway revoke` on another admin; `hallway recover` makes one")
    return _next(own, (), (member.sub,), GroupSecret.generate(random), _certain(own, now))


def settle(own: Membership, now: float, random: Random) -> str:
    """The roster that says all that the branches of a fork say, with a new group secret. Raises `NotAdmin` if this device may not."""
    require_admin(own)
    return _next(own, (), (), GroupSecret.generate(random), _certain(own, now))


def upkeep_at(own: Membership, noticed: float | None) -> float | None:
    """When this device is to `settle` by itself (seconds since 1970): soon after it has ``noticed`` a fork, or when the secret is too old.

    Admins take turns, so that they do not make a fork of it. None: never, as it is no admin, or not any more.
    """
    if own.chain.leaf.role is not Role.ADMIN or not own.book.stands(own.chain):
        return None
    admins = sorted(member.sub for member in own.book.current.members if member.role is Role.ADMIN)
    turn = admins.index(own.keys.id) if own.keys.id in admins else len(admins)
    return own.book.secret_since + SECRET_LIFE + turn * DAY if noticed is None else noticed + turn * TURN


def recover(own: Membership, root: SigningKey, now: float, random: Random) -> Membership:
    """This member as an admin, by the root's word, also about the time.

    Raises:
        Untrusted: the root is another property's (``property``), or this device was revoked (``revoked``).

    """
    if root.public != own.root:
        raise refused(Reason.PROPERTY, "the recovery file is of another property than this device")
    if own.book.is_revoked(own.keys.id):
        raise refused(Reason.REVOKED, "this device was revoked")
    # Later than every admin before, whatever the clocks were: so this one can silence them.
    time = max(own.time(now), own.book.named + 1.0)
    chain = _named(own.keys, own.chain.leaf.name, root, time, random, own.book.current.epoch + 1)
    admin = Membership(own.keys, own.root, chain, own.book, own.floor, own.property_name)
    secret = GroupSecret.generate(random) if own.book.unsettled else own.book.secret
    admin.learn(_next(admin, (Member.of(chain.leaf),), (), secret, time), time)
    return admin


def recover_alone(keys: DeviceKeys, property_name: str, device: str, root: SigningKey, now: float, random: Random) -> Membership:
    """An admin on a device that knows nothing of the property: its roster has nobody else, and beats every earlier one."""
    return _alone(keys, property_name, device, root, now, random, int(now))


def _alone(keys: DeviceKeys, property_name: str, device: str, root: SigningKey, now: float, random: Random, epoch: int) -> Membership:
    chain, secret = _named(keys, device, root, now, random, epoch), GroupSecret.generate(random)
    text = issue_roster(keys.identity, chain, Draft(epoch, (Member.of(chain.leaf),)), secret, now)
    book = RosterBook(root.public, keys, verify_roster(text, root.public, now), [HeldSecret(epoch, secret)])
    return Membership(keys, root.public, chain, book, property_name=property_name)


def _named(keys: DeviceKeys, device: str, root: SigningKey, now: float, random: Random, epoch: int) -> Chain:
    subject = Subject(keys.identity.public, keys.sealing.public, device)
    return verify_chain([issue_admin(root, subject, now, random, epoch=epoch)], root.public, now)


def _next(own: Membership, add: Iterable[Member], revoke: Iterable[str], secret: GroupSecret, now: float) -> str:
    """The next roster; it also settles what a fork has left."""
    book, current = own.book, own.book.current
    also = [one for sub, one in book.revocations.items() if sub not in current.revoked_ids]
    lost = _without_namesakes(book.lost, current, add := tuple(add))
    draft = following(current, revoke=revoke, add=(*lost, *add), also=also, now=now)
    return issue_roster(own.keys.identity, own.chain, draft, secret, now)


def _without_namesakes(lost: Iterable[Member], current: Roster, add: tuple[Member, ...]) -> list[Member]:
    taken = {member.name.lower(): member.sub for member in (*current.members, *add)}
    return [member for member in lost if taken.get(member.name.lower(), member.sub) == member.sub]


def _certain(own: Membership, now: float) -> float:
    return float(own.floor) if own.doubts(now) else own.time(now)


def require_able(own: Membership, now: float) -> None:
    """Raise `NotAdmin` unless the device is one, and `ClockDoubtful` if what it would sign now could be of a time that is years away."""
    require_admin(own)
    if own.doubts(now):
        days = int((now - own.floor) / DAY)
        raise ClockDoubtful(
            f"the clock of this device is {days} days ahead of the newest that an admin of its property has signed",
            hint="set the clock; if it is right, let this device run beside another one whose clock is right too, or run `hallway recover`",
        )


def require_admin(own: Membership) -> None:
    """Raise `NotAdmin` unless the device is one."""
    leaf = own.chain.leaf
    if leaf.role is not Role.ADMIN:
        raise NotAdmin(
            f"{leaf.name} is no admin of its property, and may not take devices in or turn them away",
            hint="run this on an admin (`hallway members` says which), or make this device one with the recovery file: `hallway recover`",
        )
