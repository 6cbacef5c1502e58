"""The cover of a sealed device: rooms, tags and beacons from the group secret (see `hallway.interfaces.Cover`)."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping

from hallway.interfaces import Cover
from hallway.model import same_device
from hallway.trust import beacon
from hallway.trust.group import GroupSecret
from hallway.trust.keys import Random
from hallway.trust.membership import Membership
from hallway.trust.sealed_guard import SealedGuard

MAX_TRIED = 8
"""Secrets with which a beacon is compared, at most."""
MAX_EARLIER = 2
"""Covers of before, at most."""


class _SecretCover(Cover):
    """Rooms and tags of one group secret."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    @property
    @abstractmethod
    def _secret(self) -> GroupSecret:
        """That secret."""

    @property
    def room(self) -> str:
        """See `Cover.room`."""
        return self._secret.room

    def tag(self, device_id: str) -> str | None:
        """See `Cover.tag`."""
        sub = next((sub for sub, name in self._members().items() if same_device(name, device_id)), None)
        return None if sub is None else self._secret.tag(sub).hex()

    def who(self, tag: str) -> str | None:
        """See `Cover.who`."""
        secret = self._secret
        return next((name for sub, name in self._members().items() if secret.tag(sub).hex() == tag), None)

    def _members(self) -> dict[str, str]:
        """The names of those that belong to the property, by key id."""
        own, book = self._membership.chain.leaf, self._membership.book
        listed = {member.sub: member.name for member in book.current.members if not book.is_revoked(member.sub)}
        return {own.sub: own.name} | listed


class GroupCover(_SecretCover):
    """Made from what ``guard`` knows now. ``random`` makes the nonces of beacons."""

    def __init__(self, guard: SealedGuard, random: Random) -> None:
        super().__init__(guard.membership)
        self._random = random
        self._shown = b""
        self._since = 0.0
        self._listeners: list[Callable[[], None]] = []
        guard.watch(lambda _revoked: self._changed())

    @property
    def _secret(self) -> GroupSecret:
        return self._membership.book.secret

    @property
    def earlier(self) -> tuple[Cover, ...]:
        """See `Cover.earlier`."""
        return tuple(_EarlierCover(self._membership, secret) for secret in list(self._secrets())[1 : 1 + MAX_EARLIER])

    def beacon(self, instance: str, port: int) -> Mapping[str, str]:
        """See `Cover.beacon`."""
        now = time.time()
        if not self._shown or abs(now - self._since) > beacon.NONCE_LIFE:
            self._shown, self._since = self._random(beacon.RANDOM_BYTES), now
        return beacon.show(self._membership.book.secret, self._membership.keys.id, instance, port, self._shown)

    def recognise(self, shown: Mapping[str, str], instance: str, port: int) -> str | None:
        """See `Cover.recognise`. A member that has an earlier secret still is recognised, so that it can be helped."""
        members = self._members()
        found = (beacon.recognise(secret, shown, instance, port, members) for secret in self._secrets())
        return next((members[sub] for sub in found if sub is not None), None)

    def watch(self, listener: Callable[[], None]) -> None:
        """See `Cover.watch`."""
        self._listeners.append(listener)

    def _secrets(self) -> Iterator[GroupSecret]:
        now = time.time()
        for one in self._membership.book.secrets[:MAX_TRIED]:
            if one.until is None or now < one.until:
                yield one.secret

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()


class _EarlierCover(_SecretCover):
    """The cover of an earlier secret."""

    def __init__(self, membership: Membership, secret: GroupSecret) -> None:
        super().__init__(membership)
        self._earlier = secret

    @property
    def _secret(self) -> GroupSecret:
        return self._earlier

    def beacon(self, instance: str, port: int) -> Mapping[str, str]:
        """See `Cover.beacon`: nothing."""
        return {}

    def recognise(self, shown: Mapping[str, str], instance: str, port: int) -> str | None:
        """See `Cover.recognise`: nobody."""

    def watch(self, listener: Callable[[], None]) -> None:
        """See `Cover.watch`: it stays as it is."""
