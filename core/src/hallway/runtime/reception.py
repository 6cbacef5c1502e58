"""What lets a running device take others in: its state folder is its own, and operators and joiners are answered."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hallway.errors import ControlUnavailable
from hallway.runtime.control.local_socket import ControlSocket
from hallway.runtime.membership.invitations import Invitations
from hallway.runtime.membership.registrar import Registrar
from hallway.runtime.node import Node
from hallway.runtime.tasks import TaskSet
from hallway.store.lock import Lock
from hallway.trust.membership import Membership
from hallway.trust.pairing_wire import KIND
from hallway.trust.roster_book import News
from hallway.trust.state import TrustState

logger = logging.getLogger(__name__)


class Reception:
    """That of the enrolled device with ``membership``."""

    def __init__(self, state: TrustState, membership: Membership) -> None:
        self._state = state
        self._membership = membership
        self._tasks = TaskSet(lambda task, error: logger.error("%s: %s", task, error))
        self._lock: Lock | None = None
        self._control: ControlSocket | None = None

    def hold(self) -> None:
        """Take the state folder for this process, and see that the membership is what is in it now.

        Raises:
            StateBusy: another process has it.
            TrustStateError: what is there cannot be read any more.

        """
        lock = self._state.lock()
        try:
            # A command may have changed it since it was read.
            self._membership.catch_up(self._state.load())
        except BaseException:
            lock.release()
            raise
        self._lock = lock

    async def open(self, node: Node, learn: Callable[[str, float], News]) -> None:
        """Answer operators at the control socket in the state folder, and joiners while there is an invitation.

        ``learn`` takes in a roster, and tells whoever has to know.
        """
        registrar = Registrar(self._state, self._membership, learn)
        invitations = Invitations(registrar, lambda: node.signaling.listen, self._tasks)
        registrar.serve(node.commands)
        invitations.serve(node.commands)
        node.endpoints[KIND] = invitations.handle
        self._tasks.start(registrar.run(), "upkeep of the property")
        self._control = ControlSocket(self._state.control, node.commands, self._tasks)
        try:
            await self._control.start()
        except ControlUnavailable as error:
            logger.warning("nobody can be invited while this device runs: %s. %s", error, error.hint)

    async def aclose(self) -> None:
        """Close all windows and let the folder go. Closing twice is silent."""
        try:
            if self._control is not None:
                await self._control.aclose()
            await self._tasks.aclose()
        finally:
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.release()
