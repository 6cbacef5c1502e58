"""Real devices whose disks are full, whose stores are damaged, put back from a copy, or in use by another process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import FULL, Device, Json, quiet, start, whole
from small_disk import fill, small_disk

from netlab import Lab, Process
from site_devices import up

pytestmark = pytest.mark.second_lab

LARGE, VERY_LARGE = "x" * 60_000, "x" * 500_000
PATIENCE = 20.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB: an inbox of one window, its log, and room to work."""
    with small_disk(tmp_path / "disk", "24m") as folder:
        yield folder


def stored_at(lab: Lab, name: str, store: Path) -> Device:
    return Device(lab.lan().host(f"host-{name}"), name, f"delivery.store={store}")


async def put(sender: Device, to: str, message: object, *, durable: bool = True) -> Json:
    return await sender.call(command="send-to-peer", peerId=to, message=message, durable=durable)


async def send(sender: Device, to: str, *messages: object) -> None:
    for message in messages:
        result = await put(sender, to, message)
        assert result["ok"], result


def heard(device: Device, kind: str) -> list[object]:
    """The second parts of the messages ``[kind, part, …]``, in order of arrival."""
    lines = [seen.line["message"] for seen in device.seen if seen.line["event"] == "message"]
    return [message[1] for message in lines if message[0] == kind]


def delivered_by(device: Device) -> int:
    return sum(seen.line["event"] == "delivered" for seen in device.seen)


async def live_traffic_passes(one: Device, two: Device, token: str) -> None:
    for sender, receiver in ((one, two), (two, one)):
        assert (await put(sender, receiver.name, ["live", token], durable=False))["ok"]
        await receiver.wait(lambda device=receiver: token in heard(device, "live"), PATIENCE, "live traffic")


async def test_a_sender_whose_disk_is_full_is_told_and_goes_on_when_there_is_room(lab: Lab, tmp_path: Path, disk: Path) -> None:
    one, two = stored_at(lab, "one", disk / "store"), stored_at(lab, "two", tmp_path / "two")
    begun = await start(one, two)
    begun = await whole([one, two], begun)
    ballast = fill(disk)
    accepted: list[int] = []
    for number in range(1000):
        result = await put(one, "two", ["durable", number, LARGE])
        if not result["ok"]:
            break
        accepted.append(number)
    assert result["error"]["code"] == "storage-full"
    assert "make room" in result["error"]["hint"]
    await live_traffic_passes(one, two, "while it is full")
    ballast.unlink()
    for number in range(1000, 1020):
        await send(one, "two", ["durable", number, LARGE])
        accepted.append(number)
    await two.wait(lambda: len(heard(two, "durable")) >= len(accepted), PATIENCE, "what was accepted")
    await one.wait(lambda: delivered_by(one) == len(accepted), PATIENCE, "that all was delivered")
    assert heard(two, "durable") == accepted
    quiet([one, two], begun + 0.001)
    for device in (one, two):
        await device.terminate()


async def test_a_disk_that_the_outbox_itself_has_filled_is_emptied_by_the_peers_return(lab: Lab, tmp_path: Path, disk: Path) -> None:
    one, two = stored_at(lab, "one", disk / "store"), stored_at(lab, "two", tmp_path / "two")
    await start(one, two)
    await whole([one, two])
    await two.terminate()
    accepted: list[int] = []
    while (result := await put(one, "two", ["durable", len(accepted), VERY_LARGE]))["ok"]:
        accepted.append(len(accepted))
    assert result["error"]["code"] == "storage-full"
    assert len(accepted) > 10
    await two.start()
    await two.wait(lambda: len(heard(two, "durable")) == len(accepted), PATIENCE, "what was accepted")
    await one.wait(lambda: delivered_by(one) == len(accepted), PATIENCE, "that all was delivered")
    await send(one, "two", *(["durable", number, VERY_LARGE] for number in range(1000, 1005)))
    await two.wait(lambda: 1004 in heard(two, "durable"), PATIENCE, "what was sent then")
    assert heard(two, "durable") == [*accepted, *range(1000, 1005)]
    assert not [seen for seen in one.seen if seen.fits({"event": "error"})]
    for device in (one, two):
        await device.terminate()


async def test_a_receiver_whose_disk_is_full_acknowledges_nothing_and_has_all_when_there_is_room(
    lab: Lab, tmp_path: Path, disk: Path
) -> None:
    one, two = stored_at(lab, "one", tmp_path / "one"), stored_at(lab, "two", disk / "store")
    begun = await start(one, two)
    begun = await whole([one, two], begun)
    ballast = fill(disk)
    count = 150
    await send(one, "two", *(["durable", number, LARGE] for number in range(count)))
    told = await two.until(event="error", code="storage-full")
    assert "make room" in told.line["hint"]
    await live_traffic_passes(one, two, "while it is full")
    acknowledged = delivered_by(one)
    assert acknowledged < count
    assert heard(two, "durable") == list(range(len(heard(two, "durable"))))
    ballast.unlink()
    await one.wait(lambda: delivered_by(one) == count, PATIENCE, "that all was delivered")
    await two.wait(lambda: len(heard(two, "durable")) >= count, PATIENCE, "all messages")
    assert heard(two, "durable") == list(range(count))
    assert sum(seen.fits({"event": "error", "code": "storage-full"}) for seen in two.seen) == 1
    quiet([one, two], begun + 0.001)
    for device in (one, two):
        await device.terminate()


