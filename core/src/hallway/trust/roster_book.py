"""Which roster is in force at this device, what is revoked, and which group secrets it holds. Rosters only ever move forward.

Two admins that did not hear of each other make a fork. Both branches' revocations count from then on, for good; for the rest the roster of
higher rank among those whose admin is not revoked is in force, which is the same one at every device, in whatever order it hears of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hallway.trust.credential import Chain
from hallway.trust.group import GroupSecret
from hallway.trust.keys import DeviceKeys
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import Member, Revocation, Roster, verify_roster

HAND_OVER = 30 * 86_400
"""Seconds for which the group secret of an earlier epoch still gets its holder the new roster."""
MAX_SECRETS = 32
"""Group secrets that are kept, the one in force included."""


@attrs.frozen
class HeldSecret:
    """A group secret and its epoch; ``until`` (seconds since 1970): earlier than the one in force, and of use until then."""

    epoch: int
    secret: GroupSecret
    until: float | None = None


@attrs.frozen
class News:
    """What a roster has changed: whether another one is in force, and the key ids that are revoked since."""

    replaced: bool
    revoked: frozenset[str]


class RosterBook:
    """The roster in force and its past, for the device with ``keys`` in the property of ``root``."""

    def __init__(
        self, root: bytes, keys: DeviceKeys, current: Roster, secrets: Sequence[HeldSecret], revoked: Sequence[Revocation] = ()
    ) -> None:
        self._root = root
        self._keys = keys
        self.current = current
        self.secrets = tuple(secrets)
        """Those held, the one in force first."""
        self.revocations = {one.sub: one for one in (*current.revoked, *revoked)}
        """By key id, of every branch that this device has heard of."""
        self._lost: dict[str, Member] = {}

    def apart(self, use: str) -> RosterBook:
        """The same knowledge, with `GroupSecret.apart` of the group secret in force as the only one."""
        held = [HeldSecret(self.current.epoch, self.secret.apart(use))]
        return RosterBook(self._root, self._keys, self.current, held, tuple(self.revocations.values()))

    @property
    def secret(self) -> GroupSecret:
        """The group secret in force."""
        return self.secrets[0].secret

    @property
    def unsettled(self) -> bool:
        """Whether a fork has left work for an admin: a revoked device holds the secret in force, or a member of one branch has none."""
        return bool(self.revocations.keys() - self.current.revoked_ids or self.lost)

    @property
    def lost(self) -> tuple[Member, ...]:
        """Members of a branch that is not in force; the next roster must take them in again."""
        present = {member.sub for member in self.current.members} | self.revocations.keys()
        return tuple(member for sub, member in self._lost.items() if sub not in present)

    def is_revoked(self, *devices: str) -> bool:
        """Whether one of these key ids is revoked."""
        return not self.revocations.keys().isdisjoint(devices)

    def stands(self, chain: Chain) -> bool:
        """Whether nobody in the chain is revoked."""
        return not self.is_revoked(*chain.subjects)

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
        roster = verify_roster(text, self._root, now)
        if roster.digest == self.current.digest:
            return News(replaced=False, revoked=frozenset())
        if not self.stands(roster.chain):
            raise refused(Reason.REVOKED, f"the admin {roster.chain.leaf.name} that signed a roster is revoked")
        fresh = {one.sub: one for one in roster.revoked if one.sub not in self.revocations}
        union = self.revocations | fresh
        wins = roster.rank > self.current.rank or self.current.chain.leaf.sub in union
        if not wins and not fresh:
            raise refused(Reason.ROLLBACK, f"a roster of epoch {roster.epoch} is older than the one in force, of {self.current.epoch}")
        secret = roster.secret(self._keys.id, self._keys.sealing) if wins else None
        loser = self.current if wins else roster
        follows = roster.previous == self.current.digest
        if not (wins and follows):
            self._lost |= {member.sub: member for member in loser.members}
        self.revocations = union
        if wins:
            self._put_in_force(roster, secret, now)
        return News(replaced=wins, revoked=frozenset(fresh))

    def _put_in_force(self, roster: Roster, secret: GroupSecret | None, now: float) -> None:
        self.current = roster
        if secret is None:
            # This device is not in it. It keeps what it has: whoever it meets may know better, and takes it in or turns it away.
            return
        older = [one for one in self.secrets if not one.secret.same(secret)]
        past = [one if one.until is not None else attrs.evolve(one, until=now + HAND_OVER) for one in older]
        useful = [one for one in past if one.until is not None and one.until > now]
        self.secrets = (HeldSecret(roster.epoch, secret), *useful[: MAX_SECRETS - 1])
