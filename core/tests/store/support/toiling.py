"""Puts and receives messages numbered from where it is told, several at a time, and prints what is on disk, until it is killed."""

from __future__ import annotations

import asyncio
import sys

from hallway.store import NewMessage, Received, Store

PEERS = ["tablet-2", "tablet-3"]
TOGETHER = 8


def number(n: int) -> bytes:
    return n.to_bytes(16, "big")


async def put(store: Store, n: int) -> None:
    placed = await store.put(NewMessage(number(n), number(n) * (1 + n % 40), 1), PEERS)
    print("put", n, placed.seqs[PEERS[0]], placed.seqs[PEERS[1]], flush=True)


async def put_one(store: Store, n: int) -> None:
    """To a third receiver, which forgets nothing."""
    seq, _ = await store.put_one(NewMessage(number(n), number(n), 1), "tablet-4")
    print("put_one", n, seq, flush=True)


async def receive(store: Store, n: int) -> None:
    await store.receive("tablet-9", "", 7, n, [Received(n, number(n), 1, number(n) * 5)])
    print("received", n, flush=True)


async def ack(store: Store, upto: int) -> None:
    incarnation = {each.peer: each.incarnation for each in await store.outgoing()}[PEERS[1]]
    if await store.acked(PEERS[1], "", incarnation, upto):
        print("acked", upto, flush=True)


async def main(path: str, n: int, received: int) -> None:
    store = await Store.open(path)
    print("open", len(store.notices), flush=True)
    while True:
        puts = [work(store, n + each) for each in range(TOGETHER) for work in (put, put_one)]
        await asyncio.gather(*puts, *(receive(store, received + each) for each in range(TOGETHER)))
        n, received = n + TOGETHER, received + TOGETHER
        last = {each.peer: each.last for each in await store.outgoing()}[PEERS[1]]
        await ack(store, last - 20)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
