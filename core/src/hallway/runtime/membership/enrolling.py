"""Enrolling this device, from its state folder to the other device and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from hallway.errors import AlreadyEnrolled
from hallway.runtime.membership.joining import Joining, device_keys
from hallway.runtime.membership.lan_carrier import lan_carrier
from hallway.trust.applicant import check_text
from hallway.trust.invitation import Place, key_hash
from hallway.trust.joining import Ticket
from hallway.trust.membership import Membership
from hallway.trust.state import TrustState

Tell = Callable[[dict[str, str]], None]
"""Gets ``joining`` (with ``check``) and ``waiting`` (a person decides)."""


@attrs.frozen
class Enrolled:
    """This device's place in its property; ``already``: it had it before."""

    membership: Membership
    already: bool = False

    @property
    def check(self) -> str:
        """The four characters that both screens show."""
        return check_text(self.membership.keys.id)


async def enrol(folder: Path, name: str, ticket: Ticket, places: Sequence[Place], interfaces: Sequence[str], tell: Tell) -> Enrolled:
    """Join as ``name``, with the inviting device at one of ``places``. Whatever interrupts it, it can be called again.

    Raises:
        AlreadyEnrolled: the folder holds another enrolment.
        PairingRefused, NetworkError, TrustStateError, StorageFull: this device is not enrolled.

    """
    state = TrustState(folder)
    lock = state.lock()
    try:
        if state.is_enrolled:
            return Enrolled(_same(state, name, ticket), already=True)
        keys = device_keys(state)
        tell({"event": "joining", "check": check_text(keys.id)})
        async with lan_carrier(interfaces=interfaces) as carrier:
            joining = Joining.of(carrier, places, keys, name, ticket)
            return Enrolled(await joining.run(state, lambda: tell({"event": "waiting"})))
    finally:
        lock.release()


def _same(state: TrustState, name: str, ticket: Ticket) -> Membership:
    """The enrolment that is there, if it can be the one that is asked for: somebody was not told that it is done."""
    membership = state.load()
    leaf = membership.chain.leaf
    admins = {key_hash(one.identity) for one in membership.chain.credentials[1:]}
    if leaf.name != name or (ticket.admin is not None and ticket.admin not in admins):
        raise AlreadyEnrolled(
            f"{state.folder} belongs to {leaf.name}, which is enrolled in {membership.property_name}",
            hint="give another --state, or move the folder away if this device is to leave its property",
        )
    return membership
