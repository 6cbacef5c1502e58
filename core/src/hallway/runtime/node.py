"""One device at run time: its plugins, its peers, its links."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import attrs

from hallway.errors import ControlUnavailable, HallwayError, NoSignalingError
from hallway.events import ErrorHappened, SignalingMode
from hallway.model import Envelope, Mode, Origin, Refusal, RefusalCode, Sighting
from hallway.network import AddressWatcher
from hallway.plugins import PluginContext
from hallway.plugins.manager import Registry
from hallway.protocol.attempt import Patience
from hallway.protocol.heartbeat import Timing
from hallway.protocol.throttle import Throttle
from hallway.runtime.chains import make_chains
from hallway.runtime.control.bus import Bus
from hallway.runtime.control.commands import Commands
from hallway.runtime.control.local_socket import ControlSocket
from hallway.runtime.delivery.history import History
from hallway.runtime.delivery.layer import Delivery
from hallway.runtime.habits import Habits
from hallway.runtime.introductions import Introductions
from hallway.runtime.links.carriers import Carrier
from hallway.runtime.links.dialer import Dialer
from hallway.runtime.links.links import Links
from hallway.runtime.links.reports import Reports
from hallway.runtime.links.services import Services
from hallway.runtime.membership.rosters import Rosters
from hallway.runtime.memory import AddressMemory
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.sender import Sender
from hallway.runtime.tasks import TaskSet
from hallway.runtime.waking import watch_sleep
from hallway.store import Store
from hallway.trust import Guard
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState

logger = logging.getLogger(__name__)

REMINDER_SECONDS = 3600.0
"""How often the log says again what the security mode does not give."""
CLOSE_SECONDS = 1.7
"""How long closing may take in all; what still hangs then is cancelled."""
DELIVER_SECONDS = 0.7
"""How much of that is for peers with a link to get what waits for them."""
SAVE_SECONDS = 0.5
"""How long the disk may take beyond that to keep the addresses of peers."""
LOOK_PAUSE = 1.0
"""Seconds between two looks for peers that are made because links are in doubt, at least."""

Endpoint = Callable[[Envelope, Origin], Awaitable[Envelope | Refusal]]


class Node:
    """Made by `Peer`. `start` begins, `aclose` ends; in between everything mends itself.

    Raises:
        PluginError: no plugin of a chain that a device cannot do without could be made.

    """

    def __init__(
        self,
        registry: Registry,
        context: PluginContext,
        guard: Guard,
        publisher: Publisher,
        habits: Habits,
        store: Store,
        state: TrustState | None = None,
    ) -> None:
        self.device = context.device
        self.publisher = publisher
        self.guard = guard
        self.mode = Mode.NONE
        self.endpoints: dict[str, Endpoint] = {}
        """What answers envelopes that are none of a link, by their kind. They come from anybody."""
        self.commands = Commands()
        """What the control socket answers."""
        self._interfaces = context.interfaces
        self._tasks = TaskSet(self._crashed)
        self._plugin_tasks = TaskSet(self._crashed)
        self._bus = Bus(self._tasks)
        context = attrs.evolve(context, bus=self._bus)
        self._chains = make_chains(registry, context, sighted=self._sighted, handler=self._handle, changed=self._signaling_changed)
        self.finders, self.signaling = self._chains.finders, self._chains.signaling
        self.delivery = Delivery(store, publisher, self._tasks, habits.remembered)
        History(store, self.delivery.retry).serve(self.commands)
        self.control = ControlSocket(habits.control, self.commands, self._plugin_tasks)
        self._memory = AddressMemory(self.device.property_id, habits.last_good, self._sighted)
        self.links = Links(self._services(habits.timing))
        self.sender = Sender(self.links, self.delivery, publisher)
        self._rosters = self._make_rosters(state, purges=habits.purges_revoked)
        self._introductions = Introductions(self.device, self._bus, self._tasks, self._sighted, self.links.open_records)
        self._looks = Throttle(LOOK_PAUSE)
        self._advertised: tuple[str, ...] = ()
        self._refills: dict[str, asyncio.Task[None]] = {}
        self._closing: asyncio.Task[None] | None = None
        self._closers: set[asyncio.Task[Any]] = set()

    def _services(self, timing: Timing) -> Services:
        return Services(
            device=self.device,
            timing=timing,
            patience=Patience(),
            guard=self.guard,
            dialer=Dialer(self.signaling.carriers, self._chains.makers, self.guard),
            makers=self._chains.makers,
            publisher=self.publisher,
            reports=Reports(self.publisher),
            bus=self._bus,
            memory=self._memory,
            delivery=self.delivery,
            tasks=self._tasks,
            refill=self._refill,
            look_around=self._look_around,
        )

    def _make_rosters(self, state: TrustState | None, *, purges: bool) -> Rosters | None:
        if not isinstance(self.guard, SealedGuard) or state is None:
            return None
        purge = self.delivery.purge if purges else None
        return Rosters(self.guard, state, self._bus, self._tasks, lambda names: self.links.revoked(names, purge), self.links.look_again)

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
        for problem in self._chains.problems:
            self.publisher.publish(ErrorHappened(problem.code, str(problem), problem.hint))
        if self.guard.caution:
            self._tasks.start(self._remind(self.guard.caution), "caution")
        self._refill()
        if self._rosters is not None:
            self._plugin_tasks.start(self._rosters.run(), "rosters")
        self._plugin_tasks.start(self._introductions.run(), "introductions")
        self._plugin_tasks.start(self._memory.run(), "last-good addresses")
        self._plugin_tasks.start(self._follow_addresses(), "addresses")
        self._plugin_tasks.start(watch_sleep(self._woke), "sleep")
        for finder in self.finders:
            self._plugin_tasks.start(finder.keep_up(), f"discovery {finder.name}")
        for carrier in self.signaling.carriers:
            self._plugin_tasks.start(carrier.keep_up(), f"signaling {carrier.name}")

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

    async def wait_settled(self) -> None:
        """See `SignalingChain.wait_settled`; if there is no signaling, an `ErrorHappened` tells why."""
        try:
            await self.signaling.wait_settled()
        except NoSignalingError as error:
            self.publisher.publish(ErrorHappened(error.code, str(error), error.hint))

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
        await self._finish([carrier.signaling.aclose() for carrier in self.signaling.carriers], deadline)
        await self._finish([maker.connector.aclose() for maker in self._chains.makers], deadline)
        await self._tasks.aclose()
        # What listeners deal with until the end is let go of.
        await self.publisher.aclose(deadline, but=self._closers)
        await self.delivery.aclose()
        saving: list[Coroutine[Any, Any, None]] = [asyncio.to_thread(self._memory.save)]
        if self._rosters is not None:
            saving.append(self._rosters.save())
        await self._finish(saving, asyncio.get_running_loop().time() + SAVE_SECONDS)

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

    def _sighted(self, plugin: str, sighting: Sighting) -> None:
        if self._closing is None:
            self.links.sighted(plugin, sighting)

    async def _handle(self, carrier: Carrier, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        if self._closing is not None:
            return Refusal(RefusalCode.CLOSING, "this device is closing")
        endpoint = self.endpoints.get(envelope.kind)
        return await (endpoint(envelope, origin) if endpoint is not None else self.links.handle(carrier, envelope, origin))

    def _signaling_changed(self) -> None:
        mode = self.signaling.mode
        if mode is not self.mode:
            self.mode = mode
            self.publisher.publish(SignalingMode(mode.value))
        endpoints = self.signaling.local_endpoints
        if endpoints != self._advertised and self._closing is None:
            self._advertised = endpoints
            self._introductions.advertise(endpoints)
            for finder in self.finders:
                self._plugin_tasks.start(finder.advertise(endpoints), f"advertise by {finder.name}")

    def _refill(self) -> None:
        for maker in () if self._closing is not None else self._chains.makers:
            last = self._refills.get(maker.plugin)
            if last is None or last.done():
                self._refills[maker.plugin] = self._tasks.start(maker.connector.prepare(), f"prepare {maker.plugin}")

    def _crashed(self, task: str, error: BaseException) -> None:
        code = error.code if isinstance(error, HallwayError) else "internal"
        self.publisher.publish(
            ErrorHappened(code, f"{task}: {_text(error)}", "this is a bug in hallway or a plugin; please report it with the log")
        )


def _text(error: BaseException) -> str:
    """What an error says; of a group, what those in it say."""
    return "; ".join(map(_text, error.exceptions)) if isinstance(error, BaseExceptionGroup) else str(error)
