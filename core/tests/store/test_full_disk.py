"""No room: told to whoever asks for it, and over when there is room again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from small_disk import small_disk
from store_rig import incarnation, message, queued, received

from hallway.errors import StorageFull
from hallway.store import Quota, Store

LARGE = 64 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


async def fill(store: Store) -> list[int]:
    """Put large messages until there is no room; returns the numbers that were stored."""
    for n in range(1, 1000):
        (outcome,) = await asyncio.gather(store.put(message(n, size=LARGE), ["tablet-2"]), return_exceptions=True)
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, StorageFull)
            assert "make room" in outcome.hint
            return list(range(1, n))
    pytest.fail("there was always room")


async def test_a_full_disk_is_told_and_works_again_when_there_is_room(disk: Path) -> None:
    ballast, path = disk / "ballast", disk / "hallway.db"
    ballast.write_bytes(bytes(LARGE * 64))
    store = await Store.open(str(path))
    stored = await fill(store)
    ballast.unlink()
    await store.put(message(1000, size=LARGE), ["tablet-2"])
    assert await queued(store) == [(seq, n) for seq, n in enumerate([*stored, 1000], 1)]
    await store.acked("tablet-2", "", await incarnation(store), len(stored))
    await store.aclose()
    store = await Store.open(str(path))
    assert store.notices == ()
    assert await queued(store) == [(len(stored) + 1, 1000)]
    await store.aclose()


async def test_a_disk_without_any_room_refuses_a_new_store(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        # What fits of it is written.
        assert ballast.write(bytes(16 * 1024 * 1024)) < 16 * 1024 * 1024
    with pytest.raises(StorageFull):
        await Store.open(str(disk / "hallway.db"))
    (disk / "ballast").unlink()
    store = await Store.open(str(disk / "hallway.db"))
    await store.aclose()


async def limit(store: Store, more: int) -> None:
    """Let the database grow by so many pages and no further."""

    def set_limit(pages: int) -> None:
        database = store._engine._opened.database  # type: ignore[union-attr]
        (used,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {used + pages}")

    await asyncio.get_running_loop().run_in_executor(store._engine._thread, set_limit, more)


@pytest.mark.parametrize("where", ["disk", "memory"])
async def test_a_database_that_may_not_grow_tells_so_and_works_again(tmp_path: Path, where: str) -> None:
    store = await Store.open(str(tmp_path / "hallway.db") if where == "disk" else None)
    await limit(store, 100)
    stored = await fill(store)
    before = await store.usage()
    await limit(store, 100)
    await store.put(message(1000, size=LARGE), ["tablet-2"])
    assert await queued(store) == [(seq, n) for seq, n in enumerate([*stored, 1000], 1)]
    assert before.outbox == (len(stored), len(stored) * LARGE)
    assert await store._engine.run(lambda db: db.ledger.of("tablet-2")) == (len(stored) + 1, (len(stored) + 1) * LARGE)
    await store.aclose()


async def test_a_large_message_without_room_does_not_fail_the_small_ones(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "hallway.db"))
    await store.put(message(1), ["tablet-2"])
    await limit(store, 10)
    work = [store.put(message(n, size=LARGE if n == 3 else 10), ["tablet-2"]) for n in range(2, 6)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Placed", "StorageFull", "Placed", "Placed"]
    assert await queued(store) == [(1, 1), (2, 2), (3, 4), (4, 5)]
    await store.aclose()


async def test_a_store_on_a_full_disk_opens_and_what_it_holds_can_be_read(disk: Path) -> None:
    path = disk / "hallway.db"
    store = await Store.open(str(path))
    stored = await fill(store)
    await store.aclose()
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        ballast.write(bytes(16 * 1024 * 1024))
    store = await Store.open(str(path))
    assert await queued(store) == [(n, n) for n in stored]
    (disk / "ballast").unlink()
    await store.acked("tablet-2", "", await incarnation(store), len(stored))
    await store.put(message(1000), ["tablet-2"])
    assert await queued(store) == [(len(stored) + 1, 1000)]
    await store.aclose()


@pytest.mark.parametrize(("size", "at_once"), [(200, 200), (LARGE, 1), (1024 * 1024, 4)], ids=["small", "large", "very large"])
async def test_what_the_outbox_itself_has_filled_can_be_forgotten_and_filled_again(disk: Path, size: int, at_once: int) -> None:
    store = await Store.open(str(disk / "hallway.db"), quota=Quota(peer_messages=10**9))
    before = 0
    for _ in range(2):
        while not any(isinstance(each, BaseException) for each in await put_many(store, at_once, size)):
            pass
        (stream,) = await store.outgoing()
        assert (await store.usage()).outbox[1] > 2 * 1024 * 1024
        for upto in range(before, stream.last, 50):
            await store.acked("tablet-2", "", stream.incarnation, upto)
        await store.acked("tablet-2", "", stream.incarnation, before := stream.last)
        assert (await store.usage()).outbox == (0, 0)
    await store.aclose()


async def test_so_can_an_inbox(disk: Path) -> None:
    store = await Store.open(str(disk / "hallway.db"))
    for incarnation_ in range(1, 3):
        full = False
        for first in range(1, 10**6, 20):
            items = [received(number, 4000) for number in range(first, first + 20)]
            (outcome,) = await asyncio.gather(store.receive("tablet-2", "", incarnation_, first + 19, items), return_exceptions=True)
            if full := isinstance(outcome, StorageFull):
                break
        assert full
        while items_ := await store.inbox(0, most=50, most_bytes=10**9):
            await store.taken([item.id for item in items_])
    await store.aclose()


async def put_many(store: Store, count: int, size: int) -> list[object]:
    work = [store.put(message(n, size=size), ["tablet-2"]) for n in range(count)]
    return await asyncio.gather(*work, return_exceptions=True)
