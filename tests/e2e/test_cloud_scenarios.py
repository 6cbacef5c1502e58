"""Who signals, in each situation of the seed: the LAN while it can, the signal server where it cannot; and what an outage of it costs."""

from __future__ import annotations

import asyncio
import os

import pytest
from cloud import (
    CLOUD_FIRST,
    CLOUD_ONLY,
    LINK_EVENTS,
    LOCAL_FIRST,
    NAMED_URL,
    URL,
    cpu_seconds,
    events,
    in_mode,
    mode_at_start,
    signal_server,
    take_ports,
)

from netlab import DNS_ADDRESS, INTERNET_ADDRESS, Lab, Process, matching
from site_devices import end, hears, linked, says, up

DEVICES = [f"tablet-{number}" for number in range(1, 6)]
"""Five devices, each linked to all others: ten links."""
CUT_SECONDS = float(os.environ.get("SOAK_SECONDS", "4"))
"""How long each outage lasts; the soak run makes it 60."""
PACE = 0.1
"""Seconds between two messages of one device meanwhile."""


async def talk(one: Process, other: Process) -> None:
    await says(one, "tablet-2", "hello")
    await hears(other, "tablet-1", "hello")
    await says(other, "tablet-1", ["and", "hello"])
    await hears(one, "tablet-2", ["and", "hello"])


async def carriers(one: Process, other: Process) -> set[object]:
    """Which plugins signaled the link between tablet-1 and tablet-2, as both ends tell it."""
    at_both = await asyncio.gather(linked(one, "tablet-2"), linked(other, "tablet-1"))
    return {connected["signaling"] for connected in at_both}


async def test_on_one_network_without_internet_the_lan_signals_and_the_mode_is_local(lab: Lab) -> None:
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    lab.black_hole_wan()
    one, two = [await up(host, f"tablet-{number}", LOCAL_FIRST, URL) for number, host in enumerate(hosts, 1)]

    assert await mode_at_start(one) == await mode_at_start(two) == "local"
    assert await carriers(one, two) == {"http-local"}
    await talk(one, two)
    await end(one, two)


@pytest.mark.parametrize("start", ["together", "in-turn"])
async def test_on_one_network_with_a_signal_server_the_lan_signals_although_the_server_introduces_first(lab: Lab, start: str) -> None:
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    server = await signal_server(lab.internet)
    one = await up(hosts[0], "tablet-1", LOCAL_FIRST, URL)
    if start == "in-turn":
        assert await mode_at_start(one) == "local"
    two = await up(hosts[1], "tablet-2", LOCAL_FIRST, URL)

    assert await mode_at_start(two) == "local"
    assert await carriers(one, two) == {"http-local"}
    await talk(one, two)
    await end(one, two, server)


async def test_on_different_networks_the_signal_server_links(lab: Lab) -> None:
    server = await signal_server(lab.internet)
    one = await up(lab.lan("lan1").host("host-1"), "tablet-1", LOCAL_FIRST, URL)
    two = await up(lab.lan("lan2").host("host-2"), "tablet-2", LOCAL_FIRST, URL)

    # Each device's own LAN signaling works, so its mode is local; it is the link that the server signaled.
    assert await mode_at_start(one) == await mode_at_start(two) == "local"
    assert await carriers(one, two) == {"cloud-ws"}
    await talk(one, two)
    found = await one.wait_for(matching(event="peer-found", peerId="tablet-2"))
    assert found["discovery"] == "cloud-ws"
    await end(one, two, server)


async def test_with_the_ports_of_local_signaling_taken_the_mode_is_cloud_and_the_signal_server_links(lab: Lab) -> None:
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    server = await signal_server(lab.internet)
    thieves = [await take_ports(host) for host in hosts]
    one, two = [await up(host, f"tablet-{number}", LOCAL_FIRST, URL) for number, host in enumerate(hosts, 1)]

    assert await mode_at_start(one) == await mode_at_start(two) == "cloud"
    assert await carriers(one, two) == {"cloud-ws"}
    await talk(one, two)
    for thief in thieves:
        await thief.kill()
    await in_mode(one, "local")
    await in_mode(two, "local")
    await talk(one, two)
    await end(one, two, server)


async def test_with_multicast_blocked_the_signal_server_links(lab: Lab) -> None:
    lan = lab.lan()
    lan.block_multicast()
    server = await signal_server(lab.internet)
    one, two = [await up(lan.host(f"host-{number}"), f"tablet-{number}", LOCAL_FIRST, URL) for number in (1, 2)]

    assert await carriers(one, two) == {"cloud-ws"}
    await talk(one, two)
    await end(one, two, server)


@pytest.mark.parametrize("back", ["ports", "server"])
async def test_without_ports_and_server_the_mode_is_none_with_an_error_until_either_is_back(lab: Lab, back: str) -> None:
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    thieves = [await take_ports(host) for host in hosts]
    one, two = [await up(host, f"tablet-{number}", LOCAL_FIRST, URL) for number, host in enumerate(hosts, 1)]
    for device in (one, two):
        ready = await device.wait_for(matching(event="ready"))
        error = await device.wait_for(matching(event="error"))
        assert (ready["mode"], ready["listen"]) == ("none", [])
        assert error["code"] == "no-signaling"
        assert "8090" in error["message"]
        assert INTERNET_ADDRESS in error["message"]
        assert error["hint"]

    servers = [await signal_server(lab.internet)] if back == "server" else []
    if back == "ports":
        for thief in thieves:
            await thief.kill()
    for device in (one, two):
        await in_mode(device, "cloud" if back == "server" else "local")
    assert await carriers(one, two) == {"cloud-ws" if back == "server" else "http-local"}
    await talk(one, two)
    if back == "server":
        for thief in thieves:
            await thief.kill()
    await end(one, two, *servers)


