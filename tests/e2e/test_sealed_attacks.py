"""Attackers with real processes beside sealed devices: each is refused, nothing reaches the application, and each prints what it tried."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from sealed_states import Property, sealed_up

from netlab import Host, Lab, Process, matching
from site_devices import end, linked

pytestmark = pytest.mark.second_lab

SUPPORT = Path(__file__).parent / "support"
TO_NOBODY = ('discovery.chain=["static"]',)
POST = """
import json, sys, urllib.error, urllib.request
for name, kind, hex_ in json.load(sys.stdin):
    request = urllib.request.Request(sys.argv[1] + "/offer", bytes.fromhex(hex_), {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    print(json.dumps({"name": name, "status": status, "body": body.decode()}), flush=True)
"""


def static(**addresses: str) -> tuple[str, str]:
    """A device that is told where others are, and looks for nobody."""
    peers = ", ".join(f'{name} = "{address}"' for name, address in addresses.items())
    return TO_NOBODY[0], f"plugins.static.peers={{{peers}}}"


async def mallory(host: Host, site: Property, target: str, address: str, mode: str) -> Process:
    process = await host.spawn([sys.executable, str(SUPPORT / "sealed_mallory.py"), str(site.state("mallory")), target, address, mode])
    await process.wait_for(matching(event="ready"), 20)
    return process


def reached(device: Process) -> list[object]:
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


PREPARED = 1
"""Sockets that wait for the next peer connection, one for each address."""


async def open_udp(host: Host) -> int:
    """UDP sockets other than that of mDNS: each peer connection has some."""
    return sum(":5353" not in line for line in (await host.run(["ss", "-Hlun"])).stdout.splitlines())


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
    }
    listed = [[name, kind, body.hex()] for name, (kind, body) in tries.items()]
    attacker = await outside.spawn([sys.executable, "-c", POST, f"http://{host.address}:8090"])
    await attacker.send_json(listed)
    attacker.close_stdin()
    answers = [await attacker.read_json_line() for _ in tries]
    after, counts = await open_udp(host), await refusals(one)
    await end(one)

    for answer in answers:
        print(answer)
        assert answer["status"] == 401, answer
        assert "desk" not in answer["body"]
    print(f"{after} UDP sockets")
    assert counts == {"size": 1, "form": 1, "kid": 1, "seal": 2}
    assert after <= PREPARED
    assert reached(one) == []


@pytest.mark.timeout(90)
async def test_a_member_that_splices_two_others_together_is_believed_by_neither(lab: Lab, tmp_path: Path) -> None:
    """The channel itself opens: certificates, addresses and all are those of the two, and only HELLO tells (A8)."""
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "mallory")
    hosts = [lan.host(f"host-{number}") for number in range(3)]
    two = await sealed_up(hosts[1], site.state("tablet-1"), *TO_NOBODY)
    await two.wait_for(matching(event="ready"))
    bad = await mallory(hosts[2], site, "tablet-1", hosts[1].address, "splice")
    one = await sealed_up(hosts[0], site.state("desk"), *static(mallory=hosts[2].address))
    print(await bad.wait_for(matching(event="spliced"), 20))
    # It is dialed again once the first try is over, which HELLO has ended by then.
    print(await bad.wait_for(matching(event="spliced"), 20))
    await asyncio.gather(*(refused(device, "HELLO") for device in (one, two)))
    assert reached(one) == reached(two) == []
    await bad.kill()
    await end(one, two)


@pytest.mark.timeout(90)
async def test_a_member_in_the_middle_cannot_answer_for_another(lab: Lab, tmp_path: Path) -> None:
    """It stands where the peer should be, and has certificates of its own for both (A3, A4, A5)."""
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "mallory")
    hosts = [lan.host(f"host-{number}") for number in range(3)]
    two = await sealed_up(hosts[1], site.state("tablet-1"), *TO_NOBODY)
    await two.wait_for(matching(event="ready"))
    bad = await mallory(hosts[2], site, "tablet-1", hosts[1].address, "relay")
    one = await sealed_up(hosts[0], site.state("desk"), 'signaling.chain=["http-local"]', *static(**{"tablet-1": hosts[2].address}))
    ways = [(await bad.wait_for(matching(event="relayed"), 30))["way"] for _ in range(6)]
    counts = await refusals(one)
    print(ways, counts)
    assert reached(one) == reached(two) == []
    assert counts.keys() >= {"answer", "from", "signature"}
    assert counts["signature"] >= 3
    await bad.kill()
    await end(one, two)


async def test_an_offer_that_is_replayed_or_bent_on_the_way_is_refused_and_the_real_one_links(lab: Lab, tmp_path: Path) -> None:
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "mallory")
    hosts = [lan.host(f"host-{number}") for number in range(3)]
    two = await sealed_up(hosts[1], site.state("tablet-1"), *TO_NOBODY)
    await two.wait_for(matching(event="ready"))
    bad = await mallory(hosts[2], site, "tablet-1", hosts[1].address, "replay")
    one = await sealed_up(hosts[0], site.state("desk"), *static(**{"tablet-1": hosts[2].address}))
    got = await bad.wait_for(matching(event="replayed"), 20)
    print(got)
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    await bad.kill()
    await end(one, two)

    assert (got["first"], got["again"], got["changed"]) == (200, 403, 401)


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
