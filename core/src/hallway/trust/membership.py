"""What a device has by its enrolment: its keys, its credential, the property's public root, rosters and a floor under its clock."""

from __future__ import annotations

import copy
from math import inf

import attrs

from hallway.errors import Untrusted
from hallway.trust.credential import DEVICE_LIFE, Chain, Credential, Role, check_times, property_id, verify_chain
from hallway.trust.keys import DeviceKeys
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster_book import News, RosterBook

LEAP = 86_400
"""Seconds beyond this device's clock to which one word of an admin lifts its floor, at most: the admin's clock may be years ahead."""
WITNESSED = 86_400.0
"""Seconds for which a clock is borne out by a member's that says the same."""


@attrs.define
class Membership:
    """A device's place in its property. It changes by `learn` and `renewed` only; whoever calls them writes it down."""

    keys: DeviceKeys
    root: bytes
    chain: Chain
    book: RosterBook
    floor: int = 0
    """The newest time that an admin has signed, as far as this device believes it: no clock is taken for earlier. 0: of the rest."""
    property_name: str = ""
    """What people call the property; the key is what it is."""
    use: str = ""
    """What it is `apart` for."""
    witnessed: float = attrs.field(default=-inf, eq=False)
    """When, by this device's clock, a member's clock has said the same."""

    def __attrs_post_init__(self) -> None:
        self.floor = self.floor or max(self.book.current.issued, *(one.issued for one in self.chain.credentials))

    @property
    def property_id(self) -> bytes:
        """The id of the property."""
        return property_id(self.root)

    def time(self, now: float) -> float:
        """``now``, or the floor if the clock says that it is earlier."""
        return max(now, float(self.floor))

    def doubts(self, now: float) -> bool:
        """Whether its clock may be years ahead: all credentials of the floor's time would have ended, and no member bears it out."""
        return now > self.floor + DEVICE_LIFE and abs(now - self.witnessed) > WITNESSED

    def learn(self, roster: str, now: float) -> News:
        """Take in a roster. Raises as `RosterBook.offered`; then nothing has changed."""
        news = self.book.offered(roster, self.time(now))
        if news.replaced:
            self._lift(self.book.current.issued, now)
        return news

    def renewed(self, tokens: tuple[str, ...], now: float) -> None:
        """Take in a new credential for this device.

        Raises:
            Untrusted: it does not verify, is for another key, name or role, or is no newer.

        """
        chain = verify_chain(tokens, self.root, None)
        old, new = self.chain.leaf, chain.leaf
        if (new.sub, new.sealing, new.name, new.role) != (old.sub, old.sealing, old.name, old.role):
            raise refused(Reason.SENDER, "a new credential is not for this device as it is")
        if new.issued <= old.issued:
            raise refused(Reason.ROLLBACK, "a credential is older than the one that this device has")
        check_times(chain, self.time(now))
        self.chain = chain
        self._lift(new.issued, now)

    def catch_up(self, stored: Membership) -> None:
        """Be as the same device's membership was ``stored``."""
        self.chain, self.book, self.property_name = stored.chain, stored.book, stored.property_name
        self.floor = max(self.floor, stored.floor)

    def frozen(self) -> Membership:
        """As things are now, for a thread that writes it down while the event loop goes on."""
        return attrs.evolve(self, book=copy.copy(self.book))

    def apart(self, use: str) -> Membership:
        """The same place in the property, where only members see it that are apart for the same ``use`` in the same epoch.

        Never write it down: its group secret is another.
        """
        return attrs.evolve(self, book=self.book.apart(use), use=use)

    def is_known(self, credential: Credential) -> bool:
        """Whether nobody else in the roster in force has the credential's name."""
        member = self.book.current.member(credential.name)
        return member is None or member.sub == credential.sub

    def verify(self, tokens: tuple[str, ...], now: float) -> Chain:
        """Verify a peer's chain, which may have `lapsed`. Raises `Untrusted`; revocation is not looked at."""
        chain = verify_chain(tokens, self.root, None)
        if not self.lapsed(chain, now):
            check_times(chain, self.time(now))
        return chain

    def lapsed(self, chain: Chain, now: float) -> bool:
        """Whether the credential of a device, other than an admin, has ended: an admin may renew it."""
        return chain.leaf.role is not Role.ADMIN and self.time(now) >= chain.leaf.expires

    def needs_renewal(self, chain: Chain, now: float) -> bool:
        """Whether an admin is to renew the credential of a device: it has had two thirds of its life, or its issuer is revoked."""
        leaf, *issuers = chain.credentials
        if leaf.role is Role.ADMIN:
            # Only the root, which is in the recovery file, renews an admin.
            return False
        return self.time(now) >= leaf.renew_at or self.book.is_revoked(*(one.sub for one in issuers))

    def trusts(self, chain: Chain, now: float) -> bool:
        """Whether a chain that verified once still does."""
        try:
            verify_chain(chain.tokens, self.root, self.time(now))
        except Untrusted:
            return False
        return self.book.stands(chain)

    def _lift(self, signed: int, now: float) -> None:
        self.floor = max(self.floor, min(signed, int(self.time(now)) + LEAP))
