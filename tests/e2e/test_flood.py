"""One hostile host fills everything that is open: links live, who belongs gets in, and nothing piles up."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from faults import either
from sealed_states import Property, sealed_up

from netlab import Host, Lab, Process, matching
from site_devices import end, hears, linked, says

# The bound of two seconds is for a machine that does nothing else.
pytestmark = pytest.mark.alone

SUPPORT = Path(__file__).parent / "support"
SECONDS = either(6, 60)
NEWCOMERS = int(either(1, 8))
ADDRESSES = 60
"""That the hostile host takes, so that none of them is over its own rate."""
LINKED = 2.0
"""Seconds from a newcomer's start (it is ready) to its link, at both ends."""
GROWTH = 50.0
"""MB."""
LEAST = {"mdns": 2000, "udp": 5000, "http": 200}
"""What the flood is to be, a second."""


def memory(process: Process) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu(process: Process) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def udp_ports(host: Host) -> list[int]:
    """What is open there, but for mDNS."""
    lines = (await host.run(["ss", "-ulnH"])).stdout.splitlines()
    return sorted({port for line in lines if (port := int(line.split()[3].rpartition(":")[2])) != 5353})


class Flood:
    """The hostile process, and whom it attacks."""

    def __init__(self, process: Process, victim: Host, peer: Host) -> None:
        self.process, self.victim, self.peer = process, victim, peer

    async def aim(self) -> None:
        """Begin, or look for the ports that are open now. Half of the datagrams claim to come from the victim's peer."""
        claimed = [[self.peer.address, port] for port in await udp_ports(self.peer)]
        await self.process.send_json({"do": "flood", "ports": await udp_ports(self.victim), "as": claimed})

    async def count(self) -> dict[str, Any]:
        """What it has done a second, since it was asked last."""
        await self.process.send_json({"do": "count"})
        found = await self.process.wait_for(matching(event="count"))
        print(f"the flood, a second: {found['per_second']}, {found['open']} connections open")
        return found["per_second"]


async def comes(host: Host, state: Path, flood: Flood, others: dict[str, Process]) -> float:
    """A device starts, links to ``others``, talks, and goes; the seconds from its start to its last link."""
    newcomer = await sealed_up(host, state)
    await newcomer.wait_for(matching(event="ready"))
    begun = time.monotonic()
    await asyncio.gather(*(linked(newcomer, name) for name in others), *(linked(other, "newcomer") for other in others.values()))
    seconds = time.monotonic() - begun
    await flood.aim()
    for name, other in others.items():
        await says(newcomer, name, "here")
        await hears(other, "newcomer", "here")
    await end(newcomer)
    for other in others.values():
        await other.wait_for(matching(event="peer-disconnected", peerId="newcomer", reason="bye"))
    return seconds


@pytest.mark.attack("A19")
@pytest.mark.timeout(60 + 4 * SECONDS)
@pytest.mark.parametrize("addresses", [1, ADDRESSES])
async def test_links_live_and_who_belongs_links_while_one_host_floods_everything_that_is_open(
    lab: Lab, tmp_path: Path, addresses: int
) -> None:
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "newcomer")
    first, second, third, bad = (lan.host(f"host-{number}") for number in range(1, 5))
    one, two = await sealed_up(first, site.state("desk")), await sealed_up(second, site.state("tablet-1"))
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    core = max(os.sched_getaffinity(0))
    more = [str(lan.network[100 + number]) for number in range(addresses - 1)]
    bad.ip(*(f"addr add {address}/24 dev eth0" for address in more))
    arguments = [str(core), ",".join([bad.address, *more]), "_hallway._tcp.local.", first.address, "8090"]
    flood = Flood(await bad.spawn([sys.executable, str(SUPPORT / "flooder.py"), *arguments]), first, second)
    await flood.process.wait_for(matching(event="ready"))
    devices = {"desk": one, "tablet-1": two}
    before = {name: (memory(device), cpu(device)) for name, device in devices.items()}
    begun = time.monotonic()
    await flood.aim()
    took = []
    for number in range(1, NEWCOMERS + 1):
        await asyncio.sleep(max(0.0, begun + number * SECONDS / (NEWCOMERS + 1) - time.monotonic()))
        took.append(await comes(third, site.state("newcomer"), flood, devices))
    for sender, name, receiver, to in ((one, "desk", two, "tablet-1"), (two, "tablet-1", one, "desk")):
        await says(sender, to, "alive")
        await hears(receiver, name, "alive")
    await asyncio.sleep(max(0.0, begun + SECONDS - time.monotonic()))
    rates = await flood.count()
    spent = time.monotonic() - begun
    growth = {name: memory(device) - before[name][0] for name, device in devices.items()}
    load = {name: round((cpu(device) - before[name][1]) / spent, 2) for name, device in devices.items()}
    print(f"linked in {[round(each, 2) for each in took]} s; {growth} MB more; CPU {load} in {spent:.1f} s")
    lost = [line.json for device in (one, two) for line in device.unread if line.json and line.json["event"] == "peer-disconnected"]
    await flood.process.kill()
    await end(one, two)

    assert all(rates[kind] > 0.95 * least for kind, least in LEAST.items()), rates
    assert lost == []
    assert max(took) < LINKED
    assert max(growth.values()) < GROWTH
