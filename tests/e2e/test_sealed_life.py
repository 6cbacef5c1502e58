"""The life of credentials and rosters, with real processes: what ends is renewed, what was missed is heard, without a person."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cloud import CLOUD_ONLY, URL, signal_server
from enrolling import Machine
from sealed_states import Property, sealed_up

from netlab import Lab, Process, matching
from site_devices import end, hears, linked, says

pytestmark = pytest.mark.second_lab

FORCED = ("security=open", "trust.force_open=true", "device.id=desk", "device.property=hotel")


async def status(device: Process) -> Any:
    await device.send_json({"command": "status", "tag": "life"})
    return (await device.wait_for(matching(event="result", tag="life")))["value"]


async def test_credentials_that_have_ended_are_renewed_by_whichever_end_reaches_the_other(lab: Lab, tmp_path: Path) -> None:
    """tablet-1 sees the admin; tablet-2 sees nobody, and the admin has its address."""
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "tablet-2", ended=("tablet-1", "tablet-2"))
    hosts = [lan.host(f"host-{number}") for number in range(3)]
    static = f'plugins.static.peers.tablet-2=["{hosts[2].address}"]'
    one = await sealed_up(hosts[1], site.state("tablet-1"))
    two = await sealed_up(hosts[2], site.state("tablet-2"), "discovery.chain=[]")
    for device in (one, two):
        await device.wait_for(matching(event="ready"))
    desk = await sealed_up(hosts[0], site.state("desk"), 'discovery.chain=["mdns", "static"]', static)
    await asyncio.gather(linked(one, "desk"), linked(two, "desk"), linked(desk, "tablet-1"), linked(desk, "tablet-2"))
    await says(two, "desk", "still here")
    await hears(desk, "tablet-2", "still here")
    refused = (await status(desk))["trust"]["refused"]
    await end(one, two, desk)

    assert refused["credential-expired"] >= 2
    for name in ("tablet-1", "tablet-2"):
        assert site.loaded(name).chain.leaf.expires > time.time() + 399 * 86_400
    assert "has ended" in "\n".join(two.stderr_lines)


async def test_a_device_that_missed_a_revocation_hears_of_it_where_it_still_waits_at_the_signal_server(lab: Lab, tmp_path: Path) -> None:
    """It has the group secret of before, and so another room and other tags; there is no LAN between it and the others."""
    lan, site = lab.lan(), Property(tmp_path, "tablet-1", "stolen")
    server = await signal_server(lab.internet)
    hosts = [lan.host(f"host-{number}") for number in range(2)]
    behind = await sealed_up(hosts[0], site.state("tablet-1"), *CLOUD_ONLY, URL)
    await behind.wait_for(matching(event="ready"))
    site.revoke("stolen")
    site.learns("desk")
    desk = await sealed_up(hosts[1], site.state("desk"), *CLOUD_ONLY, URL)
    await asyncio.gather(linked(behind, "desk"), linked(desk, "tablet-1"))
    await says(behind, "desk", "what did I miss?")
    await hears(desk, "tablet-1", "what did I miss?")
    await end(behind, desk)
    await server.terminate()
    assert site.loaded("tablet-1").book.current.digest == site.roster.digest


async def test_what_waits_for_a_revoked_device_is_deleted_or_kept_by_policy_while_the_device_runs_and_while_not(
    lab: Lab, tmp_path: Path
) -> None:
    lan, site, store = lab.lan(), Property(tmp_path, "tablet-1", "tablet-2"), tmp_path / "desk.db"
    machine = Machine(lan.host("host-desk"), site.state("desk"))

    async def waits() -> dict[str, int]:
        argv = [sys.executable, "-m", "hallway.cli", "outbox", "--store", str(store), "--json"]
        found = await machine.host.run(argv)
        return {peer["peerId"]: peer["messages"] for peer in json.loads(found.stdout)["peers"]}

    async def desk(policy: str) -> Process:
        device = await sealed_up(machine.host, machine.state, f"delivery.store={store}", f"trust.revoked_outbox={policy}")
        await device.wait_for(matching(event="ready"))
        return device

    device = await desk("purge")
    others = [await sealed_up(lan.host(name), site.state(name)) for name in ("tablet-1", "tablet-2")]
    for name, other in zip(("tablet-1", "tablet-2"), others, strict=True):
        await asyncio.gather(linked(device, name), linked(other, "desk"))
    for name, other in zip(("tablet-1", "tablet-2"), others, strict=True):
        await other.kill()
        await says(device, name, "for its eyes only")
    assert await waits() == {"tablet-1": 1, "tablet-2": 1}
    await machine.ask("revoke", "tablet-1")
    async with asyncio.timeout(10):
        while "tablet-1" in await waits():
            pass
    await end(device)
    await machine.ask("revoke", "tablet-2")

    device = await desk("freeze")
    assert await waits() == {"tablet-2": 1}
    await device.send_json({"command": "send-to-peer", "peerId": "tablet-1", "message": 1, "tag": "late"})
    assert not (await device.wait_for(matching(event="result", tag="late")))["ok"]
    await end(device)
    device = await desk("purge")
    async with asyncio.timeout(10):
        while await waits():
            pass
    await end(device)


async def test_an_enrolled_device_is_open_only_when_it_is_forced_and_says_so_loudly(lab: Lab, tmp_path: Path) -> None:
    host, site = lab.lan().host("host-1"), Property(tmp_path)
    refused = await sealed_up(host, site.state("desk"), *FORCED[:1], *FORCED[2:])
    assert await refused.wait() == 2
    told = "\n".join(refused.stderr_lines)
    assert "holds the enrolment of a device" in told
    assert "trust.force_open" in told
    device = await sealed_up(host, site.state("desk"), *FORCED, level="warning")
    await device.wait_for(matching(event="ready"))
    found = await status(device)
    await end(device)
    assert (found["security"], found["trust"]) == ("open", {"forcedOpen": True})
    for text in (found["caution"], "\n".join(device.stderr_lines)):
        assert "whoever reaches this network can join" in text
        assert "this device is enrolled" in text
