"""An application that reads nothing, and one that sends much and ends: bounded memory, and every message is somewhere."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from faults import FULL, Device, either, start, whole

from hallway.protocol import packed
from hallway.store import Store
from netlab import Lab, Process, matching

pytestmark = pytest.mark.second_lab

SCRIPT = Path(__file__).parent / "support" / "bulk_device.py"
SIZE = 100_000
COUNT = int(either(60, 500))
"""Messages of each kind, of `SIZE` bytes: of durable ones more than a window, of the others more than may wait."""
LIVE = int(either(300, 500))
ALLOWED_GROWTH = 80.0
"""MB: 16 of messages at the reader before it asks the sender to stop, 8 that are on the way then, 4 of credit, and what Python adds."""
SILENCE = either(2, 15)
"""Seconds in which nothing is read; if `FULL`, longer than a dead link would live."""
MANY = int(either(600, 2000))


def memory(process: Process) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def read(device: Process, kind: str) -> list[int]:
    return [line.json["number"] for line in device.unread if line.json and matching(event="read", kind=kind)(line.json)]


@pytest.mark.timeout(either(60, 240))
async def test_a_reader_that_reads_nothing_costs_bounded_memory_and_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    lan = lab.lan()
    reader = await lan.host("host-1").spawn([sys.executable, str(SCRIPT), "two", str(tmp_path / "two"), "reads"])
    loads = [f"durable:{COUNT}:{SIZE}", f"live:{LIVE}:{SIZE}"]
    sender = await lan.host("host-2").spawn([sys.executable, str(SCRIPT), "one", str(tmp_path / "one"), "sends", "two", *loads])
    await asyncio.gather(*(device.wait_for(matching(event="peer-connected")) for device in (reader, sender)))
    before = [memory(device) for device in (reader, sender)]
    await sender.wait_for(matching(event="sent", kind="durable"), 60)
    peak = [0.0, 0.0]
    for _ in range(int(SILENCE * 10)):
        await asyncio.sleep(0.1)
        peak = [max(high, memory(device)) for high, device in zip(peak, (reader, sender), strict=True)]
    growth = [high - low for high, low in zip(peak, before, strict=True)]
    print(f"{COUNT} durable and {LIVE} live messages of {SIZE} bytes: reader {growth[0]:+.1f} MB, sender {growth[1]:+.1f} MB")
    assert max(growth) < ALLOWED_GROWTH
    assert not any(line.json and line.json["event"] == "sent" for line in sender.unread)
    await reader.send_json("read")
    await sender.wait_for(matching(event="sent", kind="live"), 60)
    async with asyncio.timeout(60):
        while len(read(reader, "durable")) < COUNT or len(read(reader, "live")) < LIVE:
            await asyncio.sleep(0.05)
    assert read(reader, "durable") == list(range(COUNT))
    assert read(reader, "live") == list(range(LIVE))
    for device in (reader, sender):
        assert not any(line.json and line.json["event"] in {"peer-disconnected", "error"} for line in device.unread)
    await sender.send_json("end")
    assert await sender.wait() == 0
    await reader.kill()


async def lying(store: Path) -> tuple[list[object], list[object]]:
    """What lies in the outbox and in the inbox of a device that has ended."""
    opened = await Store.open(str(store))
    assert opened.notices == ()
    out = await opened.waiting("two", "", 0, most=10 * MANY, most_bytes=10**9)
    received = await opened.inbox(0, most=10 * MANY, most_bytes=10**9)
    await opened.aclose()
    return [packed.unpack(row.body) for row in out], [packed.unpack(item.body) for item in received]


def heard(device: Device) -> list[object]:
    return [seen.line["message"] for seen in device.seen if seen.line["event"] == "message"]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("receiver", ["is there", "comes at half", "goes at half"] if FULL else ["goes at half"])
async def test_who_sends_thousands_of_messages_and_ends_has_delivered_or_stored_them_all(lab: Lab, tmp_path: Path, receiver: str) -> None:
    lan, store = lab.lan(), tmp_path / "one"
    one = Device(lan.host("host-1"), "one", f"delivery.store={store}")
    two = Device(lan.host("host-2"), "two", f"delivery.store={tmp_path / 'two'}")
    await start(one, two)
    await whole([one, two])
    await one.terminate()
    if receiver == "comes at half":
        await two.terminate()
    sender = await one.host.spawn([sys.executable, str(SCRIPT), "one", str(store), "exits", "two", str(MANY)])
    await sender.wait_for(matching(event="half"))
    if receiver == "comes at half":
        await two.start()
    if receiver == "goes at half":
        await two.terminate()
    await sender.send_json("go on")
    assert await sender.wait() == 0, sender.transcript()
    (left, _), arrived = await lying(store), heard(two)
    if receiver == "goes at half":
        arrived += (await lying(tmp_path / "two"))[1]
    print(f"{receiver}: {len(arrived)} received and {len(left)} in the outbox when the sender had ended")
    assert arrived == list(range(len(arrived)))
    # What was received and not yet acknowledged is at both ends, and comes once all the same.
    assert left == list(range(MANY - len(left), MANY))
    assert len(arrived) + len(left) >= MANY
    await (start(one, two) if receiver == "goes at half" else one.start())
    await two.wait(lambda: len(heard(two)) >= MANY, 30, "all messages")
    await whole([one, two])
    assert heard(two) == list(range(MANY))
    for device in (one, two):
        await device.terminate()
    assert await lying(store) == await lying(tmp_path / "two") == ([], [])
