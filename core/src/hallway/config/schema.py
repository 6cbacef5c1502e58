"""The shape of a configuration: one frozen class per table. Plugins bring the classes of their own tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from hallway.config.options import between, option
from hallway.errors import ConfigError, Mistake
from hallway.model import is_device_id, is_name
from hallway.network import DENIED_BY_DEFAULT, InterfacePolicy
from hallway.protocol.heartbeat import Timing
from hallway.store import Quota
from hallway.store.values import MIB


def _check_device_id(value: str | None) -> str | None:
    return None if value is None or is_device_id(value) else "must be 1 to 63 letters, digits and hyphens, with no hyphen at either end"


def _check_name(value: str | None) -> str | None:
    return None if value is None or is_name(value) else "must be 1 to 128 printable characters"


def _check_file(value: str | None) -> str | None:
    return "must name a file, not a folder" if value is not None and (not value or value.endswith("/")) else None


def _check_folder(value: Path | None) -> str | None:
    return "must name a folder" if value is not None and value == Path() else None


@attrs.frozen
class _Names:
    """Checks a list of distinct names."""

    minimum: int

    def __call__(self, value: tuple[str, ...]) -> str | None:
        if len(value) < self.minimum:
            return "must not be empty"
        if not all(map(is_name, value)):
            return "must hold names of 1 to 128 printable characters"
        twice = sorted({name for name in value if value.count(name) > 1})
        return f"names {', '.join(twice)} more than once" if twice else None

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"minItems": self.minimum, "uniqueItems": True}


@attrs.frozen
class DeviceConfig:
    """This device's public facts."""

    id: str | None = option(
        help="this device's name, a DNS label that is unique at the site; sealed devices have it by their enrolment",
        default=None,
        check=_check_device_id,
    )
    property: str | None = option(
        help="the site's name; devices of one property talk, others do not; sealed devices have it by their enrolment",
        default=None,
        check=_check_name,
    )
    type: str = option(help="what kind of device this is, for people and programs", default="device", check=_check_name)


@attrs.frozen(kw_only=True)
class NamedDeviceConfig(DeviceConfig):
    """The same for a device that has its names from nowhere else: one with open security."""

    id: str = option(help="this device's name, a DNS label that is unique at the site", check=_check_device_id)
    property: str = option(help="the site's name; devices of one property talk, others do not", check=_check_name)


@attrs.frozen
class TrustConfig:
    """Who this device is, and who belongs to its property."""

    state: Path | None = option(
        help="the folder that `hallway init` or `hallway join` made; sealed security needs it", default=None, check=_check_folder
    )
    force_open: bool = option(
        help="run with open security although the folder holds an enrolment: whoever reaches the network may then join", default=False
    )
    revoked_outbox: Literal["purge", "freeze"] = option(
        help="what becomes of messages that wait for a device that is revoked: they are deleted, or kept and not sent", default="purge"
    )


@attrs.frozen
class DiscoveryConfig:
    """How peers are found."""

    chain: tuple[str, ...] = option(help="discovery plugins, all run at once; may be empty", default=("mdns",), check=_Names(0))
    last_good: str | None = option(
        help="a file that keeps where peers were last reached, for the next start; absent: that is forgotten when the device stops",
        default=None,
        check=_check_file,
    )


@attrs.frozen
class SignalingConfig:
    """How offers and answers travel."""

    chain: tuple[str, ...] = option(help="signaling plugins in the order in which they are tried", default=("http-local",), check=_Names(1))


@attrs.frozen
class ChannelConfig:
    """What messages travel over."""

    chain: tuple[str, ...] = option(help="channel plugins in order of preference", default=("aiortc",), check=_Names(1))


@attrs.frozen
class NetworkConfig:
    """Which network interfaces are used, by every plugin alike."""

    interfaces: tuple[str, ...] = option(help="globs of the interface names to use", default=("*",), check=_Names(1))
    deny: tuple[str, ...] = option(help="globs of the interface names to leave alone", default=DENIED_BY_DEFAULT, check=_Names(0))

    def policy(self) -> InterfacePolicy:
        """The policy that plugins get."""
        return InterfacePolicy(allow=self.interfaces, deny=self.deny)


@attrs.frozen
class LinkConfig:
    """When a silent peer is doubted and given up."""

    suspect_after: float = option(
        help="seconds without proof of life after which a peer is suspected; it is asked at two thirds of them",
        default=1.5,
        check=between(0.3, 60),
    )
    lost_after: float = option(
        help="seconds without proof of life after which its link is lost; not less than twice suspect_after",
        default=5.0,
        check=between(1, 600),
    )

    def __attrs_post_init__(self) -> None:
        if self.lost_after < 2 * self.suspect_after:
            problem = f"must be at least twice link.suspect_after: {2 * self.suspect_after:g} or more"
            raise ConfigError([Mistake("lost_after", problem, f"not {self.lost_after:g}, or lower suspect_after")])

    def timing(self) -> Timing:
        """The heartbeat that links get."""
        return Timing(self.suspect_after, self.lost_after)


@attrs.frozen
class DeliveryConfig:
    """What is kept for peers that are away."""

    store: str | None = option(
        help="a database file for messages on their way; absent: in memory, and lost with the process", default=None, check=_check_file
    )
    peer_messages: int = option(help="messages that may wait for one peer", default=50_000, check=between(1, 10_000_000))
    peer_mib: int = option(help="MiB of messages that may wait for one peer", default=64, check=between(1, 65_536))
    total_mib: int = option(help="MiB of messages that may wait in all", default=512, check=between(1, 65_536))

    remember_days: int = option(
        help="days for which a peer that is away still gets what is sent to it or to all, counted from its last link",
        default=30,
        check=between(1, 3650),
    )

    def quota(self) -> Quota:
        """What the store gets."""
        return Quota(self.peer_messages, self.peer_mib * MIB, self.total_mib * MIB)


@attrs.frozen
class Config:
    """A whole configuration, checked.

    ``plugins`` maps a plugin's name to an object of its own config class: for every plugin of a chain, and for every other one that has a
    table. A plugin that cannot be imported has no entry; `hallway.plugins.manager.load_plugins` reports why.
    """

    security: Literal["open", "sealed"] = option(
        help='"sealed": only enrolled devices belong; "open": whoever reaches this network may join the property, read and write',
        default="sealed",
    )
    device: DeviceConfig = option(help="this device", factory=DeviceConfig)
    trust: TrustConfig = option(help="who belongs", factory=TrustConfig)
    discovery: DiscoveryConfig = option(help="how peers are found", factory=DiscoveryConfig)
    signaling: SignalingConfig = option(help="how offers and answers travel", factory=SignalingConfig)
    channel: ChannelConfig = option(help="what messages travel over", factory=ChannelConfig)
    network: NetworkConfig = option(help="which network interfaces are used", factory=NetworkConfig)
    link: LinkConfig = option(help="when a silent peer is doubted and given up", factory=LinkConfig)
    delivery: DeliveryConfig = option(help="what is kept for peers that are away", factory=DeliveryConfig)
    plugins: Mapping[str, Any] = option(help="one table per plugin", factory=dict)

    def chain(self, role: str) -> tuple[str, ...]:
        """The plugin names of ``role`` (``discovery``, ``signaling`` or ``channel``), in order."""
        names: tuple[str, ...] = getattr(self, role).chain
        return names
