"""Devices of a site for end-to-end tests: `hallway up --json` on hosts of the lab."""

from __future__ import annotations

import sys
from pathlib import Path

from netlab import Host, Process, matching

SEED_DEVICE = Path(__file__).with_name("seed_device.py")
PROPERTY = "property-123"
SETTLE = 20.0


async def up(host: Host, device_id: str, *settings: str, property_id: str = PROPERTY) -> Process:
    """Start a device on ``host``; ``settings`` are further ``key=value`` pairs."""
    all_settings = ["security=open", f"device.id={device_id}", f"device.property={property_id}", *settings]
    options = [part for setting in all_settings for part in ("--set", setting)]
    return await host.spawn([sys.executable, "-m", "hallway.cli", "up", "--json", "--log-level", "info", *options])


async def seed_device(host: Host, device_id: str, *arguments: str) -> Process:
    """Start a device that knows nothing but the seed's document."""
    return await host.spawn([sys.executable, str(SEED_DEVICE), device_id, PROPERTY, *arguments])


async def linked(device: Process, peer_id: str) -> dict[str, object]:
    """Wait until ``device`` has an open link to ``peer_id``."""
    return await device.wait_for(matching(event="peer-connected", peerId=peer_id), SETTLE)


async def says(device: Process, peer_id: str, message: object) -> None:
    """Let ``device`` send ``message`` and see that the link took it."""
    await device.send_json({"command": "send-to-peer", "peerId": peer_id, "message": message, "tag": "says"})
    result = await device.wait_for(matching(event="result", tag="says"))
    assert result["ok"], result


async def hears(device: Process, peer_id: str, message: object) -> None:
    """Wait until ``device`` has got ``message`` from ``peer_id``."""
    await device.wait_for(matching(event="message", peerId=peer_id, message=message), SETTLE)


async def end(*devices: Process) -> None:
    """Stop devices and see that they end well."""
    for device in devices:
        assert await device.terminate() == 0, device.transcript()
