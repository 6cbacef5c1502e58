"""What an admin decides: a property is founded, a device taken in or turned away, an admin made anew from the recovery file. Pure.

Each returns what to learn and write down, and changes nothing by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import attrs

from hallway.errors import ClockDoubtful, MisuseError, NotAdmin, PeerUnavailable
from hallway.model import same_device
from hallway.trust.claims import KEY_ID, b64
from hallway.trust.credential import Chain, Role, Subject, check_times, issue, issue_admin, renew, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.keys import DeviceKeys, Random, SigningKey
from hallway.trust.membership import Membership
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import MAX_MEMBERS, Draft, Member, Roster, following, issue_roster, verify_roster
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
        PeerUnavailable: there is no device of that name or key id.
        MisuseError: it is this device itself.

    """
    require_admin(own)
    sub, _ = whom(own, device)
    if sub == own.keys.id:
        raise MisuseError("a device cannot revoke itself", hint="run `hallway revoke` on another admin; `hallway recover` makes one")
    return _next(own, (), (sub,), GroupSecret.generate(random), _certain(own, now))


def whom(own: Membership, device: str) -> tuple[str, str]:
    """The key id and the name of the device that is called ``device``, or has that key id.

    It may be an admin that has signed what is in force, and left itself out: it is one all the same. Raises `PeerUnavailable`.
    """
    known = {sub: name for sub, name, _ in belonging(own)}
    named = next((sub for sub, name in known.items() if same_device(name, device)), None)
    sub = named or (device.lower() if KEY_ID.fullmatch(device.lower()) else None)
    if sub is None and any(same_device(one.name or "", device) for one in own.book.revocations.values()):
        raise PeerUnavailable(f"{device} is revoked already", hint="there is nothing left to do: the others learn of it when they are met")
    if sub is None:
        raise PeerUnavailable(f"no device of the property has the name {device}", hint="`hallway members` lists them")
    return sub, known.get(sub, "")


def belonging(own: Membership) -> list[tuple[str, str, Role]]:
    """Key id, name and role of all that belong to the property: the members, and admins whose rosters this device keeps."""
    book = own.book
    listed = [(member.sub, member.name, member.role) for member in book.current.members]
    subs = {sub for sub, _, _ in listed} | book.revocations.keys()
    signers = {one.chain.leaf.sub: one.chain.leaf for one in (book.current, *book.branches)}
    return listed + [(sub, leaf.name, leaf.role) for sub, leaf in signers.items() if sub not in subs]


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
    admin.learn(_next(admin, (Member.of(chain.leaf),), (), secret, time, room_for=chain.leaf.sub), time)
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


def _next(
    own: Membership, add: Iterable[Member], revoke: Iterable[str], secret: GroupSecret, now: float, *, room_for: str | None = None
) -> str:
    """The next roster; it also settles what a fork has left, as far as there is room. ``room_for``: a key id for which others go."""
    book, current, add, revoke = own.book, own.book.current, tuple(add), tuple(revoke)
    room = MAX_MEMBERS - len({member.sub for member in (*current.members, *add)}.difference(revoke))
    lost = _without_namesakes(book.lost, current, add)[: max(0, room)]
    draft = following(current, revoke=revoke, add=(*lost, *add), also=book.revocations.values(), now=now)
    if room_for is not None and len(draft.members) > MAX_MEMBERS:
        others = [member for member in draft.members if member.sub != room_for]
        draft = attrs.evolve(draft, members=(*others[: MAX_MEMBERS - 1], *(one for one in draft.members if one.sub == room_for)))
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
