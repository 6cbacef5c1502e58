"""`Peer`: the local end, with the seed's API in Python. `create_peer` makes one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack, overload

from hallway.config import Config, config_from_arguments
from hallway.errors import ClosedError, ConfigError, Mistake, MisuseError
from hallway.events import ErrorHappened, Event
from hallway.model import DeviceInfo
from hallway.network import Resolver
from hallway.plugins import PluginContext
from hallway.plugins.manager import Registry, load_plugins
from hallway.runtime.control.place import beside
from hallway.runtime.delivery.receipts import Broadcast, Receipt
from hallway.runtime.habits import Habits
from hallway.runtime.membership.security import Security
from hallway.runtime.node import Node
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.publishing.readers import EventReader, MessageReader
from hallway.runtime.publishing.subscriptions import messages_only
from hallway.runtime.reception import Reception
from hallway.store import Store
from hallway.trust.sealed_guard import SealedGuard

Listener = TypeVar("Listener", bound=Callable[..., Any])


class Peer:
    """One device of a property. Make it with `create_peer`, start it with `connect` or ``async with``, end it with `aclose`.

    All methods belong to the event loop in which it was started.
    """

    def __init__(self, config: Config, *, observers: Sequence[object] = ()) -> None:
        self.config = config
        self._security = Security.of(config)
        self._registry: Registry = load_plugins(config, observers=observers)
        _require_usable(self._registry)
        self._publisher = Publisher(self._registry.hook, observes_messages=self._registry.observes_messages)
        self._node: Node | None = None
        self._reception: Reception | None = None
        self._begun = self._closed = False

    @property
    def device_id(self) -> str:
        """This device's id."""
        return self._security.device_id

    @property
    def property_id(self) -> str:
        """The property that this device belongs to."""
        return self._security.property_id

    @property
    def signaling_mode(self) -> str:
        """``local``, ``cloud`` or ``none``: the mode of the first entry of the signaling chain that is up."""
        return self._node.mode.value if self._node is not None else "none"

    @property
    def listen(self) -> tuple[str, ...]:
        """The URLs under which others signal to this device now, the LAN ones first."""
        return self._node.signaling.listen if self._node is not None else ()

    @property
    def connected_peers(self) -> tuple[str, ...]:
        """The ids of the peers with an open link."""
        return tuple(link.peer_id for link in self._node.links.open()) if self._node is not None else ()

    async def start(self) -> None:
        """Start without asking for anything: return once every signaling plugin is up or has said why not, and keep trying after that.

        Raises:
            MisuseError: it was started before.
            ClosedError: it was closed.

        """
        await self._begin()
        await self._running().wait_settled()

    async def connect(self) -> None:
        """Start every receiver at once and return when the first is up; no peer is needed.

        Raises:
            NoSignalingError: none came up; it lists every attempt, and the peer is closed.
            MisuseError: it was started before.
            ClosedError: it was closed.

        """
        await self._begin()
        try:
            await self._running().signaling.wait_up()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Say bye to every peer, deliver what was sent, release everything; within 2 s. Closing twice is silent."""
        self._closed = True
        if self._node is not None:
            await self._node.aclose()
        await self._let_go()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def on(self, event: str, listener: Listener) -> Listener:
        """Call ``listener`` at every ``event``, in the event loop; it may be a coroutine function. Returns ``listener``.

        ``message`` gives ``(peer_id, message)``; ``peer-connected``, ``peer-disconnected``, ``peer-path``, ``peer-found`` and ``peer-lost``
        give the peer id; ``signaling-mode`` gives the mode; ``error`` gives a `hallway.events.ErrorHappened` and ``undelivered`` a
        `hallway.events.Undelivered`. Messages that came before anybody listened are handed to the first listener. Coroutines of consecutive
        messages run side by side; use `messages` to take one at a time.

        Raises:
            MisuseError: there is no event of that name.

        """
        self._publisher.on(event, listener)
        return listener

    def messages(self) -> MessageReader:
        """Every message from now on, and those that nobody has taken yet, as pairs of peer id and message; ends when the peer closes.

        A message is dealt with when the next one is asked for, at the end of ``async with`` without an exception, and when `done` is
        called; a loop that is left in another way has its last one again. A reader that falls 16 MiB behind slows the senders down.
        """
        return MessageReader(self._publisher.subscribe(messages_only))

    def events(self, wants: Callable[[Event], bool] = lambda _: True) -> EventReader:
        """What happens from now on and ``wants`` accepts, as `hallway.events` values, in order; ends when the peer closes."""
        return EventReader(self._publisher.subscribe(wants))

    async def send_to_peer(self, peer_id: str, message: Any, *, durable: bool = True, ttl: float | None = None) -> Receipt:
        """Send a JSON value, or bytes, to one peer, linked or away; returns a receipt once the message is stored.

        It is delivered once and in order, whatever happens in between, unless its ``ttl`` (seconds) is over before. ``durable=False``:
        it goes over the open link, waiting for room, or not at all, and what is under way when a link breaks may be lost. A message of
        more than 16 KiB goes in pieces: small ones with ``durable=False`` that were sent after it may arrive before it.

        Raises:
            PeerUnavailable: that peer is neither in sight nor was it linked lately; with ``durable=False``, there is no open link to it.
            BadMessage: it is no JSON value and no bytes, or the peer takes JSON only.
            MessageTooLarge: it has more than 16 MiB as MessagePack, or so many values that they would fill the peer's memory; or the peer
                does not speak hallway, or an older one, and it does not fit its channel (mostly 256 KiB).
            OutboxFull: too much waits for that peer already.
            MisuseError: ``ttl`` is no finite number above 0.
            StoreError: it could not be stored.

        """
        return await self._running().sender.send(peer_id, message, durable=durable, ttl=ttl)

    async def broadcast(self, message: Any, *, durable: bool = True, ttl: float | None = None) -> Broadcast:
        """Send a JSON value, or bytes, to every peer that is linked or was lately; returns a receipt for each.

        Lately is `[delivery].remember_days`: 30 days by default.

        ``durable=False``: to those with an open link, as for `send_to_peer`. Peers for whom too much waits already are named in ``full``.

        Raises:
            BadMessage, MessageTooLarge, StoreError, MisuseError: as for `send_to_peer`.

        """
        return await self._running().sender.broadcast(message, durable=durable, ttl=ttl)

    def status(self) -> dict[str, Any]:
        """What the device is doing now, as a JSON object."""
        node = self._running()
        return {
            "deviceId": self.device_id,
            "propertyId": self.property_id,
            "security": self.config.security,
            **({"caution": node.guard.caution} if node.guard.caution is not None else {}),
            **({"trust": trust} if (trust := node.guard.status()) is not None else {}),
            "mode": self.signaling_mode,
            "listen": list(self.listen),
            "signaling": [{"plugin": each.name, "up": each.is_up, "reason": each.reason} for each in node.signaling.carriers],
            "discovery": [{"plugin": each.name, "up": each.is_up, "reason": each.reason} for each in node.finders],
            "peers": node.links.status(),
        }

    async def _begin(self) -> None:
        if self._closed:
            raise ClosedError("this peer was closed", hint="make a new one with create_peer")
        if self._begun:
            raise MisuseError("this peer was started before", hint="call connect once")
        self._begun = True
        self._hold()
        store = await self._open_store()
        device = DeviceInfo(self.device_id, self.property_id, self.config.device.type, secrets.token_hex(8))
        network = self.config.network
        policies = [each.provider.ice_policy for each in self._registry.signaling]
        guard = self._security.guard(device, network.policy(), policies)
        context = PluginContext(device, network.policy(), Resolver(), cover=guard.cover)
        habits = self._habits()
        node: Node | None = None
        try:
            enrolment = self._security.enrolment
            state = enrolment.state if enrolment is not None else None
            node = Node(self._registry, context, guard, self._publisher, habits, store, state)
            await node.prepare()
            if self._reception is not None and isinstance(guard, SealedGuard):
                await self._reception.open(node, guard.learn)
            if self._closed:
                raise ClosedError("this peer was closed while it started", hint="make a new one with create_peer")
        except BaseException:
            if node is not None:
                await node.control.aclose()
            await self._let_go()
            await store.aclose()
            raise
        self._node = node
        node.start()

    def _hold(self) -> None:
        """Take the state folder of a sealed device."""
        enrolment = self._security.enrolment
        if enrolment is None:
            return
        reception = Reception(enrolment.state, enrolment.membership)
        try:
            reception.hold()
        except BaseException:
            # Somebody else may have it for a while.
            self._begun = False
            raise
        self._reception = reception

    async def _let_go(self) -> None:
        if self._reception is not None:
            await self._reception.aclose()

    async def _open_store(self) -> Store:
        path = self.config.delivery.store
        try:
            store = await Store.open(path, quota=self.config.delivery.quota())
        except BaseException:
            # Somebody else may have it for a while.
            self._begun = False
            await self._let_go()
            raise
        for notice in store.notices:
            self._publisher.publish(
                ErrorHappened("store", notice, "look at the disk; the messages of before may be in the file that was moved aside")
            )
        return store

    def _habits(self) -> Habits:
        delivery = self.config.delivery
        control = None if delivery.store is None else beside(delivery.store)
        purges = self.config.trust.revoked_outbox == "purge"
        return Habits(self.config.link.timing(), self.config.discovery.last_good, delivery.remember_days * 86400.0, purges, control)

    def _running(self) -> Node:
        if self._node is None or self._closed:
            raise ClosedError("this peer is not running", hint="await connect first, or use `async with`")
        return self._node


def _require_usable(registry: Registry) -> None:
    """A chain of which nothing is left makes a device that can do nothing; the configuration refuses empty chains of these roles."""
    for role, chain in (("signaling", registry.signaling), ("channel", registry.channel)):
        skipped = [each for each in registry.skipped if each.role == role]
        if not chain and registry.problems:
            raise registry.problems[0]
        if not chain and skipped:
            raise ConfigError(
                [Mistake(f"{role}.chain", f"nothing of it can be used: {each.name} is skipped, {each.reason}") for each in skipped]
            )


class PeerArguments(TypedDict, total=False):
    """The keyword arguments of `create_peer`: see `hallway.config.config_from_arguments`."""

    device_id: str
    property_id: str
    device_type: str
    security: str
    trust_state: str | os.PathLike[str]
    local_signaling_port: int | None
    prefer_local: bool
    cloud_signaling_url: str | None
    ice_servers: Sequence[Mapping[str, Any]] | None
    discovery: Sequence[str] | None
    signaling: Sequence[str] | None
    channel: Sequence[str] | None
    interfaces: Sequence[str] | None
    deny: Sequence[str] | None
    store: str | None
    plugins: Mapping[str, Mapping[str, Any]] | None


@overload
def create_peer(config: Config, *, observers: Sequence[object] = ()) -> Peer: ...
@overload
def create_peer(*, observers: Sequence[object] = (), **arguments: Unpack[PeerArguments]) -> Peer: ...
def create_peer(config: Config | None = None, *, observers: Sequence[object] = (), **arguments: Any) -> Peer:
    """Make a peer from a `Config` (see `load_config`), or from keyword arguments.

    Args:
        config: everything; then no keyword argument is taken.
        observers: objects with observer hooks (`hallway.hookspecs`).
        **arguments: see `PeerArguments`; ``trust_state`` is required, or else ``security="open"``, ``device_id`` and ``property_id``.

    Raises:
        ConfigError: every mistake at once.
        TrustStateError: the enrolment cannot be read, or is not there.
        PluginError: no plugin of a chain can be used.

    """
    if config is None:
        return Peer(config_from_arguments(**arguments), observers=observers)
    if arguments:
        raise MisuseError(f"create_peer takes a config or keyword arguments, not both: {', '.join(sorted(arguments))}")
    return Peer(config, observers=observers)
