"""Rosters on their way between devices, and credentials that are renewed, over a bus that is joined end to end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest
from sealed_site import NOW, Site, binding, description, offer

from hallway.errors import ControlRefused
from hallway.protocol.frames import LinkFrame
from hallway.runtime.control.bus import Bus
from hallway.runtime.membership import rosters
from hallway.runtime.membership.rosters import NEWS, RENEW, ROSTER, Rosters
from hallway.runtime.tasks import TaskSet
from hallway.trust.credential import DEVICE_LIFE
from hallway.trust.roster import Member
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState


@attrs.define
class Device:
    guard: SealedGuard
    bus: Bus
    rosters: Rosters
    tasks: TaskSet
    revoked: list[str]

    @property
    def epoch(self) -> int:
        return self.guard.membership.book.current.epoch


class Lines:
    """Devices and the links between them. ``now`` is every device's clock."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.devices: dict[str, Device] = {}

    def add(self, name: str) -> Device:
        tasks = TaskSet(lambda task, error: pytest.fail(f"{task}: {error!r}"))
        guard, bus, revoked = self.site.guard(name), Bus(tasks), []
        state = TrustState(self.folder / name)
        state.save_keys(guard.membership.keys)
        made = Rosters(guard, state, bus, tasks, revoked.extend, lambda: None)
        self.devices[name] = Device(guard, bus, made, tasks, revoked)
        return self.devices[name]

    def link(self, one: str, two: str) -> None:
        """They exchange descriptions and HELLOs, and then their buses are joined."""
        a, b = self.devices[one].guard, self.devices[two].guard
        signal = b.read(offer(a, two), NOW)
        a.read(b.seal(one, description("answer", 2), NOW, reference=signal.reference), NOW)
        ours, theirs = binding(1, 2), binding(2, 1)
        hellos = a.hello(two, ours, NOW), b.hello(one, theirs, NOW)
        assert b.admit(one, hellos[0], theirs, NOW) is None
        assert a.admit(two, hellos[1], ours, NOW) is None
        for here, there in ((one, two), (two, one)):
            self.devices[here].bus.up(there, self._carrier(here, there))

    def _carrier(self, here: str, there: str) -> Any:
        def send(frame: LinkFrame) -> None:
            asyncio.get_running_loop().call_soon(self.devices[there].bus.received, here, frame)  # type: ignore[arg-type]

        return send


@pytest.fixture
async def lines(tmp_path, monkeypatch):
    monkeypatch.setattr(rosters.time, "time", lambda: NOW)
    site = Site("a", "b", "c", "bad")
    site.admin("admin2")
    made = Lines(site, tmp_path)
    for name in ("a", "b", "c"):
        made.add(name)
    yield made
    for device in made.devices.values():
        await device.tasks.aclose()


async def settled(*devices: Device, epoch: int) -> None:
    async with asyncio.timeout(5):
        while any(device.epoch != epoch for device in devices):
            await asyncio.sleep(0)


async def test_a_newer_roster_is_pulled_at_hello_and_told_to_others(lines):
    a, b, c = lines.devices.values()
    lines.link("b", "c")
    a.guard.learn(lines.site.next(lines.site.roster, add=()).text, NOW)
    # With the same secret as before, as when a device was only added: nobody is shut out by it.
    a.guard.membership.book.secrets = (attrs.evolve(a.guard.membership.book.secrets[1], until=None),)
    lines.link("a", "b")
    await settled(a, b, c, epoch=2)


async def test_news_of_a_revocation_names_the_device_everywhere_and_is_kept(lines, tmp_path):
    a, b, c = lines.devices.values()
    lines.link("a", "b")
    lines.link("b", "c")
    a.guard.learn(lines.site.next(lines.site.roster, revoke=("bad",)).text, NOW)
    await settled(a, b, c, epoch=2)
    assert [device.revoked for device in (a, b, c)] == [["bad"]] * 3
    await c.rosters.save()
    assert TrustState(tmp_path / "c").load().book.current.digest == a.guard.membership.book.current.digest


async def test_forks_merge_whoever_is_asked_first(lines):
    """Two admins have revoked one device each, and did not know of each other."""
    a, b, _ = lines.devices.values()
    lines.link("a", "b")
    one = lines.site.next(lines.site.roster, revoke=("bad",))
    two = lines.site.next(lines.site.roster, revoke=("c",))
    a.guard.learn(one.text, NOW)
    b.guard.learn(two.text, NOW)
    async with asyncio.timeout(5):
        while a.guard.membership.book.revocations.keys() != b.guard.membership.book.revocations.keys():
            await asyncio.sleep(0)
    gone = {lines.site.found(name)[0].id for name in ("bad", "c")}
    assert a.guard.membership.book.revocations.keys() == gone
    assert a.guard.membership.book.current.digest == b.guard.membership.book.current.digest


