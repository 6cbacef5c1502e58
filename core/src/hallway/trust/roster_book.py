"""Which roster is in force at this device, what is revoked, and which group secrets it holds. Rosters only ever move forward.

Two admins that did not hear of each other make a fork. The revocations of every branch count from then on, for good, even if the admins
have revoked each other; for the rest that roster is in force whose admin is not revoked and, of those, the one of the highest rank. So all
devices end alike, in whatever order they hear of the branches. The root has the last word: once an admin that it has named later has
revoked another one, nothing counts any more that the revoked one says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

import attrs

from hallway.trust import jws
from hallway.trust.claims import wrong
from hallway.trust.credential import ADMIN_LIFE, Chain, Credential
from hallway.trust.group import GroupSecret
from hallway.trust.keys import DeviceKeys
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import MAX_MEMBERS, MAX_REVOKED, Member, Revocation, Roster, verify_roster

HAND_OVER = 30 * 86_400
"""Seconds for which the group secret of an earlier epoch still gets its holder the new roster."""
MAX_SECRETS = 32
"""Group secrets that are kept, the one in force included."""
MAX_UNION = 1024
"""Revocations of all branches together that are kept, those first that are said by the admin that the root has named last."""
EPOCH_AHEAD = ADMIN_LIFE
"""Epochs beyond the seconds since 1970 that are believed: the first of a property begun anew is those seconds, and none comes every second.
So no admin can use the numbers up."""
MAX_BRANCHES = 3
"""Rosters beside the one in force that are kept, and told to others, since they say what it does not."""


@attrs.frozen
class HeldSecret:
    """A group secret and its epoch; ``until`` (seconds since 1970): earlier than the one in force, and of use until then.

    ``since`` is when the first roster with it was signed, as far as this device knows; None: it does not.
    """

    epoch: int
    secret: GroupSecret
    until: float | None = None
    since: int | None = None


@attrs.frozen
class News:
    """What a roster has changed: whether another one is in force, the key ids revoked since, and whether it is kept as a branch."""

    replaced: bool
    revoked: frozenset[str]
    branched: bool = False

    def __bool__(self) -> bool:
        """Whether it is any."""
        return self.replaced or bool(self.revoked) or self.branched


class RosterBook:
    """The roster in force and its past, for the device with ``keys`` in the property of ``root``."""

    def __init__(
        self,
        root: bytes,
        keys: DeviceKeys,
        current: Roster,
        secrets: Sequence[HeldSecret],
        revoked: Sequence[Revocation] = (),
        branches: Sequence[Roster] = (),
    ) -> None:
        self._root = root
        self._keys = keys
        self.current = current
        self.secrets = _led_by(current, keys, secrets)
        """Those held, the one in force first."""
        self.revocations = _united({one.sub: one for one in revoked}, current)
        """By key id, of every branch that this device has heard of."""
        self.branches = tuple(branches)
        """Rosters that say what the one in force does not: the next one must."""

    def apart(self, use: str) -> RosterBook:
        """The same knowledge, with `GroupSecret.apart` of the group secret in force as the only one."""
        book = RosterBook(self._root, self._keys, self.current, self.secrets, tuple(self.revocations.values()))
        # The roster seals the secret that this one stands beside.
        book.secrets = (HeldSecret(self.current.epoch, self.secret.apart(use)),)
        return book

    @property
    def secret(self) -> GroupSecret:
        """The group secret in force."""
        return self.secrets[0].secret

    @property
    def secret_since(self) -> int:
        """When the group secret in force came to be (seconds since 1970), as far as this device knows."""
        since = self.secrets[0].since
        return self.current.issued if since is None else since

    @property
    def digest(self) -> bytes:
        """What this device knows, in 32 octets: that of the roster in force, unless there are branches."""
        if not self.branches:
            return self.current.digest
        return hashlib.sha256(self.current.digest + b"".join(sorted(one.digest for one in self.branches))).digest()

    @property
    def rank(self) -> tuple[int, bytes]:
        """The epoch in force, and `digest`."""
        return self.current.epoch, self.digest

    @property
    def unsettled(self) -> bool:
        """Whether a fork has left work for an admin: a revoked device holds the secret in force, or a member of one branch has none."""
        untold = self.revocations.keys() - self.current.revoked_ids and len(self.current.revoked) < MAX_REVOKED
        return bool(untold or (self.lost and len(self.current.members) < MAX_MEMBERS))

    @property
    def lost(self) -> tuple[Member, ...]:
        """Members of a branch that is not in force; the next roster must take them in again."""
        return tuple({member.sub: member for one in self.branches for member in self._missing(one)}.values())

    def _missing(self, roster: Roster) -> list[Member]:
        """Its members that are neither in the roster in force nor revoked, and whose names nobody else has. A revoked admin's has none."""
        if self._is_void(roster):
            return []
        present = {member.sub for member in self.current.members} | self.revocations.keys()
        taken = {member.name.lower() for member in self.current.members}
        return [member for member in roster.members if member.sub not in present and member.name.lower() not in taken]

    @property
    def named(self) -> int:
        """When the root has named the newest of the admins that this device has heard (seconds since 1970)."""
        signers = (one.chain.leaf.issued for one in (self.current, *self.branches))
        return max((*signers, *(one.named for one in self.revocations.values())))

    def is_revoked(self, *devices: str) -> bool:
        """Whether one of these key ids is revoked."""
        return not self.revocations.keys().isdisjoint(devices)

    def stands(self, chain: Chain) -> bool:
        """Whether the device is not revoked, and nobody who vouches for it: the admin that took it in, or else the roster in force."""
        leaf, *issuers = chain.credentials
        if self.is_revoked(leaf.sub):
            return False
        return not self.is_revoked(*(one.sub for one in issuers)) or self._lists(leaf)

    def _lists(self, leaf: Credential) -> bool:
        """Whether the roster in force has that very device. A revoked admin's roster has nobody."""
        seen = (leaf.sub, leaf.name, leaf.role, leaf.sealing)
        return not self._is_void(self.current) and any((one.sub, one.name, one.role, one.sealing) == seen for one in self.current.members)

    def _is_void(self, roster: Roster) -> bool:
        return self.is_revoked(roster.chain.leaf.sub)

    def held(self, kid: bytes, now: float) -> HeldSecret | None:
        """The secret with that hint, if it is in force, or earlier and still of use."""
        for one in self.secrets:
            if one.secret.kid == kid:
                usable = one.until is None or (now < one.until and one.epoch >= self.current.min_epoch)
                return one if usable else None
        return None

    def offered(self, text: str, now: float) -> News:
        """Take in a roster that a peer has handed over.

        Raises:
            Untrusted: it does not verify, its admin is revoked, or it is older and brings nothing (``rollback``). Nothing has changed.

        """
        # What was verified here already; nothing that could be attached to it makes a difference.
        if text.isascii() and jws.digest(text.partition("~")[0]) in {self.current.digest, *(one.digest for one in self.branches)}:
            return News(replaced=False, revoked=frozenset())
        roster = verify_roster(text, self._root, now)
        if roster.epoch > now + EPOCH_AHEAD:
            raise wrong("ep")
        if self._is_silenced(roster.chain.leaf):
            raise _of_a_revoked_admin(roster)
        union = _united(self.revocations, roster)
        wins = _order(roster, union) > _order(self.current, union)
        fresh = frozenset(union.keys() - self.revocations.keys())
        if not wins and not fresh and not self._missing(roster):
            raise _of_a_revoked_admin(roster) if self._is_void(roster) else _too_old(roster, self.current)
        # What may fail comes first.
        secret = roster.secret(self._keys.id, self._keys.sealing) if wins else None
        beside = (self.current if wins else roster, *self.branches)
        self.revocations = union
        if wins:
            self._put_in_force(roster, secret, now)
        self.branches = self._worth_keeping(beside)
        return News(replaced=wins, revoked=fresh, branched=roster in self.branches)

    def _worth_keeping(self, rosters: Iterable[Roster]) -> tuple[Roster, ...]:
        """Those that say what the one in force and those of higher rank do not."""
        told, kept = set(self.current.revoked_ids), list[Roster]()
        for one in sorted(rosters, key=lambda one: one.rank, reverse=True):
            says = one.revoked_ids | {member.sub for member in self._missing(one)}
            if says - told and len(kept) < MAX_BRANCHES:
                kept.append(one)
                told |= says
        return tuple(kept)

    def _is_silenced(self, admin: Credential) -> bool:
        found = self.revocations.get(admin.sub)
        return found is not None and found.named > admin.issued

    def _put_in_force(self, roster: Roster, secret: GroupSecret | None, now: float) -> None:
        since, self.current = self.secret_since, roster
        if secret is None:
            # This device is not in it. It keeps what it has: whoever it meets may know better, and takes it in or turns it away.
            return
        known = next((one for one in self.secrets if one.secret.same(secret)), None)
        if known is None:
            # Not later than now: the secret would be kept for as long as the admin's clock is ahead.
            since = min(roster.issued, int(now))
        elif known is not self.secrets[0]:
            since = roster.issued if known.since is None else known.since
        older = [one for one in self.secrets if one is not known]
        past = [one if one.until is not None else attrs.evolve(one, until=now + HAND_OVER) for one in older]
        useful = [one for one in past if one.until is not None and one.until > now]
        self.secrets = (HeldSecret(roster.epoch, secret, since=since), *useful[: MAX_SECRETS - 1])


