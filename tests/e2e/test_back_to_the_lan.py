"""A link over a relay on the internet moves to the LAN as soon as that works, without a gap, and stays where it is if it does not."""

from __future__ import annotations

import asyncio
from typing import Any

from cloud import LOCAL_FIRST, URL, signal_server

from netlab import INTERNET_ADDRESS, Lab, Process, matching
from netlab.plugin import require_program
from site_devices import end, hears, linked, says, up

TURN = f'plugins.aiortc.ice_servers=[{{urls="turn:{INTERNET_ADDRESS}:3479", username="guest", credential="secret"}}]'
MOVES = 70.0
"""Seconds in which mDNS finds the peer after a blockage, and the link moves."""
PORTS = range(50000, 50100)
PORT_RANGE = f"plugins.aiortc.port_range=[{PORTS.start}, {PORTS.stop - 1}]"
PEERS = {"tablet-1": "tablet-2", "tablet-2": "tablet-1"}
Devices = dict[str, Process]


async def relayed(lab: Lab) -> tuple[Devices, Process]:
    """Two devices of one LAN that are linked through the internet, because nothing passes between their hosts; and the signal server."""
    require_program("turnserver")
    await lab.internet.serve_turn("guest", "secret")
    server = await signal_server(lab.internet)
    lan = lab.lan()
    hosts = {name: lan.host(f"host-of-{name}") for name in PEERS}
    lan.apart = hosts["tablet-1"].partition_from(hosts["tablet-2"])  # type: ignore[attr-defined]
    devices = {name: await up(host, name, LOCAL_FIRST, URL, TURN, PORT_RANGE) for name, host in hosts.items()}
    for name, device in devices.items():
        assert (await linked(device, PEERS[name]))["signaling"] == "cloud-ws"
        assert (await path_of(device, PEERS[name]))["distant"]
    return devices, server


async def path_of(device: Process, peer_id: str) -> dict[str, Any]:
    await device.send_json({"command": "status", "tag": "status"})
    result = await device.wait_for(matching(event="result", tag="status"))
    (path,) = (peer["path"] for peer in result["value"]["peers"] if peer["peerId"] == peer_id)
    return path


async def speak(device: Process, peer_id: str, enough: asyncio.Event) -> int:
    """Number the moments to a peer; returns how many there were."""
    number = 0
    while not enough.is_set():
        await says(device, peer_id, number)
        number += 1
        await asyncio.sleep(0.02)
    return number


def link_events(device: Process) -> list[str]:
    return [line.text for line in device.unread if line.json and line.json["event"] in {"peer-connected", "peer-disconnected", "peer-path"}]


async def test_it_moves_when_the_lan_lets_it_and_loses_nothing_on_the_way_and_keeps_the_order(lab: Lab) -> None:
    devices, server = await relayed(lab)
    enough = asyncio.Event()
    speaking = {name: asyncio.create_task(speak(device, PEERS[name], enough)) for name, device in devices.items()}
    lab.lan().apart.restore()  # type: ignore[attr-defined]
    for name, device in devices.items():
        moved = await device.wait_for(matching(event="peer-path", peerId=PEERS[name]), MOVES)
        assert moved["signaling"] == "http-local"
        path = await path_of(device, PEERS[name])
        assert not path["distant"]
        assert path["remote"] == lab.host(f"host-of-{PEERS[name]}").address
    enough.set()
    sent = {name: await task for name, task in speaking.items()}
    for name, device in devices.items():
        peer = PEERS[name]
        heard = [(await device.wait_for(matching(event="message", peerId=peer)))["message"] for _ in range(sent[peer])]
        assert heard == list(range(sent[peer]))
        assert link_events(device) == []
    with lab.black_hole_wan():
        await says(devices["tablet-1"], "tablet-2", "without the internet")
        await hears(devices["tablet-2"], "tablet-1", "without the internet")
    await end(*devices.values(), server)


async def test_a_look_for_the_lan_that_fails_leaves_the_link_alone(lab: Lab) -> None:
    """HTTP and mDNS pass, UDP of the channel does not: each look for the LAN comes to nothing."""
    devices, server = await relayed(lab)
    lan = lab.lan()
    hosts = [lab.host(f"host-of-{name}") for name in PEERS]
    blocked = hosts[0].block_port_between(hosts[1], "udp", PORTS)
    lan.apart.restore()  # type: ignore[attr-defined]
    for name, device in devices.items():
        await device.wait_for(matching(event="peer-found", peerId=PEERS[name], discovery="mdns"), MOVES)
    for number in range(40):
        for name, device in devices.items():
            await says(device, PEERS[name], [name, number])
            await hears(devices[PEERS[name]], name, [name, number])
        await asyncio.sleep(0.1)
    for device in devices.values():
        assert link_events(device) == []
    blocked.restore()
    for name, device in devices.items():
        await device.wait_for(matching(event="peer-path", peerId=PEERS[name]), MOVES)
    await end(*devices.values(), server)
