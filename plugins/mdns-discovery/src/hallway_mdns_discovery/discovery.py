"""MdnsDiscovery: the plugin's face. It opens and closes the sockets and owns the tasks; `browser` and `advertiser` do the work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from hallway.errors import ClosedError, DiscoveryUnavailable, MisuseError
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import PeerRecord, same_device
from hallway.network import AddressWatcher, InterfaceAddress, Lan
from hallway.plugins import PluginContext
from hallway.protocol.bucket import Bucket
from hallway_mdns_discovery._faces import CoveredFace, Face, PlainFace
from hallway_mdns_discovery._records import advertised
from hallway_mdns_discovery.advertiser import Advertiser
from hallway_mdns_discovery.browser import Browser
from hallway_mdns_discovery.config import MdnsConfig
from hallway_mdns_discovery.errors import NO_INTERFACE, mapped
from hallway_mdns_discovery.keeping import Keeper
from hallway_mdns_discovery.link import LinkZeroconf

START_DEADLINE = 2.0
"""Seconds for zeroconf to take up its sockets."""

REFRESHES = (1.0, 2.0)
"""How many a second, and how many at once: no caller may make this device flood the link (RFC 6762 section 6)."""

ROTATION = 3600.0
"""Seconds between two looks at whether a cover has another beacon for us."""

NO_ADDRESS = "no allowed network interface has an address"

Addresses = tuple[InterfaceAddress, ...]


class MdnsDiscovery(Discovery):
    """Finds devices of this property under `_webrtc-peer._tcp.local.` and makes this one known there (RFC 6762, RFC 6763).

    With a cover it is `_hallway._tcp.local.`, under names that tell outsiders nothing.

    It uses the interfaces of the policy and follows them: an address that comes or goes is noticed as `AddressWatcher` says. It makes no
    thread and asks no resolver. A device is reported once however many instances claim its id; the newest sight of it counts. What fails
    later than `start` is told to the host and mended: a part that fails begins again, and interfaces that cannot be used are tried again.

    ``watch`` is the time in seconds between two looks at our own addresses that nothing else caused.
    """

    def __init__(self, config: MdnsConfig, context: PluginContext, *, watch: float = 2.0) -> None:
        self._config = config
        self._context = context
        self._face: Face = PlainFace(context.device) if context.cover is None else CoveredFace(context.device, context.cover)
        if context.cover is not None:
            context.cover.watch(self._cover_changed)
        self._watch = watch
        self._multicast: AsyncZeroconf | None = None
        self._zeroconf: LinkZeroconf | None = None
        self._addresses: Addresses = ()
        self._endpoints: tuple[str, ...] = ()
        self._refreshes = Bucket(*REFRESHES, 0.0)
        self._browser: Browser | None = None
        self._advertiser: Advertiser | None = None
        self._opening: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def start(self, host: DiscoveryHost) -> None:
        """Begin to browse; see `Discovery.start`."""
        if self._closed:
            raise ClosedError("this discovery is closed")
        if self._multicast is not None:
            raise MisuseError("this discovery is started already")
        with mapped():
            addresses = self._context.interfaces.addresses()
        if not addresses:
            raise DiscoveryUnavailable(NO_ADDRESS, hint=NO_INTERFACE)
        try:
            with mapped():
                await self._open(addresses)
            self._begin(host, addresses)
        except BaseException:
            await self._release()
            raise

    async def _open(self, addresses: Addresses) -> None:
        zeroconf = self._zeroconf = LinkZeroconf(_interfaces(addresses), _ip_version(addresses), Lan.of(addresses))
        multicast = self._multicast = AsyncZeroconf(zc=zeroconf)
        self._opening = asyncio.create_task(multicast.zeroconf.async_wait_for_start(START_DEADLINE))
        # Cancelled itself, it would leave zeroconf in a state that cannot be closed.
        await asyncio.shield(self._opening)
        if not self._closed:
            zeroconf.read_ahead()
            _check_senders(zeroconf)

    def _begin(self, host: DiscoveryHost, addresses: Addresses) -> None:
        if self._closed or self._multicast is None:
            raise ClosedError("this discovery was closed while it started")
        zeroconf = self._multicast.zeroconf
        self._addresses = addresses
        keeper = Keeper(host)
        self._browser = Browser(zeroconf, self._face, Lan.of(addresses), self._is_wanted, host.report)
        self._advertiser = Advertiser(zeroconf, self._face.instance)
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "browsing": self._browser.run,
            "advertising": self._advertiser.run,
            "following": lambda: self._follow(keeper),
            "rotating": self._rotate,
        }
        self._tasks += [asyncio.create_task(keeper.keep(part, work), name=f"mdns {part}") for part, work in parts.items()]
        self._offer()

    def _is_wanted(self, record: PeerRecord) -> bool:
        device = self._context.device
        return record.property_id == device.property_id and not same_device(record.device_id, device.device_id)

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """Make this device known in the background; see `Discovery.advertise`. Endpoints that are not ``http`` are ignored."""
        if self._closed:
            raise ClosedError("this discovery is closed")
        self._endpoints = endpoints
        self._offer()

    async def refresh(self) -> None:
        """Ask and announce at once; see `Discovery.refresh`. What follows another one too closely does nothing."""
        if not self._closed and self._refreshes.take(asyncio.get_running_loop().time()):
            self._begin_anew()

    def _begin_anew(self) -> None:
        if self._browser is not None and self._advertiser is not None:
            self._browser.restart(Lan.of(self._addresses))
            self._offer()
            self._advertiser.again()

    def _offer(self) -> None:
        if self._advertiser is not None:
            self._advertiser.offer(self._service_info())

    def _service_info(self) -> ServiceInfo | None:
        offered = advertised(self._endpoints, self._addresses)
        if offered is None:
            return None
        port, addresses = offered
        return ServiceInfo(
            self._face.service_type,
            self._face.instance,
            port,
            properties=dict(self._face.txt(port)),
            server=self._face.host,
            host_ttl=self._config.ttl,
            other_ttl=self._config.ttl,
            parsed_addresses=list(addresses),
        )

    def _cover_changed(self) -> None:
        """Show another beacon, and look anew at those of others: their names are other ones now."""
        if not self._closed:
            self._begin_anew()

    async def _rotate(self) -> None:
        """Show what a cover lets this device show from time to time."""
        while True:
            await asyncio.sleep(ROTATION)
            self._offer()

    async def _follow(self, keeper: Keeper) -> None:
        watcher = AddressWatcher(self._context.interfaces, self._addresses, interval=self._watch)
        async for addresses in watcher:
            try:
                await self._move(addresses)
            except DiscoveryUnavailable as error:
                keeper.fails("interfaces", str(error))
                if addresses:
                    watcher.repeat()
            else:
                keeper.works("interfaces")

    async def _move(self, addresses: Addresses) -> None:
        assert self._zeroconf is not None
        stayed = tuple(address for address in addresses if address in self._addresses)
        self._addresses = addresses
        self._zeroconf.lan = Lan.of(addresses)
        with mapped():
            # An address that went and came again, perhaps on another interface, needs a new socket, and zeroconf would keep the dead one.
            for wanted in (stayed, addresses):
                await self._zeroconf.use(_interfaces(wanted), _ip_version(wanted))
        if not addresses:
            raise DiscoveryUnavailable(NO_ADDRESS, hint=NO_INTERFACE)
        with mapped():
            _check_senders(self._zeroconf)
        self._begin_anew()

    async def aclose(self) -> None:
        """Say goodbye and release everything, within 1 s; see `Discovery.aclose`."""
        self._closed = True
        await self._release()

    async def _release(self) -> None:
        tasks, self._tasks = self._tasks, []
        multicast, self._multicast = self._multicast, None
        for task in tasks:
            task.cancel()
        async with AsyncExitStack() as stack:
            if multicast is not None:
                stack.push_async_callback(multicast.async_close)
            if self._opening is not None:
                stack.push_async_callback(_ended, [self._opening])
            stack.push_async_callback(_ended, tasks)
            if self._advertiser is not None:
                await self._advertiser.goodbye()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def _multicast_addresses(addresses: Addresses) -> Addresses:
    """Those that can send to a group: IPv6 has no multicast route on loopback."""
    return tuple(address for address in addresses if not (address.ip.version == 6 and address.ip.is_loopback))


def _interfaces(addresses: Addresses) -> list[str | int | tuple[tuple[str, int, int], int]]:
    return [str(address.ip) for address in _multicast_addresses(addresses)]


def _ip_version(addresses: Addresses) -> IPVersion:
    versions = {address.ip.version for address in _multicast_addresses(addresses)}
    if versions == {4, 6}:
        return IPVersion.All
    return IPVersion.V4Only if versions == {4} else IPVersion.V6Only


def _check_senders(zeroconf: LinkZeroconf) -> None:
    if not zeroconf.engine.senders:
        raise OSError("no allowed interface takes multicast")
