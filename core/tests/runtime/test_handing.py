"""What the application has dealt with, and the store's word for it."""

from __future__ import annotations

import asyncio
import contextlib

from hallway.runtime.handing import Handing
from hallway.store import Received, Store


async def test_what_was_being_noted_when_the_device_closed_is_noted_all_the_same() -> None:
    store = await Store.open(None)
    await store.receive("one", "", 7, 2, [Received(seq, bytes(16), 0, b"\x01") for seq in (1, 2)])
    taken, poison = await store.inbox(0, most=2, most_bytes=100)
    gone: list[tuple[int, int]] = []
    handing = Handing(store, None, None, lambda count, size: gone.append((count, size)))  # type: ignore[arg-type] - nothing is told
    handing._taken, handing._rejected = [taken], [(poison, "poison")]
    noting = asyncio.create_task(handing.settle())
    await asyncio.sleep(0)
    noting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await noting
    await handing.settle()
    assert await store.inbox(0, most=2, most_bytes=100) == []
    assert [(letter.seq, letter.reason) for letter in await store.dead()] == [(2, "poison")]
    assert gone == [(2, 2)]
    await store.aclose()