async def test_the_reversed_chain_uses_the_signal_server_first_and_the_lan_without_it(lab: Lab) -> None:
    lan = lab.lan()
    server = await signal_server(lab.internet)
    one, two = [await up(lan.host(f"host-{number}"), f"tablet-{number}", CLOUD_FIRST, URL) for number in (1, 2)]
    assert await mode_at_start(one) == await mode_at_start(two) == "cloud"
    assert await carriers(one, two) == {"cloud-ws"}

    await end(server)
    await in_mode(one, "local")
    await in_mode(two, "local")
    await talk(one, two)
    three = await up(lan.host("host-3"), "tablet-3", CLOUD_FIRST, URL)
    assert {(await linked(one, "tablet-3"))["signaling"], (await linked(three, "tablet-1"))["signaling"]} == {"http-local"}
    await end(one, two, three)


async def test_a_signal_server_by_name_does_not_hold_the_lan_up_while_dns_is_black_holed(lab: Lab) -> None:
    lan = lab.lan()
    hosts = [lan.host(f"host-{number}", dns=DNS_ADDRESS) for number in (1, 2)]
    lab.black_hole_wan()
    one, two = [await up(host, f"tablet-{number}", LOCAL_FIRST, NAMED_URL) for number, host in enumerate(hosts, 1)]

    assert await mode_at_start(one) == await mode_at_start(two) == "local"
    assert await carriers(one, two) == {"http-local"}
    await talk(one, two)
    await end(one, two)


async def test_a_stun_server_that_does_not_answer_does_not_keep_a_cloud_signaled_link_from_opening(lab: Lab) -> None:
    """How much it delays the link is measured by `make bench`."""
    stun = f'plugins.aiortc.ice_servers=[{{urls="stun:{INTERNET_ADDRESS}:3478"}}]'
    server = await signal_server(lab.internet)
    hosts = lab.lan("lan1").host("host-1"), lab.lan("lan2").host("host-2")
    for host in hosts:
        host.block_port("udp", 3478, "out")
    one, two = [await up(host, f"tablet-{number}", *CLOUD_ONLY, URL, stun) for number, host in enumerate(hosts, 1)]

    assert await carriers(one, two) == {"cloud-ws"}
    await talk(one, two)
    assert hosts[0].destinations_outside_lan().get(INTERNET_ADDRESS)
    await end(one, two, server)


@pytest.mark.timeout(90 + 4 * CUT_SECONDS)
async def test_ten_links_on_the_lan_lose_nothing_while_the_wan_the_signal_server_or_both_are_gone(lab: Lab) -> None:
    lan = lab.lan()
    server = await signal_server(lab.internet)
    devices = {name: await up(lan.host(f"host-of-{name}"), name, LOCAL_FIRST, URL) for name in DEVICES}
    for name, device in devices.items():
        for peer in others(name):
            assert (await linked(device, peer))["signaling"] == "http-local"
            await device.wait_for(matching(event="peer-found", peerId=peer, discovery="mdns"))

    with lab.black_hole_wan():
        await talk_through(devices, "the WAN")
    await server.kill()
    await talk_through(devices, "the server")
    with lab.black_hole_wan():
        await talk_through(devices, "both")
    await end(*devices.values())


def others(name: str) -> list[str]:
    return [peer for peer in DEVICES if peer != name]


async def talk_through(devices: dict[str, Process], outage: str) -> None:
    """Let every device talk to all others for as long as the outage lasts, and see that all arrived in order, and nothing else happened."""
    used = {name: cpu_seconds(device.pid) for name, device in devices.items()}
    sent = dict(zip(devices, await asyncio.gather(*(speak(device) for device in devices.values())), strict=True))
    cpu = {name: round((cpu_seconds(device.pid) - used[name]) / CUT_SECONDS * 100, 1) for name, device in devices.items()}
    print(f"without {outage}: {sum(sent.values()) * (len(devices) - 1)} messages in {CUT_SECONDS:g} s, CPU in percent: {cpu}")
    for name, device in devices.items():
        for peer in others(name):
            assert await heard(device, peer, sent[peer]) == list(range(sent[peer])), f"{name} from {peer} without {outage}"
        assert events(device, LINK_EVENTS) == [], f"{name} without {outage}\n{device.transcript()}"


async def speak(device: Process) -> int:
    """Let ``device`` number the moments of the outage to everybody; returns how many there were."""
    loop = asyncio.get_running_loop()
    until, number = loop.time() + CUT_SECONDS, 0
    while loop.time() < until:
        await device.send_json({"command": "broadcast", "message": number, "tag": number})
        result = await device.wait_for(matching(event="result", tag=number))
        assert result["ok"], result
        assert len(result["value"]["ids"]) == len(DEVICES) - 1, result
        number += 1
        await asyncio.sleep(PACE)
    return number


async def heard(device: Process, peer: str, count: int) -> list[object]:
    """The numbers that ``device`` has got from ``peer``, in order of arrival."""
    return [(await device.wait_for(matching(event="message", peerId=peer)))["message"] for _ in range(count)]
