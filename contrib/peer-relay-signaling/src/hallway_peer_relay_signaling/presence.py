"""Presence: each device tells its linked peers whom it can relay to, and hears it of them."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any

import attrs

from hallway.errors import HallwayError
from hallway.interfaces import ControlBus
from hallway.model import DeviceInfo, Sighting
from hallway.protocol.backoff import Backoff
from hallway.protocol.bucket import Bucket
from hallway_peer_relay_signaling import _messages as messages
from hallway_peer_relay_signaling._limits import Bounds
from hallway_peer_relay_signaling._messages import Member, News
from hallway_peer_relay_signaling._sightings import Sightings
from hallway_peer_relay_signaling.errors import BadNews, TooMuchNews
from hallway_peer_relay_signaling.underway import Underway

logger = logging.getLogger(__name__)


class Teller:
    """Keeps one linked peer told: the first time at once, then once an interval at most, again until it has listened."""

    def __init__(self, bus: ControlBus, peer: str, news: Callable[[], News], underway: Underway, bounds: Bounds) -> None:
        self._bus = bus
        self._peer = peer
        self._news = news
        self._underway = underway
        self._bounds = bounds
        self._backoff = Backoff(bounds.news_interval, bounds.news_retry, random.random)
        self._loop = asyncio.get_running_loop()
        self._soonest = 0.0
        self._known: News | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def wake(self) -> None:
        """There may be news."""
        if self._closed or self._timer is not None or self._task is not None or self._news() == self._known:
            return
        if self._soonest > self._loop.time():
            self._timer = self._loop.call_at(self._soonest, self._begin)
        else:
            self._begin()

    def forgotten(self) -> None:
        """The peer has lost what it knew."""
        self._known = None
        self._backoff.reset()
        self.wake()

    def close(self) -> None:
        """Tell no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._timer = None
        self._task = self._underway.start(self._tell(), f"peer-relay news for {self._peer}")
        self._task.add_done_callback(self._told)

    async def _tell(self) -> None:
        news, now = self._news(), self._loop.time()
        self._soonest = now + self._bounds.news_interval
        self._known = news
        try:
            await self._bus.request(self._peer, messages.NEWS, messages.write_news(news), now + self._bounds.news_patience)
        except HallwayError as error:
            logger.debug("%s was not told of this device's peers: %s", self._peer, error)
            self._known = None
            self._soonest = self._loop.time() + self._backoff.next()
        else:
            self._backoff.reset()

    def _told(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            self.wake()


@attrs.define(eq=False)
class _Contact:
    """What we have with one linked peer. ``member`` is what it said of itself; None until it has spoken: it may not have this plugin."""

    teller: Teller
    bucket: Bucket
    session: str = attrs.field(factory=lambda: secrets.token_hex(8))
    member: Member | None = None
    its_session: str | None = None


class Presence:
    """The contacts by peer, and whom they make known. ``report`` is told of every sighting."""

    def __init__(
        self, bus: ControlBus, device: DeviceInfo, report: Callable[[Sighting], None], underway: Underway, bounds: Bounds, *, relay: bool
    ) -> None:
        self._bus = bus
        self._device = device
        self._report = report
        self._underway = underway
        self._bounds = bounds
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._contacts: dict[str, _Contact] = {}
        self._sightings = Sightings(device, bounds)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def linked(self, peer_ids: tuple[str, ...]) -> None:
        """These peers, and no others, have an open link."""
        current = {peer_id.lower(): peer_id for peer_id in peer_ids}
        for key in self._contacts.keys() - current.keys():
            self._contacts.pop(key).teller.close()
        for key in current.keys() - self._contacts.keys():
            self._contacts[key] = self._contact(key, current[key])
        self._tell(self._sightings.linked(peer_ids, self._loop.time()))
        self._wake()

    async def take(self, peer: str, body: Any) -> None:
        """Hear what a peer tells: the handler of `messages.NEWS`.

        Raises:
            BadNews, TooMuchNews: it is refused.

        """
        now = self._loop.time()
        contact = None if self._closed else self._contact_with(peer)
        if contact is None:
            raise BadNews(f"{self._device.device_id} has no open link to {peer}, or is closing")
        if not contact.bucket.take(now):
            raise TooMuchNews(f"{self._device.device_id} hears {self._bounds.news_rate:g} tellings a second")
        try:
            news = messages.read_news(body)
        except messages.Malformed as error:
            raise BadNews(f"{self._device.device_id} cannot read the news: {error}") from error
        known, contact.member = contact.member, Member(peer, news.device_type, news.epoch)
        session, contact.its_session = contact.its_session, news.session
        if session not in (None, news.session):
            # It has had another link since, which we did not notice, or has restarted.
            contact.teller.forgotten()
        if known != contact.member:
            self._wake()
        self._tell(self._sightings.told(peer, news.peers, now))

    def close(self) -> None:
        """Report and tell no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for contact in self._contacts.values():
            contact.teller.close()

    def _contact_with(self, peer: str) -> _Contact | None:
        if peer.lower() not in self._contacts:
            # It may speak before we are told of the link.
            self.linked(self._bus.linked)
        return self._contacts.get(peer.lower())

    def _contact(self, key: str, peer: str) -> _Contact:
        teller = Teller(self._bus, peer, lambda: self._news_for(key), self._underway, self._bounds)
        return _Contact(teller, Bucket(self._bounds.news_rate, self._bounds.news_burst, self._loop.time()))

    def _news_for(self, key: str) -> News:
        """Those that have this plugin, too, can be relayed to; nobody is told of itself."""
        known = sorted(self._contacts.items()) if self._relay else []
        others = tuple(contact.member for other, contact in known if other != key and contact.member is not None)
        return News(self._contacts[key].session, self._device.device_type, self._device.epoch, others)

    def _wake(self) -> None:
        for contact in self._contacts.values():
            contact.teller.wake()

    def _tell(self, sightings: list[Sighting]) -> None:
        for sighting in sightings:
            self._report(sighting)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._sightings.deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._tell(self._sightings.timer(self._loop.time()))
