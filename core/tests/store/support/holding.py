"""Opens the store that it is given, says so, and holds it until it is killed or its input ends."""

from __future__ import annotations

import asyncio
import sys

from hallway.store import Store


async def main() -> None:
    store = await Store.open(sys.argv[1])
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.aclose()


asyncio.run(main())
