"""Times to live: they run on through sleep and a closed store, stand still over a reboot, and know no dates."""

from __future__ import annotations

from pathlib import Path

from store_rig import ALL, HandMachine, message, number, queued

from hallway.store import Expired, Store


async def left(store: Store) -> list[int | None]:
    return [item.ttl_left_ms for item in await store.waiting("tablet-2", "", 0, **ALL)]


async def test_time_passes_while_the_store_is_open_and_while_it_is_closed(tmp_path: Path) -> None:
    machine, path = HandMachine(), str(tmp_path / "hallway.db")
    store = await Store.open(path, machine=machine)
    await store.put(message(1, ttl_ms=10_000), ["tablet-2"])
    machine.now += 1_000
    assert await left(store) == [9_000]
    await store.aclose()
    machine.now += 2_000
    store = await Store.open(path, machine=machine)
    assert await left(store) == [7_000]
    assert [item.created for item in await store.waiting("tablet-2", "", 0, **ALL)] == [3.0]
    await store.aclose()


async def test_over_a_reboot_the_time_goes_on_from_where_it_was_at_close(tmp_path: Path) -> None:
    machine, path = HandMachine(), str(tmp_path / "hallway.db")
    store = await Store.open(path, machine=machine)
    await store.put(message(1, ttl_ms=10_000), ["tablet-2"])
    machine.now += 1_000
    await store.aclose()
    machine.reboot()
    store = await Store.open(path, machine=machine)
    assert await left(store) == [9_000]
    machine.now += 500
    assert await left(store) == [8_500]
    await store.aclose()


async def test_a_message_never_has_longer_to_live_than_it_was_given_even_after_a_power_cut(tmp_path: Path) -> None:
    machine, path = HandMachine(), tmp_path / "hallway.db"
    store = await Store.open(str(path), machine=machine)
    machine.now += 86_400_000
    await store.put(message(1, ttl_ms=10_000), ["tablet-2"])
    copy = tmp_path / "after" / "hallway.db"
    copy.parent.mkdir()
    for part in ("", "-wal", ".mark"):
        copy.with_name(copy.name + part).write_bytes(path.with_name(path.name + part).read_bytes())
    await store.aclose()
    machine.reboot()
    store = await Store.open(str(copy), machine=machine)
    assert store.notices == ()
    assert await left(store) == [10_000]
    await store.aclose()


async def test_what_has_expired_becomes_a_dead_letter_and_nothing_else_does() -> None:
    machine = HandMachine()
    store = await Store.open(None, machine=machine)
    for n, ttl_ms in [(1, 3_000), (2, None), (3, 1_000), (4, 5_000), (5, 0)]:
        await store.put(message(n, ttl_ms=ttl_ms), ["tablet-2", "tablet-3"])
    assert await store.next_expiry() == 0
    machine.now += 2_999
    assert await store.next_expiry() == -2_999
    assert sorted(await store.expired()) == [Expired(peer, "", n, number(n)) for peer in ("tablet-2", "tablet-3") for n in (3, 5)]
    assert await store.expired() == []
    assert await store.next_expiry() == 1
    machine.now += 1
    assert sorted(await store.expired()) == [Expired(peer, "", 1, number(1)) for peer in ("tablet-2", "tablet-3")]
    assert await queued(store) == [(2, 2), (4, 4)]
    assert {letter.reason for letter in await store.dead()} == {"expired"}
    await store.aclose()


async def test_many_that_expire_at_once_are_found_in_portions_the_oldest_first() -> None:
    machine = HandMachine()
    store = await Store.open(None, machine=machine)
    for n in range(1, 6):
        await store.put(message(n, ttl_ms=n), ["tablet-2"])
    machine.now += 1_000
    assert [[each.seq for each in await store.expired(most=2)] for _ in range(4)] == [[1, 2], [3, 4], [5], []]
    assert await store.next_expiry() is None
    await store.aclose()


async def test_a_message_that_may_wait_longer_than_any_store_can_count_is_kept() -> None:
    store = await Store.open(None)
    await store.put(message(1, ttl_ms=2**80), ["tablet-2"])
    assert await store.expired() == []
    assert await queued(store) == [(1, 1)]
    await store.aclose()


async def test_the_time_is_saved_now_and_then_though_nothing_is_written(tmp_path: Path) -> None:
    machine, path = HandMachine(), str(tmp_path / "hallway.db")
    store = await Store.open(path, machine=machine)
    before = store.commits
    machine.now += 59_999
    await store.expired()
    assert store.commits == before
    machine.now += 1
    await store.expired()
    await store.expired()
    assert store.commits == before + 1
    await store.aclose()
