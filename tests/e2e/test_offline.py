"""The question that hallway answers: what happens when WebRTC has no internet for signaling?"""

from __future__ import annotations

import asyncio
import sys

from netlab import DNS_ADDRESS, INTERNET_ADDRESS, Lab, matching
from site_devices import end, hears, linked, says, up

STUN = f'plugins.aiortc.ice_servers=[{{urls="stun:{INTERNET_ADDRESS}:3478"}}, {{urls="stun:stun.example.org:3478"}}]'
LAN_ONLY = 'signaling.chain=["http-local"]'


async def test_two_devices_link_and_talk_while_wan_and_dns_are_black_holed(lab: Lab) -> None:
    lan = lab.lan()
    hosts = lan.host("host-1"), lan.host("host-2")
    lab.black_hole_wan()
    one = await up(hosts[0], "tablet-1", STUN, LAN_ONLY)
    two = await up(hosts[1], "tablet-2", STUN, LAN_ONLY)

    ready = await one.wait_for(matching(event="ready"))
    assert ready["mode"] == "local"
    assert ready["listen"][0] == f"http://{hosts[0].address}:8090"
    connected = await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    await says(one, "tablet-2", {"type": "room-update", "data": {"roomId": "101", "status": "occupied"}})
    await hears(two, "tablet-1", {"type": "room-update", "data": {"roomId": "101", "status": "occupied"}})
    await says(two, "tablet-1", {"type": "inventory-update", "data": {"item": "towels", "quantity": 50}})
    await hears(one, "tablet-2", {"type": "inventory-update", "data": {"item": "towels", "quantity": 50}})
    await end(one, two)

    assert (connected["signaling"], connected["channel"]) == ("http-local", "aiortc")
    for host in hosts:
        assert host.packets_outside_lan() == 0, host.destinations_outside_lan()
        assert lan.router.packets_from(host) == 0


async def test_devices_without_a_default_route_link(lab: Lab) -> None:
    lan = lab.lan()
    one = await up(lan.host("host-1", default_route=False), "tablet-1")
    two = await up(lan.host("host-2", default_route=False), "tablet-2")
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    await end(one, two)


async def test_devices_link_beside_container_bridges_with_equal_addresses_and_never_name_them(lab: Lab) -> None:
    lan = lab.lan()
    decoys = {"docker0": "172.17.0.1/16"}
    one = await up(lan.host("host-1", decoys=decoys), "tablet-1")
    two = await up(lan.host("host-2", decoys=decoys), "tablet-2")
    ready = await one.wait_for(matching(event="ready"))
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    await end(one, two)

    assert "172.17" not in str(ready["listen"])


async def test_devices_of_different_properties_never_link(lab: Lab) -> None:
    """A third device that links to the first shows that discovery had its chance."""
    lan = lab.lan()
    one = await up(lan.host("host-1"), "tablet-1")
    other = await up(lan.host("host-2"), "tablet-2", property_id="another")
    witness = await up(lan.host("host-3"), "tablet-3")
    other_witness = await up(lan.host("host-4"), "tablet-4", property_id="another")
    await linked(one, "tablet-3")
    await linked(other, "tablet-4")
    for device, peer in ((one, "tablet-3"), (other, "tablet-4")):
        await device.send_json({"command": "status", "tag": "s"})
        status = await device.wait_for(matching(event="result", tag="s"))
        assert [known["peerId"] for known in status["value"]["peers"]] == [peer]
    await end(one, other, witness, other_witness)


async def test_links_need_neither_multicast_nor_the_router_once_they_are_open(lab: Lab) -> None:
    lan = lab.lan()
    one = await up(lan.host("host-1"), "tablet-1")
    two = await up(lan.host("host-2"), "tablet-2")
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    with lab.cut_wan(), lan.block_multicast():
        await says(one, "tablet-2", "still here")
        await hears(two, "tablet-1", "still here")
    await end(one, two)


async def test_a_device_that_is_killed_is_noticed_and_linked_again_when_it_returns(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-2")
    one = await up(lan.host("host-1"), "tablet-1")
    two = await up(host, "tablet-2")
    await linked(one, "tablet-2")
    await two.kill()
    gone = await one.wait_for(matching(event="peer-disconnected", peerId="tablet-2"), 15)
    again = await up(host, "tablet-2")
    await linked(one, "tablet-2")
    await linked(again, "tablet-1")
    await says(again, "tablet-1", "back")
    await hears(one, "tablet-2", "back")
    await end(one, again)

    assert gone["reason"] == "timeout"


async def test_a_restart_right_after_a_crash_is_linked_without_waiting_for_the_old_link_to_time_out(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-2")
    one = await up(lan.host("host-1"), "tablet-1")
    two = await up(host, "tablet-2")
    await linked(one, "tablet-2")
    await two.kill()
    again = await up(host, "tablet-2")
    await linked(again, "tablet-1")
    await linked(one, "tablet-2")
    await end(one, again)


async def test_a_device_that_changes_its_address_is_linked_again(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-2")
    one = await up(lan.host("host-1"), "tablet-1")
    two = await up(host, "tablet-2")
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    host.change_address("10.77.0.99")
    await one.wait_for(matching(event="peer-disconnected", peerId="tablet-2"), 20)
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    await end(one, two)


async def test_sigterm_ends_a_device_with_a_goodbye_and_frees_its_port_while_dns_is_black_holed(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-2", dns=DNS_ADDRESS)
    lab.black_hole_wan()
    one = await up(lan.host("host-1"), "tablet-1")
    two = await up(host, "tablet-2", STUN)
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    await one.wait_for(matching(event="peer-found", peerId="tablet-2"))
    async with asyncio.timeout(2):
        status = await two.terminate()

    assert status == 0
    assert (await one.wait_for(matching(event="peer-disconnected", peerId="tablet-2")))["reason"] == "bye"
    await one.wait_for(matching(event="peer-lost", peerId="tablet-2"), 3)
    sockets = await host.run(["ss", "-Hltun"])
    assert sockets.stdout.strip() == ""
    await end(one)


async def test_a_device_whose_ports_are_taken_says_so_and_keeps_trying(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-1")
    take = (
        "import socket,time; held=[socket.create_server(('0.0.0.0',p)) for p in range(8090,8100)]; print('{}', flush=True); time.sleep(600)"
    )
    thief = await host.spawn([sys.executable, "-c", take])
    await thief.read_line()
    one = await up(host, "tablet-1")
    two = await up(lan.host("host-2"), "tablet-2")
    ready = await one.wait_for(matching(event="ready"))
    error = await one.wait_for(matching(event="error"))
    await thief.kill()
    await one.wait_for(matching(event="signaling-mode", mode="local"))
    await linked(two, "tablet-1")
    await linked(one, "tablet-2")
    await end(one, two)

    assert (ready["mode"], ready["listen"]) == ("none", [])
    assert error["code"] == "no-signaling"
    assert "8090" in error["message"]
    assert error["hint"]
