"""Rosters spread from device to device: whoever is linked to one that has a newer one gets it, keeps it, and tells its other peers.

::

    trust.roster    {"part": n}             ->  {"digest": text, "parts": n, "text": text}     one roster a line, the one in force first
    trust.news      {"digest": text}        ->  null
    trust.renew     {}                      ->  {"chain": [text, text]}
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from hallway.errors import BadMessage, ControlRefused, HallwayError, Untrusted
from hallway.runtime.control.bus import Bus
from hallway.runtime.tasks import TaskSet, in_thread
from hallway.trust import admin
from hallway.trust.claims import b64
from hallway.trust.credential import Role
from hallway.trust.reasons import Reason
from hallway.trust.roster import MAX_ROSTER
from hallway.trust.roster_book import MAX_BRANCHES
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState

logger = logging.getLogger(__name__)

ROSTER, NEWS, RENEW = "trust.roster", "trust.news", "trust.renew"
PART = 48 * 1024
"""Characters of a roster in one answer, at most."""
MAX_PARTS = -(-2 * (1 + MAX_BRANCHES) * MAX_ROSTER // PART)
PULL_PAUSE = 1.0
"""Seconds from one pull from a peer to the next, at least: a member may have news without end."""
PATIENCE = 10.0
"""Seconds for one request to a peer."""
RENEWAL_LOOK = 3600.0
"""Seconds between two looks at whether this device's credential is to be renewed, at most; a new link is one more reason to look."""
RETRY = 30.0
"""Seconds until a state that could not be written is written again."""


