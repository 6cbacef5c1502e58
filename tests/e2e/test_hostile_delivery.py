"""A member that breaks the rules of delivery ends its own link, by a name, and costs the others nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from faults import FULL
from hostile_delivery import LEGAL, names

from netlab import Lab, Process, ProcessError, matching
from site_devices import PROPERTY, end, hears, linked, says, up

pytestmark = pytest.mark.second_lab

SCRIPT = Path(__file__).parent / "support" / "hostile_delivery.py"
ALLOWED_GROWTH = 50.0
"""MB of memory that all attacks together may cost a device."""
EVERY = 1 if FULL else 4
"""In `make test` one in four of the attacks is made."""
MANY = 20 if FULL else 6
"""So many different things are told, at least."""


def memory(process: Process) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def unread(device: Process, **fields: object) -> list[dict[str, object]]:
    return [line.json for line in device.unread if line.json and matching(**fields)(line.json)]


@pytest.mark.timeout(60 if EVERY > 1 else 300)
@pytest.mark.attack("A21")
async def test_who_breaks_the_rules_loses_its_link_and_nobody_else(lab: Lab, tmp_path: Path) -> None:
    lan = lab.lan()
    victim = await up(lan.host("host-1"), "tablet-1", f"delivery.store={tmp_path / 'store'}")
    friend = await up(lan.host("host-2"), "tablet-2")
    await linked(victim, "tablet-2")
    hostile = await lan.host("host-3").spawn([sys.executable, str(SCRIPT), "mallory", PROPERTY, "tablet-1"])
    await linked(victim, "mallory")
    await hostile.wait_for(matching(event="linked"))
    before = memory(victim)
    told: list[str] = []
    for name in list(names())[::EVERY]:
        await hostile.send_json(name)
        try:
            await victim.wait_for(matching(event="peer-disconnected", peerId="mallory", reason="protocol"))
        except ProcessError as error:
            raise AssertionError(f"{name!r} did not end the link") from error
        # The same words are told once a minute.
        told += [str(line["message"]) for line in unread(victim, event="error", code="protocol")[len(told) :]]
        print(f"{name}: {told[-1]}; {memory(victim) - before:+.1f} MB")
        await hostile.wait_for(matching(event="attacked", attack=name))
        await linked(victim, "mallory")
        await says(friend, "tablet-1", name)
        await hears(victim, "tablet-2", name)
    for name in LEGAL if FULL else ():
        await hostile.send_json(name)
        await hostile.wait_for(matching(event="attacked", attack=name), 120)
        print(f"{name}: {memory(victim) - before:+.1f} MB")
        await says(friend, "tablet-1", name)
        await hears(victim, "tablet-2", name)
    assert len(told) == len(set(told)) >= MANY
    assert all("mallory" in text for text in told)
    growth = memory(victim) - before
    print(f"{growth:+.1f} MB")
    assert growth < ALLOWED_GROWTH
    assert unread(victim, event="peer-disconnected", peerId="tablet-2") == unread(victim, event="error", code="internal") == []
    await hostile.kill()
    await end(victim, friend)