def _order(roster: Roster, revoked: Collection[str]) -> tuple[bool, int, bytes]:
    """The roster for which this is greatest is in force."""
    return (roster.chain.leaf.sub not in revoked, *roster.rank)


def _united(revocations: dict[str, Revocation], roster: Roster) -> dict[str, Revocation]:
    """Those of before and those of ``roster``; each knows of the newest admin that says so."""
    united, named = dict(revocations), roster.chain.leaf.issued
    for one in roster.revoked:
        known = united.get(one.sub, one)
        united[one.sub] = attrs.evolve(known, name=known.name or one.name, named=max(known.named, named))
    if len(united) <= MAX_UNION:
        return united
    # Stable: of those that weigh the same, what was heard first stays.
    return {one.sub: one for one in sorted(united.values(), key=lambda one: one.named, reverse=True)[:MAX_UNION]}


def _led_by(roster: Roster, keys: DeviceKeys, secrets: Iterable[HeldSecret]) -> tuple[HeldSecret, ...]:
    """``secrets`` with that of ``roster`` first. A crash between two files may have left them otherwise."""
    held, own = tuple(secrets), roster.secret(keys.id, keys.sealing)
    if own is None or held[0].secret.same(own):
        return held
    first = next((attrs.evolve(one, until=None) for one in held if one.secret.same(own)), HeldSecret(roster.epoch, own))
    return (first, *(one for one in held if one.until is not None and not one.secret.same(own)))


def _of_a_revoked_admin(roster: Roster) -> Exception:
    return refused(Reason.REVOKED, f"the admin {roster.chain.leaf.name} that signed a roster is revoked")


def _too_old(roster: Roster, current: Roster) -> Exception:
    return refused(Reason.ROLLBACK, f"a roster of epoch {roster.epoch} is older than the one in force, of {current.epoch}")