class Rosters:
    """Those of one device. ``revoked`` is called with the names of devices that are revoked; ``changed`` after every other roster."""

    def __init__(
        self,
        guard: SealedGuard,
        state: TrustState,
        bus: Bus,
        tasks: TaskSet,
        revoked: Callable[[frozenset[str]], None],
        changed: Callable[[], None],
    ) -> None:
        self._guard = guard
        self._state = state
        self._bus = bus
        self._tasks = tasks
        self._revoked = revoked
        self._changed = changed
        self._channels: dict[str, int] = {}
        self._pulling: set[str] = set()
        self._again: set[str] = set()
        self._unsaved = asyncio.Event()
        self._relinked = asyncio.Event()
        for kind, handler in ((ROSTER, self._give), (NEWS, self._hear), (RENEW, self._renew)):
            bus.serve(kind, handler)
        bus.watch(self._links_changed)
        guard.watch(self._learned)

    async def run(self) -> None:
        """Keep what is learnt, and the credential fresh, until cancelled."""
        # Whoever was revoked while this device did not run.
        self._revoked(self._gone())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(), name="keep trust state")
            group.create_task(self._stay_fresh(), name="renew credential")

    def _gone(self) -> frozenset[str]:
        """The names of those that are revoked, but for names that others have now."""
        book = self._guard.membership.book
        return frozenset(one.name for one in book.revocations.values() if one.name and book.current.member(one.name) is None)

    async def save(self) -> None:
        """Write what is not written yet.

        Raises:
            TrustStateError, StorageFull: it cannot be.

        """
        if self._unsaved.is_set():
            self._unsaved.clear()
            try:
                await in_thread(self._state.save, self._guard.membership.frozen())
            except BaseException:
                self._unsaved.set()
                raise

    async def _keep(self) -> None:
        while True:
            await self._unsaved.wait()
            try:
                await self.save()
            except HallwayError as error:
                logger.warning("what is known of the property is not kept: %s", error)
                await asyncio.sleep(RETRY)

    # What this device learns.

    def _learned(self, revoked: frozenset[str]) -> None:
        self._unsaved.set()
        if revoked:
            logger.warning("revoked: %s", ", ".join(sorted(revoked)))
            self._revoked(revoked)
        self._changed()
        for peer_id in self._bus.linked:
            self._tasks.start(self._tell(peer_id), f"tell {peer_id} of a roster")

    def _links_changed(self) -> None:
        before, self._channels = self._channels, self._bus.channels
        for peer_id, channel in self._channels.items():
            standing = self._guard.standing(peer_id)
            if before.get(peer_id) != channel and standing is not None:
                self._relinked.set()
                self._look_at(peer_id, standing.rank[1])

    def _look_at(self, peer_id: str, digest: bytes) -> None:
        """Pull what a peer knows, unless that is the same as here, or the roster before."""
        book = self._guard.membership.book
        if digest in (book.digest, book.current.previous):
            return
        if peer_id in self._pulling:
            self._again.add(peer_id)
            return
        self._pulling.add(peer_id)
        self._tasks.start(self._pull_all(peer_id), f"pull the rosters of {peer_id}")

    async def _pull_all(self, peer_id: str) -> None:
        """Pull once, and again after a pause for as long as there is news meanwhile."""
        try:
            self._again.add(peer_id)
            while peer_id in self._again:
                self._again.discard(peer_id)
                await self._pull(peer_id)
                await asyncio.sleep(PULL_PAUSE)
        finally:
            self._pulling.discard(peer_id)

    async def _pull(self, peer_id: str) -> None:
        try:
            for text in (await self._fetch(peer_id)).split("\n")[: 1 + MAX_BRANCHES]:
                self._take(peer_id, text)
        except HallwayError as error:
            logger.info("the roster of %s did not come: %s", peer_id, error)

    def _take(self, peer_id: str, text: str) -> None:
        try:
            self._guard.learn(text, time.time())
        except Untrusted as error:
            # What is older than ours and brings nothing is no fault of the peer, which may be pulling ours just now.
            level = logging.DEBUG if error.reason == Reason.ROLLBACK else logging.WARNING
            logger.log(level, "a roster of %s is not taken: %s", peer_id, error)

    async def _fetch(self, peer_id: str) -> str:
        first = await self._part(peer_id, 0)
        parts = [first]
        while len(parts) < first.parts:
            part = await self._part(peer_id, len(parts))
            if part.digest != first.digest:
                raise ControlRefused(f"{peer_id} has another roster meanwhile", reason="changed")
            parts.append(part)
        return "".join(part.text for part in parts)

    async def _part(self, peer_id: str, number: int) -> _Part:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        return _Part.read(await self._bus.request(peer_id, ROSTER, {"part": number}, deadline))

    # What this device tells.

    async def _tell(self, peer_id: str) -> None:
        digest = b64(self._guard.membership.book.digest)
        try:
            await self._bus.request(peer_id, NEWS, {"digest": digest}, asyncio.get_running_loop().time() + PATIENCE)
        except HallwayError as error:
            logger.debug("%s was not told of the roster: %s", peer_id, error)

    async def _hear(self, peer_id: str, body: Any) -> None:
        if isinstance(body, Mapping) and body.get("digest") != b64(self._guard.membership.book.digest):
            self._look_at(peer_id, b"")

    async def _give(self, peer_id: str, body: Any) -> dict[str, Any]:
        book, number = self._guard.membership.book, body.get("part") if isinstance(body, Mapping) else None
        text = "\n".join(one.text for one in (book.current, *book.branches))
        parts = -(-len(text) // PART)
        if type(number) is not int or not 0 <= number < parts:
            raise BadMessage(f"there is no part {str(number)[:20]} of a roster of {parts}")
        return {"digest": b64(book.digest), "parts": parts, "text": text[number * PART : (number + 1) * PART]}

    # Credentials.

    async def _stay_fresh(self) -> None:
        while True:
            self._relinked.clear()
            own, now = self._guard.membership, time.time()
            if own.needs_renewal(own.chain, now):
                await self._ask_for_renewal()
            if own.lapsed(own.chain, now):
                logger.warning("the credential of this device has ended: it has no links until it meets an admin, which renews it")
            try:
                async with asyncio.timeout(RENEWAL_LOOK):
                    await self._relinked.wait()
            except TimeoutError:
                continue

    async def _ask_for_renewal(self) -> None:
        """Have the credential renewed by the first admin that is linked and does it."""
        members = self._guard.membership.book.current.members
        admins = {member.name.lower() for member in members if member.role is Role.ADMIN}
        for peer_id in [peer_id for peer_id in self._bus.linked if peer_id.lower() in admins]:
            try:
                answer = await self._bus.request(peer_id, RENEW, {}, asyncio.get_running_loop().time() + PATIENCE)
                tokens = answer.get("chain") if isinstance(answer, Mapping) else None
                if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
                    raise BadMessage("it is no chain of credentials")
                self._guard.membership.renewed(tuple(tokens), time.time())
            except HallwayError as error:
                logger.warning("%s did not renew the credential of this device: %s", peer_id, error)
            else:
                self._unsaved.set()
                return

    async def _renew(self, peer_id: str, body: Any) -> dict[str, Any]:
        """Renew the credential of a peer, if this device is an admin, and only when it is due."""
        own, standing, now = self._guard.membership, self._guard.standing(peer_id), time.time()
        if own.chain.leaf.role is not Role.ADMIN or standing is None or not own.trusts(standing.chain, now):
            raise ControlRefused("this device renews nobody", reason="role")
        if not own.needs_renewal(standing.chain, now):
            raise ControlRefused("the credential is good for long enough", reason="early")
        return {"chain": list(admin.renewed(own, standing.chain, now, os.urandom))}


@attrs.frozen
class _Part:
    digest: str
    parts: int
    text: str

    @classmethod
    def read(cls, body: Any) -> _Part:
        """Raises `BadMessage` if a peer's answer is none."""
        fields = body if isinstance(body, Mapping) else {}
        digest, parts, text = fields.get("digest"), fields.get("parts"), fields.get("text")
        if not isinstance(digest, str) or type(parts) is not int or not isinstance(text, str):
            raise BadMessage("a part of a roster is malformed")
        if not 0 < parts <= MAX_PARTS or len(text) > PART:
            raise BadMessage("a roster is too large")
        return cls(digest, parts, text)
