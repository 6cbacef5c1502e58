"""Where multicast is blocked: devices that are listed are found, linked, and linked again."""

from __future__ import annotations

import sys

import pytest
from enrolling import TERMINAL

from netlab import Host, Lab, Process, matching
from site_devices import end, hears, linked, says, up

pytestmark = pytest.mark.second_lab

STATIC = 'discovery.chain=["static"]'
BOTH = 'discovery.chain=["mdns", "static"]'
NEWS = ("peer-found", "peer-lost", "peer-connected", "peer-disconnected", "peer-path")
DETECTION = 15.0
"""Seconds within which a peer that fell silent is noticed."""


def at(device_id: str, *places: str) -> str:
    """The setting that lists a peer."""
    listed = ", ".join(f'"{place}"' for place in places)
    return f"plugins.static.peers.{device_id}=[{listed}]"


def unread(device: Process) -> list[str]:
    """The events about peers that no test has asked for, but for what a linked peer has told."""
    events = [line.json for line in device.unread if line.json is not None]
    return [str(event) for event in events if event["event"] in NEWS and event.get("discovery") != "introduced"]


async def talk(one: Process, two: Process) -> None:
    """See that tablet-1 and tablet-2 hear each other."""
    await says(one, "tablet-2", "from one")
    await hears(two, "tablet-1", "from one")
    await says(two, "tablet-1", "from two")
    await hears(one, "tablet-2", "from two")


async def link(one: Process, two: Process) -> None:
    """Wait until both ends are linked."""
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")


