"""What every link of a device shares."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from hallway.model import DeviceInfo
from hallway.protocol.attempt import Patience
from hallway.protocol.heartbeat import Timing
from hallway.runtime.control.bus import Bus
from hallway.runtime.delivery.layer import Delivery
from hallway.runtime.links.dialer import ChannelMaker, Dialer
from hallway.runtime.links.reports import Reports
from hallway.runtime.memory import AddressMemory
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.tasks import TaskSet
from hallway.trust import Guard


@attrs.frozen
class Services:
    """The parts of a device that its links use, and do not own."""

    device: DeviceInfo
    timing: Timing
    patience: Patience
    guard: Guard
    dialer: Dialer
    makers: tuple[ChannelMaker, ...]
    publisher: Publisher
    reports: Reports
    bus: Bus
    memory: AddressMemory
    delivery: Delivery
    tasks: TaskSet
    refill: Callable[[], None]
    """Lets the channel plugins make ready what the next attempt needs."""
    look_around: Callable[[], None]
    """Lets the discovery plugins announce this device and look for peers at once."""
