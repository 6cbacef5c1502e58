"""One interface policy for mDNS, HTTP and ICE: what it allows is used by all of them, and what it denies is named by none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from netlab import Host, Lab, Process, matching
from site_devices import PROPERTY, end, hears, linked, says, seed_device, up

pytestmark = pytest.mark.second_lab

RECORDER = Path(__file__).parent / "support" / "offer_recorder.py"
DOCKER = {"docker0": "172.17.0.1/16"}


def give_carrier(host: Host, name: str, address: str) -> None:
    """One more interface that is up and leads nowhere, as a bridge with a container on it is."""
    host.ip(f"link add {name} type veth peer name far-{name}", f"link set far-{name} up", f"link set {name} up")
    host.ip(f"addr add {address} dev {name}")


async def offer_to_a_recorder(lab: Lab, *settings: str) -> tuple[Process, dict[str, object], dict[str, object]]:
    """What a device that has a docker0 and a LAN says when it is ready, and the offer that it sends to a peer with the same docker0."""
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    for host in hosts:
        give_carrier(host, "docker0", DOCKER["docker0"])
    recorder = await hosts[1].spawn([sys.executable, str(RECORDER), "tablet-2", PROPERTY, hosts[1].address, "8090"])
    await recorder.wait_for(matching(event="ready"))
    one = await up(hosts[0], "tablet-1", *settings)
    ready = await one.wait_for(matching(event="ready"))
    offer = await recorder.wait_for(matching(event="offer"))
    await recorder.kill()
    return one, ready, offer["body"]


def candidates(offer: dict[str, object]) -> set[str]:
    """The addresses of the candidates in an offer and beside it."""
    sdp = offer["sdp"]["sdp"].splitlines()  # type: ignore[index]
    beside = [line["candidate"] for line in offer.get("iceCandidates", ())]  # type: ignore[attr-defined]
    return {line.split()[4] for line in [*sdp, *beside] if "candidate:" in line}


async def test_an_offer_names_no_address_of_a_denied_interface(lab: Lab) -> None:
    one, ready, offer = await offer_to_a_recorder(lab)
    await end(one)
    assert candidates(offer) == {"10.77.0.11"}
    assert "172.17." not in json.dumps([ready, offer])


async def test_an_interface_that_is_not_denied_any_more_is_offered_and_listened_on(lab: Lab) -> None:
    one, ready, offer = await offer_to_a_recorder(lab, "network.deny=[]")
    await end(one)
    assert {"10.77.0.11", "172.17.0.1"} <= candidates(offer)
    assert "http://172.17.0.1:8090" in ready["listen"]  # type: ignore[operator]


@pytest.mark.parametrize("setting", ['network.interfaces=["eth*"]', 'network.deny=["wlan*"]'], ids=["allow", "deny"])
async def test_the_globs_choose_what_mdns_http_and_ice_use(lab: Lab, setting: str) -> None:
    lan = lab.lan()
    host = lan.host("host-1")
    give_carrier(host, "wlan7", "10.88.0.1/24")
    one = await up(host, "tablet-1", setting)
    two = await up(lan.host("host-2"), "tablet-2")
    witness = await seed_device(lan.host("host-3"), "tablet-3")
    ready = await one.wait_for(matching(event="ready"))
    found = await witness.wait_for(matching(event="found", peerId="tablet-1"))
    await linked(two, "tablet-1")
    await linked(one, "tablet-2")
    await witness.kill()
    await end(one, two)
    assert ready["listen"] == ["http://10.77.0.11:8090"]
    assert found["addresses"] == ["10.77.0.11"]


async def test_devices_of_a_lan_that_has_ipv6_alone_link(lab: Lab) -> None:
    lan = lab.lan(ipv6=True)
    hosts = lan.host("host-1"), lan.host("host-2")
    for host in hosts:
        host.ip(f"addr del {host.address}/24 dev eth0")
    one, two = await up(hosts[0], "tablet-1"), await up(hosts[1], "tablet-2")
    ready = await one.wait_for(matching(event="ready"))
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    await says(one, "tablet-2", "over IPv6")
    await hears(two, "tablet-1", "over IPv6")
    await end(one, two)
    assert ready["listen"] == [f"http://[{hosts[0].address6}]:8090"]


async def test_urls_follow_the_address_and_a_peer_that_comes_later_links_to_the_new_one(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-1")
    one = await up(host, "tablet-1")
    await one.wait_for(matching(event="ready"))
    host.link_down()
    host.ip("addr flush dev eth0")
    host.address = "10.77.0.99"
    host.link_up()
    two = await up(lan.host("host-2"), "tablet-2")
    await linked(two, "tablet-1")
    await linked(one, "tablet-2")
    await one.send_json({"command": "status", "tag": "s"})
    status = await one.wait_for(matching(event="result", tag="s"))
    await end(one, two)
    assert "http://10.77.0.99:8090" in json.dumps(status)
