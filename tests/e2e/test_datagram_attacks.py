"""A hostile host floods and forges UDP datagrams: links stay, and nothing piles up."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import attrs
import pytest
from datagrams import JUNK, record

from netlab import Host, Lab, Lan, Process, matching
from site_devices import end, hears, linked, says, up

ATTACKER = Path(__file__).parent / "support" / "datagram_attacker.py"
FLOOD = 40_000
ALLOWED_GROWTH = 5.0
"""MB that floods may cost a device."""
MDNS = 5353
PATIENCE = 60.0


def handshake(kind: int, body: bytes) -> bytes:
    return record(22, 0, bytes([kind]) + len(body).to_bytes(3) + bytes(5) + len(body).to_bytes(3) + body)


FORGED = {
    "a fatal alert without keys": record(21, 0, b"\x02\x28"),
    "a close_notify without keys": record(21, 0, b"\x01\x00"),
    "a keyed alert": record(21, 1, os.urandom(40)),
    "an alert of the next epoch": record(21, 2, b"\x02\x28"),
    "a ClientHello": handshake(1, b"\xfe\xfd" + os.urandom(32) + bytes(40)),
    "a HelloVerifyRequest": handshake(3, b"\xfe\xff\x14" + os.urandom(20)),
    "a ServerHello": handshake(2, b"\xfe\xfd" + os.urandom(32) + bytes(40)),
    "a ChangeCipherSpec": record(20, 0, b"\x01"),
    "a broken message": record(22, 0, b"\xff" * 60),
    "nothing": b"",
}


@attrs.frozen
class Device:
    """A victim: its process and its host."""

    name: str
    host: Host
    process: Process

    async def ports(self) -> list[list[object]]:
        """[address, port] of every socket that ICE has bound."""
        listing = (await self.host.run(["ss", "-ulnH"])).stdout
        locals_ = [line.split()[3].rsplit(":", 1) for line in listing.splitlines()]
        return [[self.host.address, int(port)] for address, port in locals_ if address == self.host.address and int(port) != MDNS]

    async def bound_ports(self) -> list[list[object]]:
        """The same, once there are any: those of the offer that is kept ready."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.ports()):
                await asyncio.sleep(0.05)
        return found

    def received(self) -> int:
        """Datagrams that programs of this host have read: what the network lost attacked nobody."""
        names, values = [line.split() for line in Path(f"/proc/{self.process.pid}/net/snmp").read_text().splitlines() if line[:4] == "Udp:"]
        return int(values[names.index("InDatagrams")])

    def memory(self) -> float:
        """MB of resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@attrs.frozen
class Attacker:
    """The hostile process, and the LAN on which it and its victims are."""

    lan: Lan
    process: Process

    async def send(self, name: str, datagrams: list[bytes], count: int, to: list[list[object]], origin: list[list[object]]) -> None:
        """Send ``count`` datagrams, from ``origin`` if it is not empty."""
        command = {"do": name, "datagrams": [data.hex() for data in datagrams], "count": count, "to": to, "from": origin}
        await self.process.send_json(command)
        await self.process.wait_for(matching(event="sent", do=name), PATIENCE)


async def device(lab_host: Host, name: str) -> Device:
    return Device(name, lab_host, await up(lab_host, name))


async def still_linked(one: Device, two: Device, after: str) -> None:
    """Messages pass both ways over the link that was there before."""
    for sender, receiver in ((one, two), (two, one)):
        await says(sender.process, receiver.name, f"after {after}")
        await hears(receiver.process, sender.name, f"after {after}")
    for victim in (one, two):
        assert not [line.json for line in victim.process.unread if line.json and line.json["event"] == "peer-disconnected"], after


@pytest.fixture
async def attacker(lab: Lab) -> Attacker:
    lan = lab.lan()
    return Attacker(lan, await lan.host("attacker").spawn([sys.executable, str(ATTACKER)]))


@pytest.mark.timeout(180)
@pytest.mark.attack("A20")
async def test_floods_before_a_link_neither_pile_up_nor_hinder_it(attacker: Attacker) -> None:
    lan = attacker.lan
    one = await device(lan.host("host-1"), "tablet-1")
    ports = await one.bound_ports()
    await attacker.send("warm up", JUNK, FLOOD, ports, [])
    before, seen = one.memory(), one.received()
    await attacker.send("empty datagrams", [b""], 20 * len(ports), ports, [])
    await attacker.send("junk", JUNK, FLOOD, ports, [])
    await attacker.send("forged", [*FORGED.values()], 2000, ports, [["10.77.0.200", 40_000]])
    growth, seen = one.memory() - before, one.received() - seen
    print(f"{seen} datagrams before a link: {growth:+.2f} MB")

    two = await device(lan.host("host-2"), "tablet-2")
    await asyncio.gather(linked(one.process, two.name), linked(two.process, one.name))
    await still_linked(one, two, "the floods")
    await attacker.process.terminate()
    await end(one.process, two.process)
    assert seen > FLOOD
    assert growth < ALLOWED_GROWTH


@pytest.mark.timeout(180)
@pytest.mark.attack("A20")
async def test_no_datagram_of_a_stranger_ends_a_link_and_none_is_kept(attacker: Attacker) -> None:
    lan = attacker.lan
    one, two = await device(lan.host("host-1"), "tablet-1"), await device(lan.host("host-2"), "tablet-2")
    await asyncio.gather(linked(one.process, two.name), linked(two.process, one.name))
    await one.bound_ports()
    victim, peer = await one.ports(), await two.ports()
    elsewhere = [[two.host.address, 1000]]
    await attacker.send("warm up", JUNK, FLOOD, victim, peer)
    before, seen = one.memory(), one.received()

    await attacker.send("empty datagrams", [b""], 50 * len(victim), victim, [])
    await still_linked(one, two, "empty datagrams")
    await attacker.send("junk", JUNK, FLOOD, victim, [])
    await still_linked(one, two, "junk of a stranger")
    await attacker.send("another port", [*JUNK, *FORGED.values()], 2000, victim, elsewhere)
    await still_linked(one, two, "junk from another port of the peer")
    await attacker.send("junk with the peer's address", JUNK, FLOOD, victim, peer)
    await still_linked(one, two, "junk with the address and port of the peer")
    for name, data in FORGED.items():
        await attacker.send(name, [data], 200, victim, peer)
        await still_linked(one, two, f"{name} with the address and port of the peer")
    growth, seen = one.memory() - before, one.received() - seen
    print(f"{seen} datagrams while linked: {growth:+.2f} MB")

    await attacker.process.terminate()
    await end(one.process, two.process)
    assert seen > 2 * FLOOD
    assert growth < ALLOWED_GROWTH
