"""Queues messages in the store that it is given, and prints by how many KiB the process grew between a tenth of them and all."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hallway.store import NewMessage, Quota, Store


def resident() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


async def main(path: str, count: int) -> None:
    store = await Store.open(path, quota=Quota(peer_messages=count))
    before = 0
    for first in range(0, count, 2000):
        if first == count // 10:
            before = resident()
        batch = (NewMessage(n.to_bytes(16, "big"), bytes(200), 1) for n in range(first, first + 2000))
        await asyncio.gather(*(store.put(message, ["tablet-2"]) for message in batch))
    print((await store.usage()).outbox[0], resident() - before, flush=True)
    await store.aclose()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