async def restarted(device: Device, store: Path, harm: Callable[[Path], None]) -> Json:
    """End a device, do something to its store, start it again, and return what it says of that."""
    await device.terminate()
    harm(store)
    begun = await device.start()
    told = [seen.line for seen in device.seen if seen.fits({"event": "error", "code": "store"}) and seen.at >= begun]
    if told:
        return told[0]
    return (await device.until(event="error", code="store")).line


def damage(store: Path) -> None:
    with store.open("r+b") as file:
        file.seek(store.stat().st_size // 2)
        file.write(b"\xa5" * 8192)


@pytest.mark.parametrize("who", ["sender", "receiver"] if FULL else ["receiver"])
async def test_a_damaged_store_is_kept_aside_and_traffic_goes_on_both_ways(lab: Lab, tmp_path: Path, who: str) -> None:
    stores = {name: tmp_path / name for name in ("one", "two")}
    one, two = (stored_at(lab, name, store) for name, store in stores.items())
    await start(one, two)
    await whole([one, two])
    await send(one, "two", *(["first", number] for number in range(20)))
    await send(two, "one", *(["first", number] for number in range(20)))
    for device in (one, two):
        await device.wait(lambda device=device: len(heard(device, "first")) == 20, PATIENCE, "the first")
    victim = one if who == "sender" else two
    told = await restarted(victim, stores[victim.name], damage)
    aside = tmp_path / f"{victim.name}.damaged-1"
    assert str(aside) in told["message"]
    assert told["hint"]
    assert aside.stat().st_size > 0
    await whole([one, two])
    await both_ways(one, two)
    for device in (one, two):
        assert heard(device, "first") == list(range(20))
        await device.terminate()


async def both_ways(one: Device, two: Device) -> None:
    """What is sent from now on arrives once and in order."""
    await send(one, "two", *(["last", number] for number in range(20)))
    await send(two, "one", *(["last", number] for number in range(20)))
    for device in (one, two):
        await device.wait(lambda device=device: 19 in heard(device, "last"), PATIENCE, "the last")
        assert heard(device, "last") == list(range(20))


@pytest.mark.parametrize("who", ["sender", "receiver"] if FULL else ["sender"])
async def test_an_older_copy_of_a_store_is_noticed_and_traffic_goes_on_both_ways(lab: Lab, tmp_path: Path, who: str) -> None:
    stores = {name: tmp_path / name for name in ("one", "two")}
    one, two = (stored_at(lab, name, store) for name, store in stores.items())
    victim, store = (one, stores["one"]) if who == "sender" else (two, stores["two"])
    copy = tmp_path / "copy"
    await start(one, two)
    await whole([one, two])
    await send(one, "two", *(["first", number] for number in range(10)))
    await two.wait(lambda: len(heard(two, "first")) == 10, PATIENCE, "the first")
    await victim.terminate()
    shutil.copy(store, copy)
    await victim.start()
    await whole([one, two])
    await send(one, "two", *(["first", number] for number in range(10, 30)))
    await send(two, "one", *(["first", number] for number in range(20)))
    await two.wait(lambda: len(heard(two, "first")) == 30, PATIENCE, "more")
    await one.wait(lambda: len(heard(one, "first")) == 20, PATIENCE, "the other way")
    told = await restarted(victim, store, lambda store: shutil.copy(copy, store))
    assert "older copy" in told["message"]
    await whole([one, two])
    await both_ways(one, two)
    # What had arrived and been acknowledged before is not sent again: the sender has forgotten it.
    assert heard(two, "first") == list(range(30))
    assert heard(one, "first") == list(range(20))
    for device in (one, two):
        await device.terminate()


async def test_a_second_process_on_the_same_store_is_refused_with_the_pid_of_the_first(lab: Lab, tmp_path: Path) -> None:
    first = stored_at(lab, "one", tmp_path / "store")
    await first.start()
    second: Process = await up(lab.host("host-one"), "one", f"delivery.store={tmp_path / 'store'}")
    status = await second.wait()
    said = "\n".join(second.stderr_lines)
    assert status == 1
    assert f"in use by process {first.running.pid}" in said
    assert f"stop process {first.running.pid} first" in said
    assert "Traceback" not in said
    await first.terminate()
