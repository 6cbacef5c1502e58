"""Sealed devices on a LAN: who belongs gets in and talks, and nobody else does."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import datetime
from pathlib import Path
from signal import SIGUSR1

import pytest
from sealed_states import Property, sealed_up

from netlab import Lab, Process, matching
from site_devices import end, hears, linked, says, up

pytestmark = pytest.mark.second_lab

CUT_OFF = 2.0
"""Seconds from the news of a revocation to the end of the link, at both its ends."""
SUPPORT = Path(__file__).parent / "support"


async def status(device: Process) -> dict[str, object]:
    await device.send_json({"command": "status", "tag": "status"})
    value: dict[str, object] = (await device.wait_for(matching(event="result", tag="status")))["value"]
    return value


def lost(device: Process) -> list[object]:
    """The links that it has lost, and nobody has asked about."""
    return [line.json for line in device.unread if line.json and line.json["event"] == "peer-disconnected"]


def heard(device: Process, peer_id: str) -> int:
    """How many messages of that peer have come."""
    return sum(line.json is not None and matching(event="message", peerId=peer_id)(line.json) for line in device.unread)


def news_at(device: Process) -> float:
    """When the device has heard of the revocation, by its log: seconds since 1970."""
    [line] = [line for line in device.stderr_lines if line.endswith("revoked: stolen")]
    day, clock, *_ = line.split()
    return datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()


async def cut_at(device: Process, peer_id: str) -> tuple[object, float]:
    """Why and when the device lost its link to that peer."""
    event = await device.wait_for(matching(event="peer-disconnected", peerId=peer_id))
    return event["reason"], time.time()


async def chatter(device: Process) -> None:
    """Say something to everybody all the time."""
    for number in itertools.count():
        await device.send_json({"command": "broadcast", "message": number, "durable": False})
        await asyncio.sleep(0.02)


async def test_enrolled_devices_link_and_talk_and_name_each_other(lab: Lab, tmp_path: Path) -> None:
    lan, site = lab.lan(), Property(tmp_path, "tablet-1")
    one = await sealed_up(lan.host("host-1"), site.state("desk"))
    two = await sealed_up(lan.host("host-2"), site.state("tablet-1"))
    connected = await linked(one, "tablet-1")
    await linked(two, "desk")
    await says(one, "tablet-1", {"type": "room-update", "data": {"roomId": "101"}})
    await hears(two, "desk", {"type": "room-update", "data": {"roomId": "101"}})
    await says(two, "desk", "done")
    await hears(one, "tablet-1", "done")
    known = await status(one)
    await end(one, two)

    assert (connected["signaling"], connected["channel"]) == ("http-local", "aiortc")
    assert (known["security"], known["deviceId"]) == ("sealed", "desk")
    assert [peer["peerId"] for peer in known["peers"]] == ["tablet-1"]  # type: ignore[attr-defined, index]


@pytest.mark.attack("A23")
async def test_devices_of_another_property_and_open_ones_are_not_even_seen(lab: Lab, tmp_path: Path) -> None:
    """That each of the three kinds links to its own shows that discovery had its chance."""
    lan, site, other = lab.lan(), Property(tmp_path / "a", "tablet-1"), Property(tmp_path / "b", "tablet-1")
    hosts = [lan.host(f"host-{number}") for number in range(6)]
    devices = [
        await sealed_up(hosts[0], site.state("desk")),
        await sealed_up(hosts[1], site.state("tablet-1")),
        await sealed_up(hosts[2], other.state("desk")),
        await sealed_up(hosts[3], other.state("tablet-1")),
        await up(hosts[4], "desk"),
        await up(hosts[5], "tablet-1"),
    ]
    await asyncio.gather(*(linked(device, "desk" if number % 2 else "tablet-1") for number, device in enumerate(devices)))
    seen = [[peer["peerId"] for peer in (await status(device))["peers"]] for device in devices]  # type: ignore[attr-defined]
    for number in (0, 2, 4):
        await says(devices[number], "tablet-1", number)
        await hears(devices[number + 1], "desk", number)
    await end(*devices)

    assert seen == [["tablet-1"], ["desk"]] * 3
    messages = [line.json for device in devices for line in device.unread if line.json and line.json["event"] == "message"]
    assert messages == []


@pytest.mark.attack("A25")
async def test_a_device_whose_clock_is_two_hours_ahead_is_challenged_and_links(lab: Lab, tmp_path: Path) -> None:
    lan, site = lab.lan(), Property(tmp_path, "tablet-1")
    one = await sealed_up(lan.host("host-1"), site.state("desk"))
    two = await sealed_up(lan.host("host-2"), site.state("tablet-1"), program=str(SUPPORT / "fast_clock.py"))
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    await says(two, "desk", "is it late?")
    await hears(one, "tablet-1", "is it late?")
    for jump in ("to two years ago", "to an hour ahead", "to the right time"):
        two.send_signal(SIGUSR1)
        await says(two, "desk", jump)
        await hears(one, "tablet-1", jump)
        await says(one, "tablet-1", jump)
        await hears(two, "desk", jump)
    refused = [(await status(device))["trust"]["refused"] for device in (one, two)]  # type: ignore[index]
    assert [lost(device) for device in (one, two)] == [[], []]
    await end(one, two)

    print(f"A25 a clock two hours ahead: refused at first as {refused}, then linked; three jumps while linked: no message and no link lost")
    assert any({"early", "expired"} & counts.keys() for counts in refused)


@pytest.mark.attack("A12")
async def test_a_revoked_device_is_cut_off_by_the_news_and_does_not_come_back(lab: Lab, tmp_path: Path) -> None:
    """The admin's device restarts with the new roster: the one that has slept through learns it from that one, the third from there."""
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "tablet-2", "stolen")
    hosts = [lan.host(f"host-{number}") for number in range(4)]
    one = await sealed_up(hosts[1], site.state("tablet-1"))
    two = await sealed_up(hosts[2], site.state("tablet-2"))
    stolen = await sealed_up(hosts[3], site.state("stolen"))
    members = (one, "tablet-1"), (two, "tablet-2")
    for device, name in members:
        await asyncio.gather(linked(device, "stolen"), linked(stolen, name))
    await asyncio.gather(linked(one, "tablet-2"), linked(two, "tablet-1"))
    site.revoke("stolen")
    site.learns("desk")
    desk = await sealed_up(hosts[0], site.state("desk"))
    talking = asyncio.create_task(chatter(stolen))
    cut = await asyncio.gather(*(cut_at(device, "stolen") for device, _ in members), *(cut_at(stolen, name) for _, name in members))
    after = [heard(device, "stolen") for device, _ in members]
    took = [when - news_at(device) for (_, when), (device, _) in zip(cut, members * 2, strict=True)]
    for device, name in members:
        await asyncio.gather(linked(desk, name), linked(device, "desk"))
    await says(desk, "tablet-2", "without it")
    await hears(two, "desk", "without it")
    statuses = [(await status(device))["peers"] for device in (desk, one, two)]
    assert [heard(device, "stolen") for device, _ in members] == after
    talking.cancel()
    await asyncio.wait([talking])
    await end(desk, one, two)
    await stolen.kill()

    print(f"A12 a revoked device that talks all the time: cut off {', '.join(f'{each:.2f}' for each in took)} s after the news")
    assert max(took) <= CUT_OFF
    assert min(after) > 0
    assert [reason for reason, _ in cut[:2]] == ["revoked", "revoked"]
    for peers in statuses:
        assert "stolen" not in [peer["peerId"] for peer in peers if peer["open"]]  # type: ignore[attr-defined, index]
    for device, _ in members:
        assert not [line for line in device.unread if line.json and matching(event="peer-connected", peerId="stolen")(line.json)]
    for name in ("tablet-1", "tablet-2"):
        assert site.loaded(name).book.current.digest == site.roster.digest
