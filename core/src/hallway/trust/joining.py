"""The other end of pairing: what the device that joins sends, and what it believes of the answers."""

from __future__ import annotations

import attrs

from hallway.model import MAX_NAME
from hallway.trust import pairing_wire
from hallway.trust.applicant import introduce
from hallway.trust.claims import Claims
from hallway.trust.credential import MAX_CHAIN, MAX_CREDENTIAL, verify_chain
from hallway.trust.invitation import Invitation, key_hash
from hallway.trust.keys import KEY_BYTES, DeviceKeys, Random
from hallway.trust.membership import Membership
from hallway.trust.pairing_wire import Done, First, Fourth, Second, Third, Wait, Way
from hallway.trust.pake import Exchange, PairKeys, password
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import MAX_ROSTER, verify_roster
from hallway.trust.roster_book import HeldSecret, RosterBook


@attrs.frozen
class Ticket:
    """What a joiner has: the whole invitation, or the code. ``admin`` is the hash of the admin's key, which a code does not tell."""

    way: Way
    secret: bytes = attrs.field(repr=False)
    admin: bytes | None = None

    @classmethod
    def of_invitation(cls, invitation: Invitation) -> Ticket:
        """The whole invitation."""
        return cls("invitation", invitation.token, invitation.admin)

    @classmethod
    def of_code(cls, code: str) -> Ticket:
        """Eight digits."""
        return cls("code", code.encode())


class Joiner:
    """One attempt of the device with ``keys`` to join as ``name``. ``first`` is PAIR1."""

    def __init__(self, keys: DeviceKeys, name: str, ticket: Ticket, random: Random) -> None:
        self._keys = keys
        self._name = name
        self._ticket = ticket
        joiner = pairing_wire.key_hash(keys.identity.public)
        self._exchange = Exchange("joiner", password(ticket.way, ticket.secret), joiner, random)
        bare = First(ticket.way, joiner, self._exchange.message)
        self._first = attrs.evolve(bare, mac=bare.mac_of(ticket.secret)) if ticket.way == "invitation" else bare
        self._run: tuple[Second, PairKeys] | None = None

    @property
    def first(self) -> bytes:
        """PAIR1, which may be sent again as it is."""
        return self._first.body()

    def third(self, body: bytes) -> bytes:
        """PAIR3, from PAIR2; it may be sent again as it is. Raises `Untrusted` if PAIR2 is none."""
        second = pairing_wire.read_answer(body)
        if not isinstance(second, Second):
            raise refused(Reason.TYPE, "the device that invites answers something else")
        keys = self._exchange.finish(self._first, second)
        self._run = second, keys
        sealed = keys.seal("joiner", introduce(self._keys, self._name, keys.transcript))
        return Third(second.session, keys.confirm("joiner"), sealed).body()

    def joined(self, body: bytes, now: float) -> Membership | None:
        """The membership, from PAIR4; None if a person still decides.

        Raises:
            Untrusted: the answer is not from a device that knows the secret, or what it says does not hold together.

        """
        assert self._run is not None
        fourth, (_, keys) = pairing_wire.read_answer(body), self._run
        if isinstance(fourth, Wait):
            return None
        if not isinstance(fourth, Fourth) or not keys.is_confirmed("admin", fourth.confirm):
            raise refused(Reason.SEAL, "the device that answers does not know the secret of the invitation")
        content = pairing_wire.read_content(keys.unseal("admin", fourth.sealed))
        return self._membership(content, now)

    def done(self) -> bytes:
        """That everything is on disk."""
        assert self._run is not None
        second, keys = self._run
        return Done(second.session, keys.done()).body()

    def _membership(self, content: Claims, now: float) -> Membership:
        root = content.octets("root", KEY_BYTES)
        roster = verify_roster(content.text("roster", MAX_ROSTER + MAX_CREDENTIAL + 1), root, None)
        chain = verify_chain(content.texts("chain", MAX_CHAIN, MAX_CREDENTIAL), root, max(now, float(roster.issued)))
        leaf, member = chain.leaf, roster.member(self._name)
        if (leaf.identity, leaf.sealing, leaf.name) != (self._keys.identity.public, self._keys.sealing.public, self._name):
            raise refused(Reason.TO, "the credential is for another device than this one")
        if member is None or member.sub != leaf.sub or roster.revoked_ids & chain.subjects:
            raise refused(Reason.CLAIMS, "the roster does not have this device")
        self._check_admin(chain.credentials[-1].identity, roster.chain.leaf.identity)
        secret = roster.secret(leaf.sub, self._keys.sealing)
        if secret is None:
            raise refused(Reason.CLAIMS, "the roster has no group secret for this device")
        book = RosterBook(root, self._keys, roster, [HeldSecret(roster.epoch, secret)])
        return Membership(self._keys, root, chain, book, property_name=content.text("property", MAX_NAME))

    def _check_admin(self, *keys: bytes) -> None:
        if self._ticket.admin is not None and any(key_hash(key) != self._ticket.admin for key in keys):
            raise refused(Reason.ISSUER, "another admin answers than the one that made the invitation")
