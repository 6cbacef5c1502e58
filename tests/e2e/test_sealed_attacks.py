"""Attackers with real processes beside sealed devices: each is refused, nothing reaches the application, and each prints what it tried."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest
from cloud import CLOUD_ONLY, PORT, URL
from sealed_states import Property, sealed_up

from netlab import Host, Lab, Lan, Process, matching
from netlab.node import Node
from site_devices import end, hears, linked, says

pytestmark = pytest.mark.second_lab

SUPPORT = Path(__file__).parent / "support"
OCTETS = "application/octet-stream"
TO_NOBODY = ('discovery.chain=["static"]',)
POST = """
import http.client, json, sys, time
link = http.client.HTTPConnection(sys.argv[1], 8090, timeout=5)
for name, kind, hex_ in json.load(sys.stdin):
    begun = time.perf_counter()
    link.request("POST", "/offer", bytes.fromhex(hex_), {"Content-Type": kind})
    answer = link.getresponse()
    body, ms = answer.read(), (time.perf_counter() - begun) * 1000
    print(json.dumps({"name": name, "status": answer.status, "body": body.decode(errors="replace"), "ms": round(ms, 2)}), flush=True)
"""


OPEN = '{"from":"tablet-1","to":"desk","propertyId":"%s","sdp":{"type":"offer","sdp":"v=0"},"iceCandidates":[],"x":"' + "y" * 512 + '"}'


def static(**addresses: str) -> tuple[str, str]:
    """A device that is told where others are, and looks for nobody."""
    peers = ", ".join(f'{name} = "{address}"' for name, address in addresses.items())
    return TO_NOBODY[0], f"plugins.static.peers={{{peers}}}"


@attrs.frozen
class Site:
    """A LAN with a property that has a hostile member and a revoked one, and another property beside it."""

    lan: Lan
    own: Property
    foreign: Property

    @classmethod
    def of(cls, lan: Lan, folder: Path) -> Site:
        own, foreign = Property(folder / "own", "tablet-1", "mallory", "thief"), Property(folder / "foreign", "tablet-1")
        own.revoke("thief")
        for name in ("desk", "tablet-1", "mallory"):
            own.learns(name)
        return cls(lan, own, foreign)

    async def mallory(self, host: Host, address: str, mode: str) -> Process:
        """Her process, which stands between others and the tablet at ``address``."""
        return await ready(await self.spawn(host, "sealed_mallory.py", "tablet-1", address, mode))

    async def server(self, node: Node) -> Process:
        """Her process as the signal server."""
        return await ready(await self.spawn(node, "sealed_server.py", "tablet-1", str(PORT)))

    async def spawn(self, node: Node, script: str, *words: str) -> Process:
        """A process that has her states."""
        states = [str(each.state("x").parent) for each in (self.own, self.foreign)]
        return await node.spawn([sys.executable, str(SUPPORT / script), *states, *words])


async def ready(process: Process) -> Process:
    await process.wait_for(matching(event="ready"))
    return process


def reached(device: Process) -> list[dict[str, Any]]:
    """What got as far as the application."""
    return [line.json for line in device.unread if line.json and line.json["event"] in ("peer-connected", "message")]


async def refusals(device: Process) -> dict[str, int]:
    """How often the device has refused something, by reason."""
    await device.send_json({"command": "status", "tag": "status"})
    counts: dict[str, int] = (await device.wait_for(matching(event="result", tag="status")))["value"]["trust"]["refused"]
    return counts


async def refused(device: Process, words: str) -> None:
    """Wait until the device tells of an attempt that failed for that reason."""
    message = await device.wait_for(lambda event: event["event"] == "error" and words in event["message"], 30)
    print(message["message"])


async def posted(host: Host, address: str, tries: dict[str, tuple[str, bytes]]) -> list[dict[str, Any]]:
    """What ``host`` gets for each that it posts."""
    attacker = await host.spawn([sys.executable, "-c", POST, address])
    await attacker.send_json([[name, kind, body.hex()] for name, (kind, body) in tries.items()])
    attacker.close_stdin()
    answers = [await attacker.read_json_line() for _ in tries]
    await attacker.wait()
    return answers


PREPARED = 1
"""Sockets that wait for the next peer connection, one for each address."""


async def open_udp(host: Host) -> int:
    """UDP sockets other than that of mDNS: each peer connection has some."""
    return sum(":5353" not in line for line in (await host.run(["ss", "-Hlun"])).stdout.splitlines())


@pytest.mark.attack("A1", "A2")
async def test_an_outsider_gets_401_and_makes_no_peer_connection(lab: Lab, tmp_path: Path) -> None:
    lan, site, other = lab.lan(), Property(tmp_path / "a", "tablet-1"), Property(tmp_path / "b", "tablet-1")
    host, outside = lan.host("host-1"), lan.host("host-2")
    one = await sealed_up(host, site.state("desk"), *TO_NOBODY)
    await one.wait_for(matching(event="ready"))
    foreign = other.offer("tablet-1", "desk")
    tries = {
        "the seed's offer": ("application/json", b'{"from":"tablet-1","to":"desk","sdp":{"type":"offer","sdp":"v=0"},"iceCandidates":[]}'),
        "noise": ("application/octet-stream", bytes(1569)),
        "an offer of another property": ("application/octet-stream", foreign),
        "one with the hint of this one": ("application/octet-stream", foreign[:1] + site.secret.kid + foreign[5:]),
        "an offer of a member to somebody else": ("application/octet-stream", site.offer("desk", "tablet-1")),
        "an open offer with the property's id": ("application/json", (OPEN % site.membership("desk").property_id.hex()).encode()),
    }
    tries |= {f"noise {number}": ("application/octet-stream", bytes(1569)) for number in range(10)}
    answers = await posted(outside, host.address, tries)
    after, counts = await open_udp(host), await refusals(one)
    await end(one)

    for answer in answers:
        assert answer["status"] == 401, answer
        # Which check it was would tell with which group secrets the device opens what comes.
        assert json.loads(answer["body"]) == {"error": "unauthenticated", "message": "refused"}
    quick = sorted(answer["ms"] for answer in answers)
    print(f"A1 A2 {len(tries)} offers of an outsider: 401 in {quick[0]} to {quick[-1]} ms, {after} UDP sockets, refused as {counts}")
    assert quick[0] < 5
    assert counts == {"size": 1, "form": 12, "kid": 1, "seal": 2}
    assert after <= PREPARED
    assert reached(one) == []


OFFERED = {"signature": 7, "from": 1, "chain": 2, "revoked": 1, "size": 1}
"""Why the tablet refuses what comes in the name of the desk: bent on its way, or signed by somebody else, or not at all."""
RELAYED = {"answer": 1, "from": 1, "signature": 3, "size": 1, "revoked": 1, "chain": 2}
"""Why the desk refuses the answers."""
FORGOTTEN = 10.0
"""Seconds after which nothing is left of an offer that cannot lead to a channel."""
MAX_PENDING = 2
RUDE = 8
"""Attacks of `sealed_member.py`."""
LIMIT = 5.0
"""Seconds in which HELLO must have ended what was spliced."""


async def in_the_middle(bad: Process, one: Process, two: Process, host: Host) -> None:
    """Every lie, in one direction and in the other; ``two`` runs on ``host`` and dials nobody."""
    offered = [await bad.wait_for(matching(event="offered"), 30) for _ in range(sum(OFFERED.values()))]
    counts, sockets = await refusals(two), await open_udp(host)
    print(f"A3 A4 A5 A23 offers to the tablet: {[event['way'] for event in offered]}: {counts}, {sockets} UDP sockets")
    assert counts == OFFERED
    assert sockets <= PREPARED
    await bad.send_json("go on")
    relayed = [await bad.wait_for(matching(event="relayed"), 30) for _ in range(sum(RELAYED.values()))]
    async with asyncio.timeout(20):
        # The last answer may be on its way still.
        got = await refusals(one)
        while Counter(got) & Counter(RELAYED) != RELAYED:
            got = await refusals(one)
    print(f"A3 A4 A5 A23 answers to the desk: {[event['way'] for event in relayed]}: {got}, {relayed[-1]['connected']} connected")
    assert relayed[-1]["connected"] == 0


async def spliced(bad: Process, one: Process, two: Process) -> None:
    """Each is to believe that it is linked with her. The channel itself opens, and only HELLO tells."""
    await bad.wait_for(matching(event="spliced"), 20)
    since = time.monotonic()
    await asyncio.gather(*(refused(device, "the HELLO is from") for device in (one, two)))
    took = time.monotonic() - since
    print(f"A8 spliced two ends of one channel: HELLO refused at both {took:.2f} s later")
    assert took <= LIMIT
    assert reached(one) == reached(two) == []


@pytest.mark.timeout(90)
@pytest.mark.attack("A3", "A4", "A5", "A8", "A23")
async def test_a_member_in_the_middle_of_a_lan(lab: Lab, tmp_path: Path) -> None:
    """She stands where the peer should be, with certificates of her own for both; in the end she lets them be, and they link."""
    site = Site.of(lab.lan(), tmp_path)
    hosts = [site.lan.host(f"host-{number}") for number in range(3)]
    two = await sealed_up(hosts[1], site.own.state("tablet-1"), *TO_NOBODY)
    await two.wait_for(matching(event="ready"))
    bad = await site.mallory(hosts[2], hosts[1].address, "between")
    there = static(**{"tablet-1": hosts[2].address, "mallory": hosts[2].address})
    one = await sealed_up(hosts[0], site.own.state("desk"), 'signaling.chain=["http-local"]', *there)
    await asyncio.gather(in_the_middle(bad, one, two, hosts[1]), spliced(bad, one, two))
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    await bad.kill()
    await end(one, two)


@pytest.mark.timeout(90)
@pytest.mark.attack("A3", "A4", "A5", "A6", "A8", "A23")
async def test_a_member_that_is_the_signal_server(lab: Lab, tmp_path: Path) -> None:
    """The same from the cloud; then what she has carried comes again, over the cloud and on the LAN."""
    site = Site.of(lab.lan(), tmp_path)
    hosts = [site.lan.host(f"host-{number}") for number in range(3)]
    bad = await site.server(lab.internet)
    chain = 'signaling.chain=["cloud-ws", "http-local"]'
    two = await sealed_up(hosts[1], site.own.state("tablet-1"), chain, "discovery.chain=[]", URL)
    await two.wait_for(matching(event="ready"))
    one = await sealed_up(hosts[0], site.own.state("desk"), *CLOUD_ONLY, URL)
    await asyncio.gather(in_the_middle(bad, one, two, hosts[1]), spliced(bad, one, two))
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    before = await refusals(two)
    await bad.send_json("again")
    again = await bad.wait_for(matching(event="again"))
    [lan] = await posted(hosts[2], hosts[1].address, {"on the LAN": (OCTETS, bytes.fromhex(again["body"]))})
    after = await refusals(two)
    print(f"A6 over the cloud once more: {again['got']}; on the LAN: {lan['status']}; refused as replay: {after['replay']}")
    assert again["got"] == {"the target": "replay", "who made it": "unauthenticated", "as another": "replay"}
    assert lan["status"] == 403
    assert after["replay"] == before.get("replay", 0) + 3
    await says(one, "tablet-1", "still here")
    await hears(two, "desk", "still here")
    await bad.kill()
    await end(one, two)


@pytest.mark.timeout(90)
@pytest.mark.attack("A6", "A10")
async def test_an_offer_that_is_replayed_or_bent_on_the_way_is_refused_and_the_real_one_links(lab: Lab, tmp_path: Path) -> None:
    site = Site.of(lab.lan(), tmp_path)
    hosts = [site.lan.host(f"host-{number}") for number in range(3)]
    two = await sealed_up(hosts[1], site.own.state("tablet-1"), *TO_NOBODY)
    await two.wait_for(matching(event="ready"))
    bad = await site.mallory(hosts[2], hosts[1].address, "replay")
    one = await sealed_up(hosts[0], site.own.state("desk"), *static(**{"tablet-1": hosts[2].address}))
    got = await bad.wait_for(matching(event="replayed"), 20)
    print(f"A6 on the LAN, posted on, again, changed, and to who made it: {got}")
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    assert (got["first"], got["again"], got["changed"], got["third"]) == (200, 403, 401, 401)

    await asyncio.gather(one.kill(), two.kill())
    one = await sealed_up(hosts[0], site.own.state("desk"), *TO_NOBODY)
    two = await sealed_up(hosts[1], site.own.state("tablet-1"), *TO_NOBODY)
    await asyncio.gather(ready(one), ready(two))
    await asyncio.gather(replayed(bad, two, hosts[1]), rude(site, one, hosts))
    await bad.kill()
    await end(one, two)


async def replayed(bad: Process, two: Process, host: Host) -> None:
    """What was recorded before ``two`` on ``host`` restarted comes again: it has no memory of it, and yet nothing comes of it."""
    await bad.send_json(host.address)
    again = (await bad.wait_for(matching(event="again")))["got"]
    since, most = time.monotonic(), await open_udp(host)
    async with asyncio.timeout(FORGOTTEN):
        while (now := await open_udp(host)) > PREPARED:
            most = max(most, now)
            await asyncio.sleep(0.2)
    took = time.monotonic() - since
    print(f"A6 at the restarted device, three times: {again}; {most - PREPARED} pending, gone after {took:.1f} s")
    assert again[1:] == [403, 403]
    assert most - PREPARED <= MAX_PENDING
    assert reached(two) == []


async def rude(site: Site, one: Process, hosts: list[Host]) -> None:
    """A member makes channels to ``one`` and does not keep to the order in which things are said."""
    rude = await site.spawn(hosts[2], "sealed_member.py", "desk", hosts[0].address)
    for _ in range(RUDE):
        attacked = await rude.wait_for(matching(event="attacked"), 30)
        print(f"A10 {attacked['attack']}: ended {attacked['ended']}, after {attacked['seconds']} s")
        assert attacked["ended"]
        assert attacked["seconds"] <= LIMIT + 1
    await rude.wait_for(matching(event="done"))
    await rude.wait()
    assert [line for line in reached(one) if line["event"] == "message"] == []


@pytest.mark.timeout(90)
async def test_a_channel_that_cannot_say_its_certificates_is_refused(lab: Lab, tmp_path: Path) -> None:
    """One end has such a plugin: neither end takes the other for linked."""
    lan, site = lab.lan(), Property(tmp_path, "tablet-1")
    one = await sealed_up(lan.host("host-1"), site.state("desk"))
    two = await sealed_up(lan.host("host-2"), site.state("tablet-1"), program=str(SUPPORT / "unbound_device.py"))
    await refused(one, "HELLO of tablet-1 proves nothing")
    await refused(two, "the channel cannot say which certificates it has")
    assert reached(one) == reached(two) == []
    await end(one, two)
