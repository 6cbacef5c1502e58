"""Who belongs to the property, as an admin changes it: decided in `hallway.trust.admin`, written down here before anybody is told."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from hallway.errors import HallwayError
from hallway.runtime.control.commands import BadCommand, Commands
from hallway.runtime.tasks import in_thread
from hallway.trust import admin
from hallway.trust.credential import Role, Subject
from hallway.trust.membership import Membership
from hallway.trust.roster_book import News
from hallway.trust.state import TrustState

logger = logging.getLogger(__name__)

LOOK = 60.0
"""Seconds between two looks at whether there is something to do."""

Json = dict[str, Any]


class Registrar:
    """Takes devices in and turns them away.

    Args:
        state: where the membership is written to.
        membership: this device's; a running device shares it.
        learn: takes in the next roster; a running device has its guard do it. By default the membership itself.

    """

    def __init__(
        self,
        state: TrustState,
        membership: Membership,
        learn: Callable[[str, float], News] | None = None,
    ) -> None:
        self.state = state
        self.membership = membership
        self._learn = learn or membership.learn
        self._one = asyncio.Lock()
        self._noticed: float | None = None

    def serve(self, commands: Commands) -> None:
        """Answer the commands "members" and "revoke"."""
        commands.serve("members", self._members)
        commands.serve("revoke", self._revoke)

    async def admit(self, subject: Subject) -> bytes:
        """Take a device in; returns what it gets. Raises as `admin.admit`, or that it cannot be written down."""
        async with self._one:
            now = time.time()
            taken = admin.admit(self.membership, subject, now, os.urandom)
            await self._put_in_force(taken.roster, now)
            return taken.content(self.membership)

    def require_able(self) -> None:
        """Raise `NotAdmin` or `ClockDoubtful` unless this device may take others in now."""
        admin.require_able(self.membership, time.time())

    async def _revoke(self, command: Json) -> Json:
        device = command.get("deviceId")
        if not isinstance(device, str):
            raise BadCommand("revoke needs 'deviceId' (a text)")
        async with self._one:
            now = time.time()
            sub, name = admin.whom(self.membership, device)
            await self._put_in_force(admin.revoke(self.membership, device, now, os.urandom), now)
        return {"deviceId": name or sub, "keyId": sub, "epoch": self.membership.book.current.epoch}

    async def _members(self, _: Json) -> Json:
        own, current = self.membership, self.membership.book.current
        return {
            "property": own.property_name,
            "propertyId": own.property_id.hex(),
            "deviceId": own.chain.leaf.name,
            "isAdmin": own.chain.leaf.role is Role.ADMIN,
            "epoch": current.epoch,
            "members": [{"deviceId": name, "role": role.value, "keyId": sub} for sub, name, role in admin.belonging(own)],
            "revoked": [{"keyId": one.sub, "at": one.at, "deviceId": one.name or None} for one in own.book.revocations.values()],
        }

    async def run(self) -> None:
        """Do what an admin does by itself, until cancelled."""
        while True:
            await self.keep_up(time.time())
            await asyncio.sleep(LOOK)

    async def keep_up(self, now: float) -> None:
        """Settle a fork that others have left, and replace a group secret that has had its time, if that is this device's turn."""
        async with self._one:
            self._noticed = (self._noticed or now) if self.membership.book.unsettled else None
            due = admin.upkeep_at(self.membership, self._noticed)
            if due is None or now < due or (self._noticed is None and self.membership.doubts(now)):
                return
            try:
                await self._put_in_force(admin.settle(self.membership, now, os.urandom), now)
            except HallwayError as error:
                logger.warning("the next roster could not be made: %s. %s", error, error.hint)
            else:
                logger.info("the property has a new group secret, of epoch %d", self.membership.book.current.epoch)

    async def _put_in_force(self, roster: str, now: float) -> None:
        """Write the next roster down, then let it count: if it cannot be written, nothing has changed."""
        ahead = self.membership.frozen()
        ahead.learn(roster, now)
        await in_thread(self.state.save, ahead)
        self._learn(roster, now)
        if self.membership.book.digest != ahead.book.digest:
            # Another one was heard of meanwhile.
            await in_thread(self.state.save, self.membership.frozen())
