"""The property of a device, whether it runs or not: over its control socket, or by opening its state folder."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from hallway.cli.reach import Ask, running_or_taken
from hallway.errors import StateBusy
from hallway.model import Envelope, Origin, Refusal
from hallway.runtime.control.commands import Commands
from hallway.runtime.membership.registrar import Registrar
from hallway.runtime.tasks import TaskSet
from hallway.store.lock import Lock
from hallway.trust.state import TrustState

logger = logging.getLogger(__name__)


@asynccontextmanager
async def reached(folder: Path) -> AsyncIterator[tuple[Ask, bool]]:
    """What answers commands about the property, and whether that is the running device.

    Raises:
        TrustStateError, ControlUnavailable, NetworkError: it cannot be reached.

    """
    async with _running_or_locked(folder) as ask:
        if ask is not None:
            yield ask, True
            return
        state, commands = TrustState(folder), Commands()
        Registrar(state, state.load()).serve(commands)
        yield commands.run, False


@asynccontextmanager
async def inviting(folder: Path, port: int | None, interfaces: Sequence[str]) -> AsyncIterator[tuple[Ask, bool]]:
    """The same, with an endpoint on the LAN at which devices can join."""
    async with _running_or_locked(folder) as ask:
        if ask is not None:
            yield ask, True
            return
        async with _served(TrustState(folder), port, interfaces) as run:
            yield run, False


@asynccontextmanager
async def _served(state: TrustState, port: int | None, interfaces: Sequence[str]) -> AsyncIterator[Ask]:
    from hallway.runtime.membership.invitations import Invitations
    from hallway.runtime.membership.lan_carrier import PairingHost, lan_carrier

    tasks, commands = TaskSet(lambda task, error: logger.error("%s: %s", task, error)), Commands()
    registrar = Registrar(state, state.load())

    async def handle(envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        return await invitations.handle(envelope, origin)

    host = PairingHost(handle)
    invitations = Invitations(registrar, lambda: host.listen, tasks)
    registrar.serve(commands)
    invitations.serve(commands)
    registrar.require_able()
    async with lan_carrier(port, interfaces) as carrier:
        try:
            await carrier.start(host)
            yield commands.run
        finally:
            await tasks.aclose()


@asynccontextmanager
async def _running_or_locked(folder: Path) -> AsyncIterator[Ask | None]:
    """The running device's answers, or None while this process has the folder's lock."""
    state = TrustState(folder)

    def socket() -> tuple[Path, int] | None:
        return (state.control, state.folder.stat().st_uid) if state.folder.exists() else None

    async def take(*, last: bool) -> Lock | None:
        return _locked(state, last=last)

    async with running_or_taken(socket, take) as (ask, lock):
        try:
            yield ask
        finally:
            if lock is not None:
                lock.release()


def _locked(state: TrustState, *, last: bool) -> Lock | None:
    if not state.is_enrolled:
        # A folder that holds nothing is not made by looking into it.
        state.load()
    try:
        return state.lock()
    except StateBusy:
        if last:
            raise
        return None
