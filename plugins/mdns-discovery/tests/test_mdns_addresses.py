"""Devices whose addresses change: their peers have the new ones at once, and the old ones not any more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netlab import Host, Lab, Process, matching

DEVICE = Path(__file__).parent / "support" / "mdns_device.py"
SOON = 10.0
"""Seconds, where it takes a twentieth of one: the next question of a peer that only asks comes later."""


async def device(host: Host, *interfaces: str) -> Process:
    process = await host.spawn([sys.executable, str(DEVICE), host.name, *interfaces])
    await process.wait_for(matching(event="ready"))
    return process


async def sees(process: Process, host: Host, *addresses: str) -> None:
    """Wait until a device sees that of ``host`` with exactly these addresses, or else those that the lab gave it."""
    expected = sorted(addresses or filter(None, (host.address, host.address6)))
    await process.wait_for(
        lambda line: line["event"] == "seen" and line["peer"] == host.name and sorted(line["addresses"]) == expected, SOON
    )


async def end(*processes: Process) -> None:
    for process in processes:
        process.close_stdin()
        assert await process.wait() == 0, process.transcript()


def give_another_address(host: Host, address: str) -> None:
    """While its link is down; `Host.link_up` sets it."""
    host.ip("addr flush dev eth0")
    host.address = address


async def pair(lab: Lab, *, ipv6: bool = False) -> tuple[list[Host], list[Process]]:
    lan = lab.lan(ipv6=ipv6)
    hosts = [lan.host("tablet-1"), lan.host("tablet-2")]
    processes = [await device(host) for host in hosts]
    await sees(processes[0], hosts[1])
    await sees(processes[1], hosts[0])
    return hosts, processes


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "both"])
async def test_peers_have_a_new_address_at_once_and_the_old_one_not_any_more(lab: Lab, ipv6: bool) -> None:
    """Two changes in one second: those of less than a second ago are not replaced by the cache-flush bit."""
    hosts, processes = await pair(lab, ipv6=ipv6)
    for address in ("10.77.0.91", "10.77.0.92"):
        hosts[1].change_address(address)
        await sees(processes[0], hosts[1])
    await end(*processes)


async def test_a_family_of_addresses_that_is_lost_is_taken_back_and_comes_again(lab: Lab) -> None:
    hosts, processes = await pair(lab, ipv6=True)
    hosts[1].ip(f"addr del {hosts[1].address}/24 dev eth0")
    await sees(processes[0], hosts[1], str(hosts[1].address6))
    hosts[1].ip(f"addr add {hosts[1].address}/24 dev eth0", f"addr del {hosts[1].address6}/64 dev eth0")
    await sees(processes[0], hosts[1], hosts[1].address)
    await end(*processes)


async def test_an_ipv6_address_is_advertised_once_it_is_known_to_be_free(lab: Lab) -> None:
    hosts, processes = await pair(lab)
    await hosts[1].run(["sh", "-ec", "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad"])
    hosts[1].ip("addr add fd77::99/64 dev eth0")
    await sees(processes[0], hosts[1], hosts[1].address, "fd77::99")
    await end(*processes)


@pytest.mark.parametrize("together", [True, False], ids=["at-once", "one-after-the-other"])
async def test_devices_whose_links_were_all_down_see_each_other_at_their_new_addresses(lab: Lab, together: bool) -> None:
    """Whoever comes later has missed what the others announced, and asks, though it knows them."""
    hosts, processes = await pair(lab)
    for number, host in enumerate(hosts):
        host.link_down()
        give_another_address(host, f"10.77.0.{120 + number}")
    for host, process in zip(hosts, processes, strict=True):
        host.link_up()
        if not together:
            await process.wait_for(matching(event="announced", addresses=[host.address]), SOON)
    await sees(processes[0], hosts[1])
    await sees(processes[1], hosts[0])
    await end(*processes)


async def test_a_device_without_any_address_comes_back_as_soon_as_it_has_one(lab: Lab) -> None:
    lan = lab.lan()
    hosts = [lan.host("tablet-1"), lan.host("tablet-2")]
    processes = [await device(host, "eth*") for host in hosts]
    await sees(processes[0], hosts[1])
    give_another_address(hosts[1], "10.77.0.93")
    assert "no allowed network interface" in (await processes[1].wait_for(matching(event="down")))["reason"]
    hosts[1].link_down()
    hosts[1].link_up()
    await processes[1].wait_for(matching(event="up"), SOON)
    await sees(processes[0], hosts[1])
    await end(*processes)


async def test_an_interface_that_is_plugged_in_again_with_its_old_address_is_used_again(lab: Lab) -> None:
    hosts, processes = await pair(lab)
    newcomer = hosts[0].lan.host("tablet-3")
    lan, host = hosts[1].lan, hosts[1]
    host.ip("link del eth0")
    lan.ip(
        f"link add {host.port} type veth peer name eth0 address {host.mac} netns {host.namespace}",
        f"link set {host.port} master br0 up",
    )
    host.ip("link set eth0 up", f"addr add {host.address}/24 dev eth0")
    processes.append(await device(newcomer))
    await sees(processes[2], host)
    await sees(processes[1], newcomer)
    await end(*processes)


async def test_a_refresh_makes_up_for_announcements_that_were_lost(lab: Lab) -> None:
    """The new address was announced while nobody could hear it: a device that asks hears it, and one that announces is heard."""
    hosts, processes = await pair(lab)
    for refreshing in processes:
        with hosts[1].block_multicast():
            hosts[1].change_address("10.77.0.94" if refreshing is processes[0] else "10.77.0.95")
            await processes[1].wait_for(matching(event="announced", addresses=[hosts[1].address], count=3))
        await refreshing.send_json("refresh")
        await sees(processes[0], hosts[1])
    await end(*processes)