async def test_a_roster_of_many_parts_arrives_whole(lines, monkeypatch):
    monkeypatch.setattr(rosters, "PART", 700)
    a, b, _ = lines.devices.values()
    lines.link("a", "b")
    a.guard.learn(lines.site.next(lines.site.roster, revoke=("bad",)).text, NOW)
    await settled(a, b, epoch=2)


async def test_news_that_come_while_a_roster_is_pulled_are_not_lost(lines, monkeypatch):
    monkeypatch.setattr(rosters, "PART", 700)
    monkeypatch.setattr(rosters, "PULL_PAUSE", 0.01, raising=False)
    a, b, _ = lines.devices.values()
    lines.link("a", "b")
    second = lines.site.next(lines.site.roster, revoke=("bad",))
    a.guard.learn(second.text, NOW)
    async with asyncio.timeout(5):
        while "a" not in b.rosters._pulling:
            await asyncio.sleep(0)
    a.guard.learn(lines.site.next(second, revoke=("c",)).text, NOW)
    await settled(a, b, epoch=3)


@pytest.mark.attack("A21")
async def test_a_member_that_has_news_without_end_is_asked_once_a_second(lines, monkeypatch):
    """To read a roster takes milliseconds in which nothing else is done."""
    a, _, c = lines.devices.values()
    lines.link("a", "c")
    read = []
    monkeypatch.setattr(a.guard, "learn", lambda text, now: read.append(text))
    for number in range(50):
        deadline = asyncio.get_running_loop().time() + 5
        await c.bus.request("a", NEWS, {"digest": str(number)}, deadline)
        for _ in range(20):
            await asyncio.sleep(0)
    print(f"A21 after {number + 1} news: {len(read)} rosters read")
    assert len(read) == 1


@pytest.mark.parametrize("part", [-1, 1 << 40, "0", None, 1.5])
async def test_a_part_that_is_not_there_is_refused(lines, part):
    lines.link("a", "b")
    with pytest.raises(ControlRefused) as caught:
        await lines.devices["a"].bus.request("b", ROSTER, {"part": part}, asyncio.get_running_loop().time() + 5)
    assert caught.value.reason == "bad-message"


async def test_an_admin_renews_a_credential_when_it_is_due_and_not_before(lines, monkeypatch):
    admin, a = lines.add("admin"), lines.devices["a"]
    lines.link("a", "admin")
    old = a.guard.membership.chain.leaf
    with pytest.raises(ControlRefused) as caught:
        await a.bus.request("admin", RENEW, {}, asyncio.get_running_loop().time() + 5)
    assert caught.value.reason == "early"
    monkeypatch.setattr(rosters.time, "time", lambda: old.issued + DEVICE_LIFE * 0.7)
    running = asyncio.create_task(a.rosters.run())
    async with asyncio.timeout(5):
        while a.guard.membership.chain.leaf == old:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    new = a.guard.membership.chain.leaf
    assert (new.sub, new.name, new.issued) == (old.sub, "a", int(old.issued + DEVICE_LIFE * 0.7))
    assert admin.revoked == []


async def test_nobody_but_an_admin_renews(lines):
    lines.link("a", "b")
    with pytest.raises(ControlRefused) as caught:
        await lines.devices["a"].bus.request("b", RENEW, {}, asyncio.get_running_loop().time() + 5)
    assert caught.value.reason == "role"


async def test_when_the_admin_is_replaced_its_devices_still_know_each_other_and_are_renewed_by_the_new_one(lines):
    """As after `hallway recover`: the admin that took them in is lost, and revoked."""
    lines.site.admin("second")
    second, a, b = lines.add("second"), lines.devices["a"], lines.devices["b"]
    grown = lines.site.next(lines.site.roster, add=(Member.of(lines.site.found("second")[1].leaf),))
    without = lines.site.next(grown, revoke=("admin",), by="second")
    for device in (second, a, b):
        device.guard.learn(grown.text, NOW)
        device.guard.learn(without.text, NOW)
    lines.link("a", "b")
    lines.link("a", "second")
    running = asyncio.create_task(a.rosters.run())
    second_id = lines.site.found("second")[0].id
    async with asyncio.timeout(5):
        while a.guard.membership.chain.leaf.issuer != second_id:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])


async def test_a_branch_of_a_fork_reaches_those_who_know_the_winner_only(lines):
    """a has heard of both branches, b of the one that is in force."""
    a, b, _ = lines.devices.values()
    one, two = lines.site.next(lines.site.roster, revoke=("bad",)), lines.site.next(lines.site.roster, revoke=("admin",), by="admin2")
    for roster in (one, two):
        a.guard.learn(roster.text, NOW)
    b.guard.learn(two.text, NOW)
    assert b.guard.membership.book.branches == ()
    lines.link("a", "b")
    async with asyncio.timeout(5):
        while a.guard.membership.book.digest != b.guard.membership.book.digest:
            await asyncio.sleep(0)
    assert a.guard.membership.book.revocations.keys() == b.guard.membership.book.revocations.keys()
