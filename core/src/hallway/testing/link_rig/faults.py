"""What can go wrong with a mesh."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from hallway.testing.link_rig.device import Device
from hallway.testing.link_rig.rig import Rig

LONGEST_FAULT = 6.0
"""Seconds."""
LEAPS = (1.0, 4.0, 60.0, 7200.0)
"""Seconds by which the clock of a device jumps when it was suspended."""


@attrs.frozen
class Fault:
    """One misfortune: of ``device``, with ``other`` where it takes two, for ``seconds`` where it lasts."""

    rig: Rig
    device: str
    other: str
    seconds: float

    def happen(self, kind: Callable[[Rig, Device, Device, float], None]) -> None:
        """It comes to pass, if both live by then."""
        device, other = self.rig.devices[self.device.lower()], self.rig.devices[self.other.lower()]
        if device.alive and other.alive:
            what = getattr(kind, "__name__", "").strip("_")
            self.rig.fault(f"{what} {device} {other} {self.seconds:g} s")
            kind(self.rig, device, other, self.seconds)


def _crash(rig: Rig, device: Device, _: Device, seconds: float) -> None:
    rig.crash(device.name)
    rig.schedule.later(seconds / 4, partial(rig.start, device.name))


def _leave(rig: Rig, device: Device, _: Device, seconds: float) -> None:
    rig.leave(device.name)
    rig.schedule.later(seconds / 4, partial(rig.start, device.name))


def _part(rig: Rig, device: Device, other: Device, seconds: float) -> None:
    rig.network.wall(device, other, seconds)
    rig.network.wall(other, device, seconds)


def _deafen(rig: Rig, device: Device, other: Device, seconds: float) -> None:
    rig.network.wall(other, device, seconds)


def _split(rig: Rig, _device: Device, _other: Device, seconds: float) -> None:
    everybody = list(rig.devices.values())
    island = {device.name for device in everybody if rig.random.random() < 0.5}
    for one in everybody:
        for another in everybody:
            if (one.name in island) is not (another.name in island):
                rig.network.wall(one, another, seconds)


def _offline(rig: Rig, _device: Device, _other: Device, seconds: float) -> None:
    rig.network.offline_until = rig.now + seconds


def _stall(_: Rig, device: Device, _other: Device, seconds: float) -> None:
    device.stall(seconds)


def _suspend(rig: Rig, device: Device, _other: Device, _seconds: float) -> None:
    device.jump(rig.random.choice(LEAPS))


def _pause(rig: Rig, device: Device, _: Device, seconds: float) -> None:
    rig.schedule.tell(device, 0.0, partial(device.pause, seconds))


def _break(rig: Rig, device: Device, other: Device, _seconds: float) -> None:
    for run in list(device.end(other.name).runs.values()):
        if run.pipe is not None:
            rig.kill(run.pipe)


def _lose_sight(rig: Rig, device: Device, other: Device, _seconds: float) -> None:
    rig.schedule.tell(device, 0.0, partial(device.lose_sight, other.name))


def _look(rig: Rig, device: Device, other: Device, _seconds: float) -> None:
    rig.schedule.tell(device, 0.0, partial(device.look, other.name))


def _readdress(_: Rig, device: Device, _other: Device, _seconds: float) -> None:
    device.readdress()


FAULTS: tuple[Callable[[Rig, Device, Device, float], None], ...] = (
    _crash,
    _leave,
    _part,
    _deafen,
    _split,
    _offline,
    _stall,
    _suspend,
    _pause,
    _break,
    _lose_sight,
    _look,
    _readdress,
)
