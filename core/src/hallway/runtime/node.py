"""One device at run time: its plugins, its peers, its links."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import attrs

from hallway.errors import BadMessage, ControlUnavailable, HallwayError, MessageTooLarge, NoSignalingError, PeerUnavailable, PluginError
from hallway.events import ErrorHappened, SignalingMode
from hallway.interfaces import Connector, Discovery, Signaling
from hallway.model import Envelope, Mode, Origin, Refusal, RefusalCode, Sighting
from hallway.network import AddressWatcher
from hallway.plugins import ChannelProvider, DiscoveryProvider, PluginContext, SignalingProvider
from hallway.plugins.manager import Loaded, Registry
from hallway.protocol import packed, weights
from hallway.protocol.attempt import Patience
from hallway.protocol.batches import Maker
from hallway.protocol.chunks import MAX_MESSAGE
from hallway.protocol.throttle import Throttle
from hallway.runtime.carriers import Carrier
from hallway.runtime.commands import Commands
from hallway.runtime.control import Bus
from hallway.runtime.control_socket import ControlSocket
from hallway.runtime.delivery import Delivery
from hallway.runtime.dialer import ChannelMaker, Dialer
from hallway.runtime.discoveries import Finder
from hallway.runtime.habits import Habits
from hallway.runtime.history import History
from hallway.runtime.introductions import Introductions
from hallway.runtime.link_driver import LinkDriver
from hallway.runtime.links import Links
from hallway.runtime.memory import AddressMemory
from hallway.runtime.publisher import Publisher
from hallway.runtime.receipts import Broadcast, Receipt
from hallway.runtime.reports import Reports
from hallway.runtime.services import Services
from hallway.runtime.tasks import TaskSet
from hallway.runtime.waking import watch_sleep
from hallway.store import Store
from hallway.trust import Guard

logger = logging.getLogger(__name__)

REMINDER_SECONDS = 3600.0
"""How often the log says again what the security mode does not give."""
SETTLE_SECONDS = 5.0
"""How long a start waits for signaling plugins that say nothing."""
GRACE_SECONDS = 0.3
"""How long it waits for the others once one is up."""
CLOSE_SECONDS = 1.7
"""How long closing may take in all; what still hangs then is cancelled."""
DELIVER_SECONDS = 0.7
"""How much of that is for peers with a link to get what waits for them."""
SAVE_SECONDS = 0.5
"""How long the disk may take beyond that to keep the addresses of peers."""
LOOK_PAUSE = 1.0
"""Seconds between two looks for peers that are made because links are in doubt, at least."""


KEPT_FRAMES = 16
"""Frames of messages to everybody that are kept for links that are a little behind."""
Made = TypeVar("Made")


class Node:
    """Made by `Peer`. `start` begins, `aclose` ends; in between everything mends itself.

    Raises:
        PluginError: no plugin of a chain that a device cannot do without could be made.

    """

    def __init__(
        self, registry: Registry, context: PluginContext, guard: Guard, publisher: Publisher, habits: Habits, store: Store
    ) -> None:
        self.device = device = context.device
        self.publisher = publisher
        self.mode = Mode.NONE
        self._guard = guard
        self._problems = list(registry.problems)
        self._tasks = TaskSet(self._crashed)
        self._plugin_tasks = TaskSet(self._crashed)
        self._interfaces = context.interfaces
        bus = Bus(self._tasks)
        context = attrs.evolve(context, bus=bus)
        self.finders = self._make(registry.discovery, lambda each: self._finder(each.provider, registry.make(each, context)))
        self.carriers = self._make(registry.signaling, lambda each: self._carrier(each.provider, registry.make(each, context)))
        self._makers = tuple(self._make(registry.channel, lambda each: _maker(each.provider, registry.make(each, context))))
        if self._problems and not (self.carriers and self._makers):
            raise self._problems[0]
        self.delivery = Delivery(store, publisher, self._tasks, habits.remembered)
        self.commands = Commands()
        """What the control socket answers."""
        History(store, self.delivery.retry).serve(self.commands)
        self.control = ControlSocket(habits.control, self.commands, self._plugin_tasks)
        self._memory = AddressMemory(device.property_id, habits.last_good, self._sighted)
        self.links = Links(
            Services(
                device=device,
                timing=habits.timing,
                patience=Patience(),
                guard=guard,
                dialer=Dialer(self.carriers, self._makers, guard),
                makers=self._makers,
                publisher=publisher,
                reports=Reports(publisher),
                bus=bus,
                memory=self._memory,
                delivery=self.delivery,
                tasks=self._tasks,
                refill=self._refill,
                look_around=self._look_around,
            )
        )
        self._introductions = Introductions(device, bus, self._tasks, self._sighted, self.links.open_records)
        self._shared = Maker(random.getrandbits(64), KEPT_FRAMES)
        self._looks = Throttle(LOOK_PAUSE)
        self._advertised: tuple[str, ...] = ()
        self._refills: dict[str, asyncio.Task[None]] = {}
        self._closing: asyncio.Task[None] | None = None
        self._closers: set[asyncio.Task[Any]] = set()

    async def prepare(self) -> None:
        """Read the store and make the control socket, without which the device lives as well."""
        await self.delivery.start()
        try:
            await self.control.start()
        except ControlUnavailable as error:
            self.publisher.publish(ErrorHappened(error.code, str(error), error.hint))

    def start(self) -> None:
        """Start every plugin at once; they come up in the background, after `prepare`."""
        self._plugin_tasks.start(self.delivery.run(), "delivery")
        for problem in self._problems:
            self.publisher.publish(ErrorHappened(problem.code, str(problem), problem.hint))
        if self._guard.caution:
            self._tasks.start(self._remind(self._guard.caution), "caution")
        self._refill()
        self._plugin_tasks.start(self._introductions.run(), "introductions")
        self._plugin_tasks.start(self._memory.run(), "last-good addresses")
        self._plugin_tasks.start(self._follow_addresses(), "addresses")
        self._plugin_tasks.start(watch_sleep(self._woke), "sleep")
        for finder in self.finders:
            self._plugin_tasks.start(finder.keep_up(), f"discovery {finder.name}")
        for carrier in self.carriers:
            self._plugin_tasks.start(carrier.keep_up(), f"signaling {carrier.name}")

    def _make(self, chain: Iterable[Loaded[Any]], make: Callable[[Loaded[Any]], Made]) -> list[Made]:
        """What can be made of a chain; a factory that fails is reported, and the rest goes on."""
        made = []
        for loaded in chain:
            try:
                made.append(make(loaded))
            except PluginError as problem:
                logger.warning("%s", problem)
                self._problems.append(problem)
        return made

    def _finder(self, provider: DiscoveryProvider, discovery: Discovery) -> Finder:
        return Finder(provider.name, discovery, self._sighted)

    def _carrier(self, provider: SignalingProvider, signaling: Signaling) -> Carrier:
        return Carrier(provider, signaling, handler=self._handle, reporter=self._sighted, on_change=self._signaling_changed)

    async def _follow_addresses(self) -> None:
        """Tell the links when this device's addresses change; plugins look for themselves."""
        async for addresses in AddressWatcher(self._interfaces, ()):
            self.links.readdressed({str(address.ip) for address in addresses if not address.ip.is_loopback})
            self._refill()

    def _woke(self, seconds: float) -> None:
        logger.info("this device has slept for %.0f s: it announces itself and asks its peers anew", seconds)
        self._look_around()
        self.links.renew()

    def _look_around(self) -> None:
        if self._closing is None and self._looks.lets("look", asyncio.get_running_loop().time()):
            for finder in self.finders:
                self._plugin_tasks.start(finder.refresh(), f"refresh {finder.name}")

    async def _remind(self, caution: str) -> None:
        while True:
            logger.warning("%s", caution)
            await asyncio.sleep(REMINDER_SECONDS)

    async def wait_up(self) -> None:
        """Return when the first signaling plugin is up.

        Raises:
            NoSignalingError: every one has said that it cannot come up now.

        """
        waiting = {asyncio.ensure_future(carrier.settled.wait()) for carrier in self.carriers}
        try:
            while waiting and not self._is_up:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()
        if not self._is_up:
            raise self._no_signaling()

    async def wait_settled(self) -> None:
        """Return once it is known what signaling there is, `SETTLE_SECONDS` from now at most.

        That is when every plugin is up or has said why not, or a moment after the first is up: a cloud that does not answer must not hold
        up the LAN. If none is up, an `ErrorHappened` tells why.
        """
        waiting = {asyncio.ensure_future(carrier.settled.wait()) for carrier in self.carriers}
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        try:
            while waiting and (left := deadline - asyncio.get_running_loop().time()) > 0:
                patience = min(left, GRACE_SECONDS) if self._is_up else left
                done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
        finally:
            for future in waiting:
                future.cancel()
        if not self._is_up:
            error = self._no_signaling()
            self.publisher.publish(ErrorHappened(error.code, str(error), error.hint))

    @property
    def _is_up(self) -> bool:
        return any(carrier.is_up for carrier in self.carriers)

    def _no_signaling(self) -> NoSignalingError:
        return NoSignalingError({carrier.name: carrier.reason for carrier in self.carriers})

    @property
    def listen(self) -> tuple[str, ...]:
        """The URLs of every signaling plugin that is up, local ones first."""
        carriers = sorted(self.carriers, key=lambda carrier: carrier.entry.mode is not Mode.LOCAL)
        return tuple(url for carrier in carriers for url in carrier.listen)

    async def aclose(self) -> None:
        """Say bye everywhere and release everything. Whoever calls it waits until all is closed; a cancelled call closes all the same."""
        if (caller := asyncio.current_task()) is not None:
            self._closers.add(caller)
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="close")
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            await asyncio.wait([self._closing])
            raise

    async def _close(self) -> None:
        deadline = asyncio.get_running_loop().time() + CLOSE_SECONDS
        await self.control.aclose()
        await self.delivery.settle(asyncio.get_running_loop().time() + DELIVER_SECONDS)
        await self._finish([self._plugin_tasks.aclose()], deadline)
        links = [link.aclose() for link in self.links.all()]
        await self._finish([finder.discovery.aclose() for finder in self.finders] + links, deadline)
        await self._finish([carrier.signaling.aclose() for carrier in self.carriers], deadline)
        await self._finish([maker.connector.aclose() for maker in self._makers], deadline)
        await self._tasks.aclose()
        # What listeners deal with until the end is let go of.
        await self.publisher.aclose(deadline, but=self._closers)
        await self.delivery.aclose()
        await self._finish([asyncio.to_thread(self._memory.save)], asyncio.get_running_loop().time() + SAVE_SECONDS)

    async def _finish(self, work: list[Coroutine[Any, Any, None]], deadline: float) -> None:
        """Close things side by side; one that fails or hangs does not keep the others open."""
        tasks = [asyncio.ensure_future(each) for each in work]
        if not tasks:
            return
        _, hanging = await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        for task in hanging:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                logger.error("closing did not end well: %r", outcome)

    async def send(self, peer_id: str, message: Any, *, durable: bool, ttl: float | None) -> Receipt:
        """Send one message to one peer.

        Raises:
            BadMessage, MessageTooLarge, PeerUnavailable, OutboxFull, StoreError: it was not sent.

        """
        body, link = _packed(message), self.links.find(peer_id)
        if not durable or not self.delivery.stores(peer_id):
            message_id = await self.links.get(peer_id).send(body)
            self.publisher.sent(peer_id, message_id, message)
            return Receipt(peer_id, message_id, durable=False)
        if link is not None:
            link.check(body)
        if link is None and not await self.delivery.acquaintances.includes(peer_id):
            raise PeerUnavailable(f"nothing is known of a peer {peer_id}", hint="wait for peer-found, then send again")
        receipt = await self.delivery.put_one(body, peer_id, ttl)
        self.publisher.sent(peer_id, receipt.id, message)
        return receipt

    async def broadcast(self, message: Any, *, durable: bool, ttl: float | None) -> Broadcast:
        """Send one message to every peer that is linked or was lately.

        Raises:
            BadMessage, MessageTooLarge, StoreError: it was not sent.

        """
        body = _packed(message)
        for link in self.links.open():
            link.check(body)
        plain = [link for link in self.links.open() if not durable or not self.delivery.stores(link.peer_id)]
        ids = await self._broadcast(body, message, plain)
        if not durable:
            return Broadcast(tuple(Receipt(peer_id, message_id, durable=False) for peer_id, message_id in ids.items()))
        to = {each.lower(): each for each in (*await self.delivery.acquaintances.names(), *(link.peer_id for link in self.links.open()))}
        for link in plain:
            to.pop(link.peer_id.lower(), None)
        receipts, full = await self.delivery.put(body, list(to.values()), ttl) if to else ([], ())
        for receipt in receipts:
            self.publisher.sent(receipt.peer_id, receipt.id, message)
        at_once = [Receipt(peer_id, message_id, durable=False) for peer_id, message_id in ids.items()]
        return Broadcast((*receipts, *at_once), full)

    async def _broadcast(self, body: bytes, message: Any, links: list[LinkDriver]) -> dict[str, str]:
        """Send it to those, and keep nothing; returns its id for each peer that took it. Who has no room is waited for, side by side."""
        number = self._shared.number()
        message_id = self._shared.id(number)
        crowded = [link for link in links if not link.send_shared(self._shared, number, body)]
        ids = {link.peer_id: message_id for link in links if link not in crowded}
        if crowded:
            ids |= await self._send_side_by_side(body, crowded)
        for peer_id, its_id in ids.items():
            self.publisher.sent(peer_id, its_id, message)
        return ids

    async def _send_side_by_side(self, body: bytes, links: list[LinkDriver]) -> dict[str, str]:
        outcomes = await asyncio.gather(*(link.send(body) for link in links), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, PeerUnavailable):
                raise outcome
        return {link.peer_id: outcome for link, outcome in zip(links, outcomes, strict=True) if isinstance(outcome, str)}

    def _sighted(self, plugin: str, sighting: Sighting) -> None:
        if self._closing is None:
            self.links.sighted(plugin, sighting)

    async def _handle(self, carrier: Carrier, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        if self._closing is not None:
            return Refusal(RefusalCode.CLOSING, "this device is closing")
        return await self.links.handle(carrier, envelope, origin)

    def _signaling_changed(self) -> None:
        mode = next((carrier.mode for carrier in self.carriers if carrier.is_up), Mode.NONE)
        if mode is not self.mode:
            self.mode = mode
            self.publisher.publish(SignalingMode(mode.value))
        endpoints = tuple(url for carrier in self.carriers if carrier.mode is Mode.LOCAL for url in carrier.listen)
        if endpoints != self._advertised and self._closing is None:
            self._advertised = endpoints
            self._introductions.advertise(endpoints)
            for finder in self.finders:
                self._plugin_tasks.start(finder.advertise(endpoints), f"advertise by {finder.name}")

    def _refill(self) -> None:
        for maker in () if self._closing is not None else self._makers:
            last = self._refills.get(maker.plugin)
            if last is None or last.done():
                self._refills[maker.plugin] = self._tasks.start(maker.connector.prepare(), f"prepare {maker.plugin}")

    def _crashed(self, task: str, error: BaseException) -> None:
        code = error.code if isinstance(error, HallwayError) else "internal"
        self.publisher.publish(
            ErrorHappened(code, f"{task}: {error}", "this is a bug in hallway or a plugin; please report it with the log")
        )


def _maker(provider: ChannelProvider, connector: Connector) -> ChannelMaker:
    return ChannelMaker(provider.name, provider.kind, connector)


def _packed(message: Any) -> bytes:
    try:
        body = packed.pack(message)
    except packed.BadValue as error:
        raise BadMessage(str(error), hint="send what json.dumps takes, without NaN, or bytes") from error
    if len(body) > MAX_MESSAGE:
        raise MessageTooLarge(f"the message has {len(body)} bytes as MessagePack; {MAX_MESSAGE} are allowed", hint="split it")
    if len(body) > packed.LARGE and packed.weight(body) > weights.MAX_WEIGHT:
        raise MessageTooLarge("the message holds so many values that they fill the receiver's memory", hint="split it, or send it as bytes")
    return body
