"""From the configuration to what secures a device: who it is, and its guard."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import attrs

from hallway.config import Config
from hallway.errors import ConfigError, Mistake
from hallway.model import DeviceInfo, IcePolicy, same_device
from hallway.network import InterfacePolicy
from hallway.trust import Guard, OpenGuard
from hallway.trust.cover import GroupCover
from hallway.trust.membership import Membership
from hallway.trust.open_guard import ForcedOpenGuard
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState
from hallway.webrtc.candidates import Reach

logger = logging.getLogger(__name__)


@attrs.frozen
class Enrolment:
    """The folder of a device's enrolment, and what is in it."""

    state: TrustState
    membership: Membership = attrs.field(repr=False)


@attrs.frozen
class Security:
    """What secures one device; ``enrolment`` is None for open security, and for a device that is ``aside``."""

    device_id: str
    property_id: str
    enrolment: Enrolment | None = None
    forced: bool = False
    aside: Membership | None = attrs.field(default=None, repr=False)
    """The membership of a device that runs beside its property, and learns and keeps nothing of it."""

    @classmethod
    def of(cls, config: Config) -> Security:
        """Read the enrolment that ``config`` names.

        Raises:
            ConfigError: the configuration does not fit it.
            TrustStateError: it cannot be read, or is not there.

        """
        folder = config.trust.state
        if config.security == "sealed":
            if folder is None:
                raise ConfigError([Mistake("trust.state", "is missing")])
            return _sealed(config, TrustState(folder))
        forced = folder is not None and TrustState(folder).is_enrolled
        if forced and not config.trust.force_open:
            raise ConfigError([_step_down(folder)])
        assert config.device.id is not None
        assert config.device.property is not None
        return cls(config.device.id, config.device.property, forced=forced)

    def apart(self, use: str) -> Security:
        """The same device beside its property; see `Membership.apart`. Without an enrolment it is as it was."""
        if self.enrolment is None:
            return self
        return attrs.evolve(self, enrolment=None, aside=self.enrolment.membership.apart(use))

    def guard(self, device: DeviceInfo, interfaces: InterfacePolicy, policies: Iterable[IcePolicy]) -> Guard:
        """The guard of the device; ``policies`` are those of its signaling plugins."""
        membership = self.enrolment.membership if self.enrolment is not None else self.aside
        if membership is None:
            return ForcedOpenGuard(device) if self.forced else OpenGuard(device)
        policy = IcePolicy.WAN if IcePolicy.WAN in set(policies) else IcePolicy.LAN
        sealed = SealedGuard(device, membership, lambda: _reach(policy, interfaces), os.urandom)
        sealed.cover = GroupCover(sealed, os.urandom)
        return sealed


def _sealed(config: Config, state: TrustState) -> Security:
    membership = state.load()
    name, place = membership.chain.leaf.name, membership.property_name or membership.property_id.hex()[:PROPERTY_DIGITS]
    own = config.device
    mistakes = []
    if own.id is not None and not same_device(own.id, name):
        mistakes.append(Mistake("device.id", f"is {own.id}, and this device is enrolled as {name}", "leave it out"))
    if own.property is not None and membership.property_name and own.property != membership.property_name:
        problem = f"is {own.property}, and this device is enrolled in {membership.property_name}"
        mistakes.append(Mistake("device.property", problem, "leave it out"))
    if mistakes:
        raise ConfigError(mistakes)
    return Security(name, own.property or place, Enrolment(state, membership))


PROPERTY_DIGITS = 16
"""How much of a property's key is shown of one whose name this device does not know."""


def _step_down(folder: Path | None) -> Mistake:
    hint = "leave security out, or set trust.force_open = true if whoever reaches the network may join"
    return Mistake("security", f"is open, and {folder} holds the enrolment of a device", hint)


def _reach(policy: IcePolicy, interfaces: InterfacePolicy) -> Reach:
    """Where candidates may lie now. A device that cannot read its addresses has none."""
    try:
        return Reach.of(policy, interfaces.addresses())
    except OSError as error:
        logger.warning("the addresses of this device cannot be read: %s", error)
        return Reach.of(policy, ())
