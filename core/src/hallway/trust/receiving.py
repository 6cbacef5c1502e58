"""What comes in, from the cheapest check to the dearest: size, hint, seal, bytes that came before, signature and chain, receiver, time,
replay, revoked, role.

Nothing but a digest is kept before the sender's signature holds, and nothing is given out before the last check.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import attrs

from hallway.errors import Untrusted
from hallway.protocol.bucket import Bucket
from hallway.trust import envelope
from hallway.trust.credential import Chain, Role
from hallway.trust.membership import Membership
from hallway.trust.messages import SKEW, Message, read_message
from hallway.trust.reasons import Reason, refused
from hallway.trust.replay import Challenges, Opened, ReplayCache

EARLIER_RATE, EARLIER_BURST = 10.0, 40.0
"""Envelopes a second, and at once, under a secret of before that are looked at: a revoked device has it too, and each costs signatures."""
SIGNALING_ROLES = frozenset({Role.ADMIN, Role.MEMBER})


@attrs.frozen
class Received:
    """A message that passed every check, and the chain of who signed it."""

    message: Message
    chain: Chain = attrs.field(repr=False)


class Crowded(Untrusted):
    """Too much comes under secrets of before; it took no look at a signature to tell."""

    def __init__(self) -> None:
        super().__init__(Reason.FULL.value, "as much has come under an earlier group secret as is looked at")


class NeedsChallenge(Untrusted):
    """All is well but the time: the sender, whose chain is here, may try again with a challenge."""

    def __init__(self, error: Untrusted, received: Received) -> None:
        super().__init__(error.reason, str(error))
        self.received = received


class NeedsRoster(Untrusted):
    """All is well but the epoch: the sender, whose chain is here, is to be given the roster."""

    def __init__(self, received: Received) -> None:
        super().__init__(Reason.STALE.value, f"{received.chain.leaf.name} seals with a group secret of an earlier epoch")
        self.received = received


class NeedsRenewal(Untrusted):
    """All is well but that the sender's credential has ended: an admin may give it, whose chain is here, another one."""

    def __init__(self, received: Received) -> None:
        super().__init__(Reason.CREDENTIAL_EXPIRED.value, f"the credential of {received.chain.leaf.name} has ended")
        self.received = received


class Receiver:
    """Opens envelopes for one device."""

    def __init__(
        self, membership: Membership, replays: ReplayCache, challenges: Challenges, roles: Collection[Role] = SIGNALING_ROLES
    ) -> None:
        self._membership = membership
        self._replays = replays
        self._challenges = challenges
        self._roles = roles
        self._opened = Opened()
        self._earlier = Bucket(EARLIER_RATE, EARLIER_BURST, 0.0)

    def open(self, body: bytes, kind: Literal["offer", "answer", "challenge"], now: float, waiting: Collection[bytes] = ()) -> Received:
        """Open an envelope that should hold a message of ``kind``; ``waiting`` are the digests of our offers that may still be answered.

        Raises:
            NeedsChallenge, NeedsRenewal, NeedsRoster: the sender may be helped.
            Repeated, Crowded: it cost nothing to refuse it.
            Untrusted: it may not; the reason is that of the first check that failed.

        """
        membership, time = self._membership, self._membership.time(now)
        held, parts = envelope.open_sealed(body, membership.keys.id, lambda kid: membership.book.held(kid, time))
        self._opened.note(kind, body)
        if held.until is not None and not self._earlier.take(now):
            raise Crowded
        chain = membership.verify(parts[1:], now)
        received = Received(read_message(parts[0], kind, chain.leaf.identity), chain)
        self._check_ends(received)
        late = self._time_error(received.message, time, now, waiting)
        if late is None:
            self._replays.note(received.message.head.sender, received.message.head.session, now)
        self._check_standing(received)
        if late is not None:
            raise NeedsChallenge(late, received)
        if abs(now - received.message.head.issued) <= SKEW:
            membership.witnessed = now
        if membership.lapsed(chain, now):
            raise NeedsRenewal(received)
        if held.until is not None:
            raise NeedsRoster(received)
        return received

    def _check_ends(self, received: Received) -> None:
        head, leaf, own = received.message.head, received.chain.leaf, self._membership
        if head.property_id != own.property_id:
            raise refused(Reason.PROPERTY, "a message is of another property")
        if head.sender != leaf.sub or head.credential != received.chain.digest or head.sender == own.keys.id:
            raise refused(Reason.SENDER, "a message is not from whom it says")
        if head.to != own.keys.id:
            raise refused(Reason.TO, f"{leaf.name} meant a message for another device")
        if head.use != own.use:
            raise refused(Reason.TYPE, f"{leaf.name} meant a message for another use of this device")

    def _time_error(self, message: Message, time: float, now: float, waiting: Collection[bytes]) -> Untrusted | None:
        """What is wrong with the time of a message. What names a fresh secret of ours (our offer, our challenge) is fresh itself."""
        if message.type != "offer":
            if message.answers not in waiting:
                raise refused(Reason.ANSWER, "a message answers no offer of this device that waits")
            return None
        if message.challenge is not None:
            self._challenges.redeem(message.head.sender, message.challenge, now)
            return None
        if message.head.issued > time + SKEW:
            return refused(Reason.EARLY, "a message was signed in the future: one of the two clocks is wrong")
        if time > message.head.issued + SKEW:
            return refused(Reason.EXPIRED, "a message was signed too long ago, or one of the two clocks is wrong")
        return None

    def _check_standing(self, received: Received) -> None:
        leaf = received.chain.leaf
        if not self._membership.book.stands(received.chain):
            raise refused(Reason.REVOKED, f"{leaf.name} does not belong to the property any more")
        if leaf.role not in self._roles:
            raise refused(Reason.ROLE, f"{leaf.name} may not do this as {leaf.role.value}")
        if not self._membership.is_known(leaf):
            raise refused(Reason.NAME, f"another member has the name {leaf.name}")
