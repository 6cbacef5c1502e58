"""Which device has which name here: those of the roster in force, and those that have shown a credential which no roster here has yet."""

from __future__ import annotations

from hallway.errors import PeerUnavailable
from hallway.model import same_device
from hallway.trust.credential import Chain
from hallway.trust.membership import Membership
from hallway.trust.reasons import Reason, refused

MAX_LEARNED = 128
"""Members known by their credential and not yet by a roster, at most."""


class Names:
    """The names that the device of ``membership`` knows. They are compared without case."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._learned: dict[str, Chain] = {}

    def learn(self, chain: Chain) -> None:
        """A device has shown its chain, which stands. Raises `Untrusted` (``name``) if another one has its name, or this one has."""
        name = chain.leaf.name.lower()
        known = self._learned.get(name)
        if same_device(name, self._membership.chain.leaf.name) or (known is not None and known.leaf.sub != chain.leaf.sub):
            raise refused(Reason.NAME, f"another member has the name {chain.leaf.name}")
        if known is None and len(self._learned) >= MAX_LEARNED:
            self._learned.pop(next(iter(self._learned)))
        self._learned[name] = chain

    def id_of(self, name: str) -> str:
        """The key id of the device with that name.

        Raises:
            PeerUnavailable: no member has it, as far as this device has heard.

        """
        book, learned = self._membership.book, self._learned.get(name.lower())
        listed = book.current.member(name)
        sub = listed.sub if listed is not None else learned.leaf.sub if learned is not None else None
        if sub is None or book.is_revoked(sub):
            raise PeerUnavailable(f"no member of the property has the name {name}", hint="see `hallway members`")
        return sub

    def by_id(self) -> dict[str, str]:
        """All of them, by key id."""
        listed = {member.sub: member.name for member in self._membership.book.current.members}
        return listed | {chain.leaf.sub: chain.leaf.name for chain in self._learned.values()}

    def forget_fallen(self) -> None:
        """Forget those whose credential does not stand any more."""
        self._learned = {name: chain for name, chain in self._learned.items() if self._membership.book.stands(chain)}
