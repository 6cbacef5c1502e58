"""The first device of a property, and the first one after the admin is lost: keys, state folder and recovery file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from hallway.errors import AlreadyEnrolled, MisuseError, NotAdmin, StateUnusable, Untrusted, WrongPassphrase
from hallway.runtime.membership.joining import device_keys
from hallway.trust import admin
from hallway.trust.keys import SigningKey
from hallway.trust.membership import Membership
from hallway.trust.reasons import Reason
from hallway.trust.recovery import make_passphrase, read_recovery, recovers, write_recovery
from hallway.trust.state import TrustState


@attrs.frozen
class Founded:
    """A new property. The passphrase is to be shown only if nobody chose it."""

    membership: Membership
    passphrase: str = attrs.field(repr=False)
    is_made_up: bool


def found(
    folder: Path,
    name: str,
    device: str,
    recovery: Path,
    choose: Callable[[], str | None],
    tell: Callable[[Founded], None] = lambda _: None,
) -> Founded:
    """Make a property with this device as its admin. The recovery file is there before anything depends on it.

    Whatever interrupts it, it can be called again: what was not told to anybody yet is made anew.

    Args:
        folder: the state folder.
        name: what people call the property.
        device: this device's name.
        recovery: where the recovery file goes.
        choose: asks for its passphrase; None if one is to be made up.
        tell: tells people what was made, the passphrase above all.

    Raises:
        AlreadyEnrolled: the folder holds an enrolment.
        StateUnusable: there is a recovery file already.
        TrustStateError, StorageFull: something cannot be written.

    """
    with _held(folder) as state:
        if state.is_enrolled and not _is_half_done(state):
            own = state.load()
            raise AlreadyEnrolled(
                f"{folder} belongs to {own.chain.leaf.name}, which is enrolled in {own.property_name}",
                hint="`hallway invite` lets other devices join it; for another property give another --state",
            )
        if recovery.exists() and recovers(recovery) != state.founding():
            raise StateUnusable(
                f"there is a recovery file {recovery} already",
                hint="move it away, as it is of another property; or name another file with --recovery",
            )
        chosen = choose()
        passphrase = chosen or make_passphrase(os.urandom)
        root = SigningKey.generate(os.urandom)
        membership = admin.found(device_keys(state), name, device, root, time.time(), os.urandom)
        state.begin_founding(membership.property_id)
        write_recovery(recovery, root, passphrase, os.urandom)
        state.save(membership)
        made = Founded(membership, passphrase, is_made_up=chosen is None)
        tell(made)
        state.end_founding()
        return made


def _is_half_done(state: TrustState) -> bool:
    """Whether the property was made and perhaps never told to anybody, so that nobody may know its passphrase. Nobody has joined it yet."""
    own = state.load()
    return state.founding() == own.property_id and own.book.current.epoch == admin.FIRST_EPOCH


def recovered(folder: Path, recovery: Path, name: str | None, device: str | None, ask: Callable[[], str]) -> Membership:
    """Make this device an admin by the recovery file; ``ask`` asks for its passphrase.

    ``name`` and ``device`` are for a folder that holds no enrolment, and must be what is there for one that does.

    Raises:
        MisuseError: they are not.
        NotEnrolled, WrongPassphrase: there is no such recovery file, or the passphrase is another one, or it is another property's.
        NotAdmin: this device was revoked.
        TrustStateError, StorageFull: something cannot be read or written.

    """
    with _held(folder) as state:
        own = state.load() if state.is_enrolled else None
        _check_names(own, name, device)
        root, now = read_recovery(recovery, ask()), time.time()
        if own is None:
            assert name is not None
            assert device is not None
            made = admin.recover_alone(device_keys(state), name, device, root, now, os.urandom)
        else:
            made = _again(own, root, now)
        state.save(made)
        return made


def _again(own: Membership, root: SigningKey, now: float) -> Membership:
    try:
        return admin.recover(own, root, now, os.urandom)
    except Untrusted as error:
        problem = f"this device cannot be made an admin: {error}"
        if error.reason == Reason.PROPERTY:
            raise WrongPassphrase(problem, hint="name the recovery file of this device's own property with --recovery") from error
        raise NotAdmin(problem, hint="run it on another device of the property, or on this one with an empty --state") from error


def _check_names(own: Membership | None, name: str | None, device: str | None) -> None:
    if own is None and (name is None or device is None):
        raise MisuseError(
            "this device is not enrolled", hint="run it on one that is, or begin anew with --property NAME --device ID: see --help"
        )
    if own is not None and ((device or own.chain.leaf.name) != own.chain.leaf.name or (name or own.property_name) != own.property_name):
        raise MisuseError(f"this device is {own.chain.leaf.name} of {own.property_name}", hint="leave --property and --device out")


@contextmanager
def _held(folder: Path) -> Iterator[TrustState]:
    state = TrustState(folder)
    lock = state.lock()
    try:
        yield state
    finally:
        lock.release()
