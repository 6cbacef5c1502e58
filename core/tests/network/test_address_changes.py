"""Changes of the real system's addresses, on a host of the lab: the kernel tells of them, and looking again finds them as well."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab import Host, Lab, Process

WATCHING = Path(__file__).parent / "support" / "watching.py"
NEVER = "3600"
OFTEN = "0.05"


def second_interface(host: Host, name: str, *addresses: str) -> None:
    """One more interface with a carrier, which leads nowhere."""
    ends = [f"link add {name} type veth peer name far-{name}", f"link set far-{name} up", f"link set {name} up"]
    host.ip(*ends, *(f"addr add {address} dev {name}" for address in addresses))


async def watching(host: Host, interval: str, *options: str) -> Process:
    """A watcher on ``host``, which prints the addresses at first and after each change."""
    process = await host.spawn([sys.executable, str(WATCHING), interval, *options])
    await process.wait_for(lambda line: "interfaces" in line)
    return process


async def sees(process: Process, condition: Callable[[list[str]], bool]) -> None:
    await process.wait_for(lambda line: condition(line["interfaces"]))


async def follows_every_change(process: Process, host: Host) -> None:
    host.ip("addr add 10.77.0.77/24 dev eth0")
    await sees(process, lambda seen: "eth0 10.77.0.77" in seen)
    host.ip("addr del 10.77.0.77/24 dev eth0")
    await sees(process, lambda seen: "eth0 10.77.0.77" not in seen)
    second_interface(host, "wlan0", "10.99.0.1/24")
    await sees(process, lambda seen: "wlan0 10.99.0.1" in seen)
    host.link_down()
    await sees(process, lambda seen: seen == ["wlan0 10.99.0.1"])
    host.link_up()
    await sees(process, lambda seen: f"eth0 {host.address}" in seen)
    with host.unplug():
        await sees(process, lambda seen: seen == ["wlan0 10.99.0.1"])
    await sees(process, lambda seen: f"eth0 {host.address}" in seen)


@pytest.mark.parametrize("how", [[NEVER], [OFTEN, "--deaf"]], ids=["told-by-the-kernel", "looking-again"])
async def test_addresses_links_and_interfaces_that_come_and_go_are_noticed(lab: Lab, how: list[str]) -> None:
    host = lab.lan(ipv6=True).host("tablet-1")
    process = await watching(host, *how)
    await follows_every_change(process, host)
    await process.kill()


async def test_an_ipv6_address_counts_when_no_other_host_has_it(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    second_interface(host, "wlan0")
    await host.run(["sh", "-ec", "echo 1 > /proc/sys/net/ipv6/conf/wlan0/accept_dad"])
    process = await watching(host, NEVER)
    host.ip("addr add fd99::1/64 dev wlan0")
    line = await process.wait_for(lambda line: "wlan0 fd99::1" in line["interfaces"])
    await process.kill()
    assert line["tentative"] == []


async def test_denied_interfaces_are_no_change(lab: Lab) -> None:
    host = lab.lan().host("tablet-1", decoys={"docker0": "172.17.0.1/16"})
    process = await watching(host, NEVER)
    second_interface(host, "veth9", "172.18.0.1/16")
    host.ip("addr del 172.17.0.1/16 dev docker0")
    host.ip("addr add 10.77.0.77/24 dev eth0")
    seen = await process.wait_for(lambda line: "interfaces" in line)
    await process.kill()
    assert sorted(seen["interfaces"]) == [f"eth0 {host.address}", "eth0 10.77.0.77"]