async def test_without_multicast_one_entry_on_one_device_links_two(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    hosts = lan.host("host-1"), lan.host("host-2")
    one = await up(hosts[0], "tablet-1", STATIC, at("tablet-2", hosts[1].address))
    two = await up(hosts[1], "tablet-2", STATIC)
    found = await one.wait_for(matching(event="peer-found", peerId="tablet-2"))
    await link(one, two)
    await talk(one, two)

    assert found["discovery"] == "static"
    assert unread(one) == unread(two) == []
    await end(one, two)
    assert all(host.packets_outside_lan() == 0 for host in hosts)


@pytest.mark.parametrize("at_a_terminal", [True, False])
async def test_at_a_terminal_a_failure_is_told_once_and_otherwise_it_is_in_the_log_too(lab: Lab, at_a_terminal: bool) -> None:
    lan = lab.lan()
    lan.block_multicast()
    host, other = lan.host("host-1"), lan.host("host-2")
    settings = ("security=open", "device.id=tablet-1", "device.property=hotel-1", STATIC, at("tablet-2", other.address))
    argv = [sys.executable, "-m", "hallway.cli", "up", *(word for setting in settings for word in ("--set", setting))]
    device = await host.spawn([*TERMINAL, *argv] if at_a_terminal else argv)
    lines = [await device.read_line()]
    while "error attempt-failed: tablet-2 was not reached" not in lines[-1]:
        lines.append(await device.read_line())
    if at_a_terminal:
        await device.send_bytes(b"\x03")
        await device.wait()
    else:
        await device.terminate()
    logged = [line for line in [*lines, *device.stderr_lines] if "WARNING hallway.runtime.links.reports" in line]
    assert len(logged) == (0 if at_a_terminal else 1)


async def test_one_list_for_the_whole_site_links_every_device_whenever_it_comes(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    hosts = {f"tablet-{number}": lan.host(f"host-{number}") for number in (1, 2, 3)}
    site = [STATIC, *(at(device_id, host.address) for device_id, host in hosts.items())]
    devices: dict[str, Process] = {}
    for device_id, host in hosts.items():
        device = await up(host, device_id, *site)
        for earlier, other in devices.items():
            await linked(device, earlier)
            await linked(other, device_id)
        devices[device_id] = device
    await end(*devices.values())


async def test_where_mdns_works_as_well_there_is_one_link_and_nothing_is_told_twice(lab: Lab) -> None:
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    one = await up(hosts[0], "tablet-1", BOTH, at("tablet-2", hosts[1].address))
    two = await up(hosts[1], "tablet-2", BOTH, at("tablet-1", hosts[0].address))
    await link(one, two)
    for device, peer in ((one, "tablet-2"), (two, "tablet-1")):
        for discovery in ("static", "mdns"):
            await device.wait_for(matching(event="peer-found", peerId=peer, discovery=discovery))
    await talk(one, two)

    assert unread(one) == unread(two) == []
    await end(one, two)


async def test_a_peer_whose_first_place_is_dead_is_linked_by_the_second(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    host = lan.host("host-2")
    one = await up(lan.host("host-1"), "tablet-1", STATIC, at("tablet-2", str(lan.network[99]), f"http://{host.address}:8090"))
    two = await up(host, "tablet-2", STATIC)
    await link(one, two)
    await talk(one, two)
    await end(one, two)


async def test_a_peer_that_is_listed_by_its_ipv6_address_is_linked(lab: Lab) -> None:
    lan = lab.lan(ipv6=True)
    lan.block_multicast()
    host = lan.host("host-2")
    assert host.address6 is not None
    one = await up(lan.host("host-1"), "tablet-1", STATIC, at("tablet-2", host.address6))
    two = await up(host, "tablet-2", STATIC)
    await link(one, two)
    await talk(one, two)
    await end(one, two)


async def test_peers_of_two_subnets_are_linked_through_the_router(lab: Lab) -> None:
    hosts = lab.lan("lan1").host("host-1"), lab.lan("lan2").host("host-2")
    one = await up(hosts[0], "tablet-1", STATIC, at("tablet-2", hosts[1].address))
    two = await up(hosts[1], "tablet-2", STATIC)
    await link(one, two)
    await talk(one, two)
    await end(one, two)


async def test_peers_that_are_listed_by_name_are_linked_and_linked_again(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    hosts = {f"tablet-{number}": lan.host(f"host-{number}") for number in (1, 2)}
    await lab.internet.serve_dns({f"{device_id}.hotel.example": host.address for device_id, host in hosts.items()})
    site = [STATIC, *(at(device_id, f"{device_id}.hotel.example") for device_id in hosts)]
    one = await up(hosts["tablet-1"], "tablet-1", *site)
    await _restarts_silently(hosts["tablet-2"], one, *site)
    await end(one)


async def _restarts_silently(host: Host, one: Process, *settings: str) -> None:
    """Kill tablet-2 on ``host`` until tablet-1 has noticed, start it again, and see it linked."""
    two = await up(host, "tablet-2", *settings)
    await link(one, two)
    await two.kill()
    gone = await one.wait_for(matching(event="peer-disconnected", peerId="tablet-2"), DETECTION)
    again = await up(host, "tablet-2", *settings)
    await link(one, again)
    await talk(one, again)

    assert gone["reason"] == "timeout"
    await end(again)


async def test_a_listed_peer_that_was_killed_is_linked_again_when_it_is_back(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    host = lan.host("host-2")
    one = await up(lan.host("host-1"), "tablet-1", STATIC, at("tablet-2", host.address))
    await _restarts_silently(host, one, STATIC)
    await end(one)


async def test_a_listed_peer_that_dials_after_a_crash_is_linked_without_waiting_for_the_old_link_to_time_out(lab: Lab) -> None:
    """Its record has no epoch: the offer's own is what tells the two lives apart."""
    lan = lab.lan()
    lan.block_multicast()
    hosts = lan.host("host-1"), lan.host("host-2")
    site = [STATIC, at("tablet-1", hosts[0].address), at("tablet-2", hosts[1].address)]
    one = await up(hosts[0], "tablet-1", *site)
    two = await up(hosts[1], "tablet-2", *site)
    await link(one, two)
    await two.kill()
    again = await up(hosts[1], "tablet-2", *site)
    await link(one, again)
    await talk(one, again)
    await end(one, again)


async def test_a_listed_peer_that_said_bye_is_linked_again_when_it_is_back(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    host = lan.host("host-2")
    one = await up(lan.host("host-1"), "tablet-1", STATIC, at("tablet-2", host.address))
    two = await up(host, "tablet-2", STATIC)
    await link(one, two)
    await end(two)
    gone = await one.wait_for(matching(event="peer-disconnected", peerId="tablet-2"))
    again = await up(host, "tablet-2", STATIC)
    await link(one, again)
    await talk(one, again)

    assert gone["reason"] == "bye"
    await end(one, again)


async def test_the_device_that_lists_is_linked_again_after_its_own_crash(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    hosts = lan.host("host-1"), lan.host("host-2")
    settings = STATIC, at("tablet-2", hosts[1].address)
    one = await up(hosts[0], "tablet-1", *settings)
    two = await up(hosts[1], "tablet-2", STATIC)
    await link(one, two)
    await one.kill()
    again = await up(hosts[0], "tablet-1", *settings)
    await link(again, two)
    await talk(again, two)
    await end(again, two)
