"""One device at run time: its plugins, its peers, its links."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from hallway.errors import BadMessage, HallwayError, NoSignalingError, PeerUnavailable
from hallway.events import ErrorHappened, PeerFound, PeerLost, SignalingMode
from hallway.model import Envelope, Mode, Origin, Refusal, RefusalCode, Sighting
from hallway.plugins import PluginContext
from hallway.plugins.manager import Registry
from hallway.protocol import jsontext
from hallway.protocol.peer_table import Found, Lost, PeerTable, Updated
from hallway.runtime.carriers import Carrier
from hallway.runtime.dialer import ChannelMaker, Dialer
from hallway.runtime.discoveries import Finder
from hallway.runtime.link_driver import LinkDriver, Services, new_message_id
from hallway.runtime.publisher import Publisher
from hallway.runtime.tasks import TaskSet
from hallway.trust import Guard, Signal

logger = logging.getLogger(__name__)

MAX_LINKS = 256
"""Links of one device, at most; offers of further devices are refused as busy."""
MAX_PENDING = 32
"""Offers of others that are being answered at once, at most."""
CLOSE_SECONDS = 1.2
"""How long each layer may take to close."""


class Node:
    """Made by `Peer`. `start` begins, `aclose` ends; in between everything mends itself."""

    def __init__(self, registry: Registry, context: PluginContext, guard: Guard, publisher: Publisher) -> None:
        self.device = device = context.device
        self.publisher = publisher
        self.table = PeerTable(device)
        self.links: dict[str, LinkDriver] = {}
        self.mode = Mode.NONE
        self._guard = guard
        self._tasks = TaskSet(self._crashed)
        self.finders = [Finder(each.provider.name, registry.make(each, context), self._sighted) for each in registry.discovery]
        self.carriers = [
            Carrier(
                each.provider,
                registry.make(each, context),
                handler=self._handle,
                reporter=self._sighted,
                on_change=self._signaling_changed,
            )
            for each in registry.signaling
        ]
        makers = tuple(ChannelMaker(each.provider.name, each.provider.kind, registry.make(each, context)) for each in registry.channel)
        dialer = Dialer(self.carriers, makers, guard)
        self._services = Services(device, guard, dialer, makers, publisher, self._tasks, self._refill)
        self._advertised: tuple[str, ...] = ()
        self._refills: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    # Life

    def start(self) -> None:
        """Start every plugin at once; they come up in the background."""
        self._refill()
        for finder in self.finders:
            self._tasks.start(finder.keep_up(), f"discovery {finder.name}")
        for carrier in self.carriers:
            self._tasks.start(carrier.keep_up(), f"signaling {carrier.name}")

    async def wait_up(self) -> None:
        """Return when the first signaling plugin is up.

        Raises:
            NoSignalingError: every one has said that it cannot come up now.

        """
        waiting = {asyncio.ensure_future(carrier.settled.wait()) for carrier in self.carriers}
        try:
            while waiting and not any(carrier.is_up for carrier in self.carriers):
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()
        if not any(carrier.is_up for carrier in self.carriers):
            raise NoSignalingError({carrier.name: carrier.reason for carrier in self.carriers})

    async def wait_settled(self) -> None:
        """Return when every signaling plugin is up or has said why not."""
        for carrier in self.carriers:
            await carrier.settled.wait()

    @property
    def listen(self) -> tuple[str, ...]:
        """The URLs of every signaling plugin that is up, local ones first."""
        carriers = sorted(self.carriers, key=lambda carrier: carrier.entry.mode is not Mode.LOCAL)
        return tuple(url for carrier in carriers for url in carrier.listen)

    async def aclose(self) -> None:
        """Say bye everywhere and release everything. Closing twice is silent."""
        if self._closing:
            return
        self._closing = True
        links = [link.aclose() for link in self.links.values()]
        await self._within([finder.discovery.aclose() for finder in self.finders] + links)
        await self._within([carrier.signaling.aclose() for carrier in self.carriers])
        await self._within([maker.connector.aclose() for maker in self._services.makers])
        await self._tasks.aclose()
        await self.publisher.aclose()

    async def _within(self, work: list[Coroutine[Any, Any, None]]) -> None:
        """Close things side by side; one that fails or hangs does not keep the others open."""
        tasks = [asyncio.ensure_future(each) for each in work]
        if not tasks:
            return
        _, hanging = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        for task in hanging:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                logger.error("closing did not end well: %r", outcome)

    # Messages

    async def send(self, peer_id: str, message: Any) -> str:
        """Send one message to one peer and return its id.

        Raises:
            BadMessage, MessageTooLarge, PeerUnavailable: it was not sent.

        """
        text, message_id = _json_text(message), new_message_id()
        await self._send(self._link(peer_id), message_id, text, message)
        return message_id

    async def broadcast(self, message: Any) -> dict[str, str]:
        """Send one message to every peer with an open link, side by side; returns its id for each peer that took it.

        Raises:
            BadMessage: nothing was sent.
            MessageTooLarge: it does not fit the link to some peer; those that it fits have it.

        """
        text = _json_text(message)
        links = [link for link in self.links.values() if link.open is not None]
        ids = [new_message_id() for _ in links]
        sends = [self._send(link, message_id, text, message) for link, message_id in zip(links, ids, strict=True)]
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, PeerUnavailable):
                raise outcome
        return {link.peer_id: id_ for link, id_, outcome in zip(links, ids, outcomes, strict=True) if outcome is None}

    async def _send(self, link: LinkDriver, message_id: str, text: str, message: Any) -> None:
        await link.send(message_id, text)
        self.publisher.sent(link.peer_id, message_id, message)

    def _link(self, peer_id: str) -> LinkDriver:
        link = self.links.get(peer_id.lower())
        if link is None:
            raise PeerUnavailable(f"no peer {peer_id} is in sight", hint="wait for peer-connected, then send again")
        return link

    # What plugins report

    def _sighted(self, plugin: str, sighting: Sighting) -> None:
        if self._closing:
            return
        match self.table.apply(plugin, sighting):
            case Found(record):
                self.publisher.publish(PeerFound(record.device_id, plugin))
                self._refresh(record.device_id)
            case Updated(record):
                self._refresh(record.device_id)
            case Lost(record):
                self.publisher.publish(PeerLost(record.device_id, plugin))
                self._refresh(record.device_id)

    def _refresh(self, device_id: str) -> None:
        """Tell the link what the table now knows of its peer."""
        record = self.table.merged(device_id)
        if record is not None:
            link = self._make_link(device_id)
            if link is not None:
                link.seen(record)
        elif (known := self.links.get(device_id.lower())) is not None:
            known.gone()
            self._forget_idle()

    def _make_link(self, device_id: str) -> LinkDriver | None:
        link = self.links.get(device_id.lower())
        if link is None:
            self._forget_idle()
            if len(self.links) >= MAX_LINKS:
                return None
            link = self.links[device_id.lower()] = LinkDriver(self._services, device_id)
        return link

    def _forget_idle(self) -> None:
        for key in [key for key, link in self.links.items() if link.link.forgettable]:
            del self.links[key]

    async def _handle(self, carrier: Carrier, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        if self._closing:
            return Refusal(RefusalCode.CLOSING, "this device is closing")
        signal = self._guard.open(envelope, origin, time.time())
        if isinstance(signal, Refusal):
            return signal
        if signal.description is not None and signal.description.type == "offer":
            return await self._handle_offer(carrier, signal)
        return await self._handle_late(signal)

    async def _handle_offer(self, carrier: Carrier, signal: Signal) -> Envelope | Refusal:
        busy = sum(link.busy for link in self.links.values()) >= MAX_PENDING
        link = None if busy else self._make_link(signal.sender)
        if link is None:
            return Refusal(RefusalCode.BUSY, "too many links are being made; try again in a second")
        return await link.offered(signal, carrier.name, carrier.entry.ice_policy)

    async def _handle_late(self, signal: Signal) -> Envelope | Refusal:
        link = self.links.get(signal.sender.lower())
        if signal.candidate is not None:
            taken = link is not None and await link.add_candidate(signal.candidate)
        else:
            taken = link is not None and link.late_answer(signal)
        return Envelope.accepted() if taken else Refusal(RefusalCode.NOT_FOUND, f"no attempt with {signal.sender} waits for this")

    # Changes

    def _signaling_changed(self) -> None:
        mode = next((carrier.mode for carrier in self.carriers if carrier.is_up), Mode.NONE)
        if mode is not self.mode:
            self.mode = mode
            self.publisher.publish(SignalingMode(mode.value))
        endpoints = tuple(url for carrier in self.carriers if carrier.mode is Mode.LOCAL for url in carrier.listen)
        if endpoints != self._advertised and not self._closing:
            self._advertised = endpoints
            for finder in self.finders:
                self._tasks.start(finder.advertise(endpoints), f"advertise by {finder.name}")

    def _refill(self) -> None:
        for maker in () if self._closing else self._services.makers:
            last = self._refills.get(maker.plugin)
            if last is None or last.done():
                self._refills[maker.plugin] = self._tasks.start(maker.connector.prepare(), f"prepare {maker.plugin}")

    def _crashed(self, task: str, error: BaseException) -> None:
        code = error.code if isinstance(error, HallwayError) else "internal"
        self.publisher.publish(
            ErrorHappened(code, f"{task}: {error}", "this is a bug in hallway or a plugin; please report it with the log")
        )


def _json_text(message: Any) -> str:
    try:
        return jsontext.dumps(message)
    except jsontext.BadJson as error:
        raise BadMessage(str(error), hint="send what json.dumps takes, without NaN") from error
