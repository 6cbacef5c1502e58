"""Enrolment between two devices of one process, over a carrier that loses what it likes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import random
import threading
import time

import pytest
from click.testing import CliRunner
from enrolment_rig import PLACE, Carrier, Desk, join
from hypothesis import given
from hypothesis import strategies as st

from hallway.cli.members import members
from hallway.errors import (
    AlreadyEnrolled,
    NotAdmin,
    PairingRefused,
    PeerUnavailable,
    StateBusy,
    StorageFull,
    Unreachable,
    WrongPassphrase,
)
from hallway.model import Envelope, Origin, Refusal, RefusalCode
from hallway.runtime.membership import founding, invitations, joining
from hallway.runtime.membership.joining import Joining, device_keys
from hallway.runtime.reception import Reception
from hallway.runtime.tasks import TaskSet
from hallway.trust.credential import Subject
from hallway.trust.invitation import read_code
from hallway.trust.joining import Ticket
from hallway.trust.keys import DeviceKeys
from hallway.trust.state import TrustState


@pytest.fixture
async def desk(tmp_path, monkeypatch):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    for module, name, value in ((invitations, "TICK", 0.001), (joining, "PAUSE", 0.001), (invitations, "NEWS_SECONDS", 0.01)):
        monkeypatch.setattr(module, name, value)
    crashes = []
    tasks = TaskSet(lambda task, error: crashes.append(error))
    yield Desk(tmp_path / "desk", tasks)
    await tasks.aclose()
    assert crashes == []


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_lost_on_the_way_there_is_one_member(desk, tmp_path, seed):
    source = random.Random(seed)
    await desk.invite()
    carrier = Carrier(desk.window, lambda: source.choice(["", "request", "answer", "limit", "garbled"]))
    membership = await join(carrier, tmp_path / "tablet", desk.ticket)
    assert desk.names == ["desk", "tablet-1"]
    loaded = TrustState(tmp_path / "tablet").load()
    assert (loaded.chain, loaded.property_name) == (membership.chain, "Sea View")
    assert desk.state.load().book.current.member("tablet-1").serial == loaded.chain.leaf.serial
    assert max(map(len, carrier.bodies)) <= 4096


async def test_what_happens_is_told_in_order(desk, tmp_path):
    shown = await desk.invite()
    assert shown["hosts"] == ["10.0.0.1:8090"]
    await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    news = await desk.news()
    assert [event["event"] for event in news["events"]] == ["attempt", "enrolled", "closed"]
    assert news["open"] is False


@given(st.floats(0, 1e7))
def test_answers_leave_at_a_tick(now):
    wait = invitations.until_tick(now)
    assert 0 < wait <= invitations.TICK
    assert (now + wait) / invitations.TICK == pytest.approx(round((now + wait) / invitations.TICK), abs=1e-6)


async def test_a_disk_that_is_full_takes_nobody_in_until_there_is_room(desk, tmp_path, monkeypatch):
    await desk.invite()

    def full(_self, _membership):
        raise StorageFull("there is no room", hint="make room")

    with monkeypatch.context() as patch:
        patch.setattr(TrustState, "save", full)
        with pytest.raises(PairingRefused) as caught:
            await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    assert caught.value.reason == "failed"
    assert not TrustState(tmp_path / "tablet").is_enrolled
    await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    assert desk.names == ["desk", "tablet-1"]


async def test_a_request_that_is_given_up_is_decided_all_the_same(desk, tmp_path):
    await desk.invite()
    state = TrustState(tmp_path / "tablet")
    attempt = Joining.of(Carrier(desk.window), [PLACE], device_keys(state), "tablet-1", desk.ticket)
    first = asyncio.create_task(desk.window.handle(Envelope("pair", "application/json", attempt._joiner.first), Origin("http-local")))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    membership = await attempt.run(state, lambda: None)
    assert membership.chain.leaf.name == "tablet-1"


async def test_a_window_that_nobody_looks_at_closes(desk, monkeypatch):
    monkeypatch.setattr(invitations, "LOOK", 0.01)
    monkeypatch.setattr(invitations, "UNWATCHED", 0.02)
    await desk.invite()
    async with asyncio.timeout(10):
        while (await desk.commands.run({"command": "members"})) and desk.window._window.closed is None:
            await asyncio.sleep(0.01)
    assert (await desk.news())["events"] == [{"event": "closed", "reason": "stopped"}]
    assert await desk.invite()


async def test_nobody_answers_where_no_window_is_open(desk, tmp_path):
    await desk.invite()
    ticket = desk.ticket
    await desk.commands.run({"command": "invite-close", "window": desk.shown["window"]})
    with pytest.raises(PairingRefused) as caught:
        await join(Carrier(desk.window), tmp_path / "tablet", ticket)
    assert caught.value.reason == "closed"


@pytest.mark.attack("A13")
async def test_a_second_joiner_gets_409s_code_and_a_wrong_code_403s(desk, tmp_path):
    shown = await desk.invite()
    first = Joining.of(Carrier(desk.window), [PLACE], device_keys(TrustState(tmp_path / "a")), "a", desk.ticket)
    await desk.window.handle(Envelope("pair", "application/json", first._joiner.first), Origin("http-local"))
    carrier = Carrier(desk.window)
    with pytest.raises(PairingRefused):
        await join(carrier, tmp_path / "b", Ticket.of_code(read_code(shown["code"])), "b")
    assert carrier.answers == [Refusal(RefusalCode.OCCUPIED, "busy")]


async def test_silence_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "REACH_SECONDS", 0.02)
    monkeypatch.setattr(joining, "PAUSE", 0.001)
    with pytest.raises(Unreachable) as caught:
        await join(Carrier(None, lambda: "request"), tmp_path / "tablet", Ticket.of_code("12345678"))
    assert "one network" in caught.value.hint


@pytest.mark.attack("A13")
@pytest.mark.parametrize("from_then_on", [0, 1])
async def test_who_is_put_off_for_ever_is_told(desk, tmp_path, monkeypatch, from_then_on):
    """Whatever is at the address of the device that invites may say for ever that it has too much to do."""
    monkeypatch.setattr(joining, "REACH_SECONDS", 0.05)
    await desk.invite()
    steps = iter([""] * from_then_on)
    with pytest.raises(Unreachable) as caught:
        async with asyncio.timeout(10):
            await join(Carrier(desk.window, lambda: next(steps, "limit")), tmp_path / "tablet", desk.ticket)
    assert caught.value.hint


async def test_another_device_at_one_of_its_addresses_keeps_nobody_out(desk, tmp_path):
    """It may be this device itself: networks of virtual machines have one address on every host."""
    await desk.invite()
    elsewhere, carrier = "http://192.168.56.1:8090", Carrier(desk.window)
    truly = carrier.request

    async def request(endpoint, envelope, deadline):
        return Refusal(RefusalCode.NOT_FOUND, "closed") if endpoint == elsewhere else await truly(endpoint, envelope, deadline)

    carrier.request = request
    state, places = TrustState(tmp_path / "tablet"), [(ipaddress.ip_address("192.168.56.1"), 8090), PLACE]
    await Joining.of(carrier, places, device_keys(state), "tablet-1", desk.ticket).run(state, lambda: None)
    assert desk.names == ["desk", "tablet-1"]


@pytest.mark.parametrize("end", ["closed by the person", "expired"])
async def test_a_window_ends_after_the_device_that_is_being_written_down(desk, tmp_path, monkeypatch, end):
    monkeypatch.setattr(invitations, "LOOK", 0)
    shown = await desk.invite()
    loop, writing, go_on, save = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), TrustState.save

    def slow(self, membership):
        if self.folder == desk.state.folder:
            loop.call_soon_threadsafe(writing.set)
            assert go_on.wait(10)
        save(self, membership)

    monkeypatch.setattr(TrustState, "save", slow)
    tablet = asyncio.create_task(join(Carrier(desk.window), tmp_path / "tablet", desk.ticket))
    await writing.wait()
    if end == "expired":
        monkeypatch.setattr("hallway.trust.pairing.LIFE", 0)
        closing = None
    else:
        closing = asyncio.create_task(desk.commands.run({"command": "invite-close", "window": shown["window"]}))
    for _ in range(10):
        await asyncio.sleep(0)
    go_on.set()
    membership = await tablet
    if closing is not None:
        await closing
    assert membership.chain.leaf.name == "tablet-1"
    assert [event["event"] for event in (await desk.news())["events"]] == ["attempt", "enrolled", "closed"]


def test_a_property_is_not_made_twice_nor_over_a_recovery_file(tmp_path, monkeypatch):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    made = founding.found(tmp_path / "a", "Sea View", "desk", tmp_path / "recovery.json", lambda: None)
    assert made.is_made_up
    assert made.passphrase not in repr(made)
    with pytest.raises(AlreadyEnrolled):
        founding.found(tmp_path / "a", "Hill View", "desk", tmp_path / "b.json", lambda: None)
    before = (tmp_path / "recovery.json").read_bytes()
    with pytest.raises(Exception, match="recovery file"):
        founding.found(tmp_path / "b", "Hill View", "desk", tmp_path / "recovery.json", lambda: None)
    assert (tmp_path / "recovery.json").read_bytes() == before
    assert not TrustState(tmp_path / "b").is_enrolled


async def test_a_device_that_was_revoked_is_named_as_such(desk, tmp_path):
    await desk.invite()
    await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    told = await asyncio.to_thread(CliRunner().invoke, members, ["--state", str(tmp_path / "tablet")])
    assert told.stdout.startswith("Sea View: 2 devices, epoch 2, as far as this device has heard\n")
    await desk.commands.run({"command": "revoke", "deviceId": "tablet-1"})
    with pytest.raises(PeerUnavailable, match="Tablet-1 is revoked already"):
        await desk.commands.run({"command": "revoke", "deviceId": "Tablet-1"})
    with pytest.raises(PeerUnavailable, match="no device of the property has the name tablet-2"):
        await desk.commands.run({"command": "revoke", "deviceId": "tablet-2"})
    told = await asyncio.to_thread(CliRunner().invoke, members, ["--state", str(tmp_path / "desk")])
    *_, title, revoked = told.stdout.splitlines()
    assert (title, revoked.split()[0]) == ("1 revoked:", "tablet-1")


async def test_a_recovery_that_fails_blames_neither_passphrase_nor_file_for_a_device_that_is_revoked(desk, tmp_path):
    await desk.invite()
    recovery = desk.state.folder / "recovery.json"
    await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    await desk.commands.run({"command": "revoke", "deviceId": "tablet-1"})
    tablet = TrustState(tmp_path / "tablet")
    revoked = tablet.load()
    revoked.learn(desk.registrar.membership.book.current.text, time.time())
    tablet.save(revoked)
    with pytest.raises(NotAdmin, match="revoked") as caught:
        founding.recovered(tablet.folder, recovery, None, None, lambda: "a passphrase")
    assert "another device" in caught.value.hint
    founding.found(tmp_path / "other", "Hill View", "desk", tmp_path / "other.json", lambda: "a passphrase")
    with pytest.raises(WrongPassphrase, match="another property"):
        founding.recovered(tablet.folder, tmp_path / "other.json", None, None, lambda: "a passphrase")


async def test_a_device_that_starts_has_what_a_command_has_changed_meanwhile(desk, tmp_path):
    await desk.invite()
    await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    early = desk.state.load()
    await desk.commands.run({"command": "revoke", "deviceId": "tablet-1"})
    reception = Reception(desk.state, early)
    reception.hold()
    assert [member.name for member in early.book.current.members] == ["desk"]
    with pytest.raises(StateBusy, match="another process"):
        Reception(desk.state, early).hold()
    await reception.aclose()
    await reception.aclose()
    next_one = Reception(desk.state, early)
    next_one.hold()
    await next_one.aclose()


async def test_the_folder_is_let_go_of_even_if_closing_is_cancelled(desk):
    reception, go_on = Reception(desk.state, desk.registrar.membership), asyncio.Event()

    async def stubborn():
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()

    reception.hold()
    reception._tasks.start(stubborn(), "stubborn")
    closing = asyncio.create_task(reception.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    try:
        await asyncio.wait([closing])
        desk.state.lock().release()
    finally:
        go_on.set()


async def test_nothing_is_written_any_more_once_a_decision_that_was_cancelled_has_ended(desk, monkeypatch):
    loop, writing, go_on, written = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), []

    def slow(*_):
        loop.call_soon_threadsafe(writing.set)
        assert go_on.wait(10)
        written.append(True)

    monkeypatch.setattr(TrustState, "save", slow)
    keys = DeviceKeys.generate(os.urandom)
    admitting = asyncio.create_task(desk.registrar.admit(Subject(keys.identity.public, keys.sealing.public, "tablet-1")))
    await writing.wait()
    admitting.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    was_over = admitting.done()
    go_on.set()
    await asyncio.wait([admitting])
    assert (was_over, written, admitting.cancelled()) == (False, [True], True)


async def test_a_window_closes_by_itself_when_its_time_is_over(desk, tmp_path, monkeypatch):
    monkeypatch.setattr("hallway.trust.pairing.LIFE", 0.02)
    monkeypatch.setattr(invitations, "LOOK", 0.01)
    await desk.invite()
    async with asyncio.timeout(10):
        while not (news := await desk.news())["events"]:
            pass
    assert news == {"events": [{"event": "closed", "reason": "expired"}], "open": False}
    with pytest.raises(PairingRefused) as caught:
        await join(Carrier(desk.window), tmp_path / "tablet", desk.ticket)
    assert (caught.value.reason, desk.names) == ("closed", ["desk"])
