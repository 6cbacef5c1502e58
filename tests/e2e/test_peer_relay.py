"""Two devices that cannot signal to each other link through a third one that both are linked to, and need it no more from then on."""

from __future__ import annotations

import asyncio

import pytest

from netlab import Lab, Process, matching
from site_devices import end, hears, linked, says, up

pytestmark = pytest.mark.second_lab

CHAIN = 'signaling.chain=["http-local", "peer-relay"]'
LOCAL_PORTS = range(8090, 8100)
"""Those that local signaling may take."""
NOTICED = 20.0
"""Seconds in which a link to a device that was killed is lost, at the latest."""


def static(**addresses: str) -> tuple[str, str]:
    """Settings of a device that is told where others are."""
    peers = ", ".join(f'{name} = "{address}"' for name, address in addresses.items())
    return 'discovery.chain=["static"]', f"plugins.static.peers={{{peers}}}"


def ends(device: Process, peer_id: str) -> list[object]:
    """The unread events that say that the link to ``peer_id`` was lost."""
    return [line.json for line in device.unread if line.json and matching(event="peer-disconnected", peerId=peer_id)(line.json)]


async def talk(one: Process, one_id: str, other: Process, other_id: str, text: str) -> None:
    await says(one, other_id, text)
    await hears(other, one_id, text)
    await says(other, one_id, [text])
    await hears(one, other_id, [text])


async def found_by_relay(*pairs: tuple[Process, str]) -> None:
    """Wait until one of them has found its peer so: a peer that has dialed already is linked, and is not reported any more."""
    waiting = [
        asyncio.ensure_future(device.wait_for(matching(event="peer-found", peerId=peer, discovery="peer-relay"))) for device, peer in pairs
    ]
    done, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in late:
        each.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    assert all(each.exception() is None for each in done)


async def test_two_devices_that_cannot_signal_link_through_a_third_and_stay_linked_without_it(lab: Lab) -> None:
    lan = lab.lan()
    host_a, host_b, host_c = (lan.host(f"host-{name}") for name in "abc")
    host_b.block_multicast()
    host_c.block_multicast()
    host_b.block_port_between(host_c, "tcp", LOCAL_PORTS)
    b, c = await up(host_b, "b", CHAIN), await up(host_c, "c", CHAIN)
    for device in (b, c):
        assert (await device.wait_for(matching(event="ready")))["mode"] == "local"
    a = await up(host_a, "a", CHAIN, *static(b=host_b.address, c=host_c.address))

    by_static = await linked(a, "b"), await linked(a, "c")
    assert {connected["signaling"] for connected in by_static} == {"http-local"}
    through_a = await linked(b, "c"), await linked(c, "b")
    assert {connected["signaling"] for connected in through_a} == {"peer-relay"}
    await found_by_relay((b, "c"), (c, "b"))
    await talk(b, "b", c, "c", "through no server")

    await a.kill()
    for device in (b, c):
        await device.wait_for(matching(event="peer-disconnected", peerId="a"), NOTICED)
    await talk(b, "b", c, "c", "and through no relay any more")
    assert ends(b, "c") == ends(c, "b") == []
    await end(b, c)
    for host in (host_a, host_b, host_c):
        assert host.packets_outside_lan() == 0, host.destinations_outside_lan()


async def test_a_link_that_breaks_is_made_again_through_the_relay(lab: Lab) -> None:
    """b and c link on the LAN by themselves; then b restarts where neither multicast nor HTTP to c works any more."""
    lan = lab.lan()
    host_a, host_b, host_c = (lan.host(f"host-{name}") for name in "abc")
    b, c = await up(host_b, "b", CHAIN), await up(host_c, "c", CHAIN)
    a = await up(host_a, "a", CHAIN, *static(b=host_b.address, c=host_c.address))
    assert (await linked(b, "c"))["signaling"] == (await linked(c, "b"))["signaling"] == "http-local"
    await linked(a, "b")
    await linked(a, "c")

    host_b.block_multicast()
    host_b.block_port_between(host_c, "tcp", LOCAL_PORTS)
    await b.kill()
    await c.wait_for(matching(event="peer-disconnected", peerId="b"), NOTICED)
    again = await up(host_b, "b", CHAIN)
    assert (await linked(again, "c"))["signaling"] == (await linked(c, "b"))["signaling"] == "peer-relay"
    await talk(again, "b", c, "c", "back")
    await end(a, again, c)
