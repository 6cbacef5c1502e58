"""A hostile host on the LAN that sends UDP datagrams, from its own address or from any that it claims. JSON lines in and out.

A command has ``do`` (a name, which the answer repeats), ``datagrams`` (hex), ``count`` (of all together), ``to`` and perhaps ``from``, both
lists of [address, port]: every datagram goes to each of ``to``, from each of ``from``. The answer is ``{"event": "sent", "do": …}``.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from datagrams import Address, forged

BURST = 100
PAUSE = 0.005
"""Seconds between two bursts: so many that a device can read them all, and does not merely lose them at its socket."""


def senders(sources: list[Address]) -> list[Callable[[bytes, Address], object]]:
    if not sources:
        return [socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def claiming(source: Address) -> Callable[[bytes, Address], object]:
        return lambda data, target: raw.sendto(forged(source, target, data), (target[0], 0))

    return [claiming(source) for source in sources]


def addresses(listed: list[Any]) -> list[Address]:
    return [(host, port) for host, port in listed]


def attack(command: dict[str, Any]) -> None:
    ways = itertools.product(
        map(bytes.fromhex, command["datagrams"]), addresses(command["to"]), senders(addresses(command.get("from", [])))
    )
    endless: Iterator[Any] = itertools.cycle(ways)
    for number, (data, target, send) in enumerate(itertools.islice(endless, command["count"]), start=1):
        send(data, target)
        if number % BURST == 0:
            time.sleep(PAUSE)


for line in sys.stdin:
    order = json.loads(line)
    attack(order)
    print(json.dumps({"event": "sent", "do": order["do"]}), flush=True)
