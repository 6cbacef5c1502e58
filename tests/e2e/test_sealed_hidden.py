"""What an eavesdropper on the LAN, or at the signal server, learns of sealed devices: no name, no key, no description."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from captures import leaks, readable, secrets_of, sniff
from cloud import CLOUD_ONLY, SERVER_URL, URL, signal_server
from sealed_states import Property, sealed_up

from netlab import Lab, Process
from site_devices import end, hears, linked, says, up

pytestmark = pytest.mark.second_lab

ADMIN, MEMBER = "reception-desk", "tablet-101"


async def talk(one: Process, two: Process) -> None:
    await asyncio.gather(linked(one, MEMBER), linked(two, ADMIN))
    await says(one, MEMBER, "a word")
    await hears(two, ADMIN, "a word")


@pytest.mark.attack("A18")
async def test_a_capture_of_a_lan_holds_no_name_no_key_and_no_description(lab: Lab, tmp_path: Path) -> None:
    """The same capture of open devices holds them, which shows that it would be seen."""
    lan, site = lab.lan(), Property(tmp_path, MEMBER, admin=ADMIN)
    hosts, tap = (lan.host("host-1"), lan.host("host-2")), tmp_path / "lan.bin"
    sniffer = await sniff(hosts[0], tap)
    one, two = await sealed_up(hosts[0], site.state(ADMIN)), await sealed_up(hosts[1], site.state(MEMBER))
    await talk(one, two)
    await end(one, two)
    await sniffer.terminate()
    control = tmp_path / "open.bin"
    sniffer = await sniff(hosts[0], control)
    one, two = await up(hosts[0], ADMIN), await up(hosts[1], MEMBER)
    await talk(one, two)
    await end(one, two)
    await sniffer.terminate()

    assert leaks(tap, secrets_of(site.membership(ADMIN), site.membership(MEMBER))) == []
    assert b"_hallway" in readable(tap)
    assert b"POST /offer" in readable(tap)
    assert {ADMIN.encode(), MEMBER.encode(), b"candidate:"} <= set(
        leaks(control, secrets_of(site.membership(ADMIN), site.membership(MEMBER)))
    )


@pytest.mark.timeout(90)
@pytest.mark.attack("A18")
async def test_a_capture_of_a_signal_server_holds_none_either_and_devices_link_through_it(lab: Lab, tmp_path: Path) -> None:
    lan, site = lab.lan(), Property(tmp_path, MEMBER, admin=ADMIN)
    server, tap = await signal_server(lab.internet), tmp_path / "cloud.bin"
    sniffer = await sniff(lab.internet, tap)
    one, two = [
        await sealed_up(lan.host(f"host-{number}"), site.state(name), *CLOUD_ONLY, URL) for number, name in enumerate((ADMIN, MEMBER))
    ]
    await talk(one, two)
    await end(one, two)
    await sniffer.terminate()
    await server.terminate()

    assert leaks(tap, secrets_of(site.membership(ADMIN), site.membership(MEMBER))) == []
    assert b'"peer-joined"' in readable(tap), SERVER_URL
    assert b'"join"' in readable(tap)
