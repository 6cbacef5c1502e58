"""What a capture of `sniffer.py` holds, as an eavesdropper puts it together: datagrams and streams, with what is in base64 decoded.

And what must not be in it, in every form in which it could be.
"""

from __future__ import annotations

import base64
import re
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from hallway.trust.claims import b64
from hallway.trust.membership import Membership
from netlab import Process, matching
from netlab.node import Node

IPV4, TCP, UDP = 0x0800, 6, 17
MDNS = 5353
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}|[A-Za-z0-9_-]{24,}")

Flow = tuple[bytes, bytes, bytes]

SNIFFER = Path(__file__).with_name("sniffer.py")
DESCRIPTION = (b"v=0\r", b"candidate:", b"fingerprint", b"ice-ufrag", b"typ host", b"webrtc-datachannel")


async def sniff(node: Node, path: Path) -> Process:
    """Write down what passes ``node`` from now on."""
    process = await node.spawn([sys.executable, str(SNIFFER), str(path)])
    await process.wait_for(matching(event="ready"))
    return process


def secrets_of(*members: Membership) -> list[bytes]:
    """What nobody may learn of these devices from what passes: names, ids, keys, credentials, rosters, group secrets, descriptions."""
    found, octets = list(DESCRIPTION), []
    for member in members:
        book, leaf = member.book, member.chain.leaf
        texts = (leaf.name, member.property_name, member.keys.id, *(token[:40] for token in member.chain.tokens), book.current.text[:40])
        found += [text.encode() for text in texts if text]
        octets += [member.property_id, member.root, member.property_id[:8], book.secret.raw(), book.current.digest, leaf.serial]
        octets += [key for pair in (member.keys.identity, member.keys.sealing) for key in (pair.public, pair.raw())]
    return found + [form for each in dict.fromkeys(octets) for form in (each, b64(each).encode(), each.hex().encode())]


def leaks(path: Path, words: Iterable[bytes]) -> list[bytes]:
    """Which of ``words`` a capture shows."""
    content, words = readable(path), list(words)
    seen = decoded(content).lower()
    found = [word for word in words if word.lower() in seen]
    print(f"A18 {path.name}: {len(content)} bytes of mDNS, HTTP and WebSocket, {len(words)} words looked for: {found or 'none'} there")
    return found


def frames(path: Path) -> Iterator[bytes]:
    """Every frame of a capture."""
    content, at = path.read_bytes(), 0
    while at + 4 <= len(content):
        (size,) = struct.unpack_from("!I", content, at)
        yield content[at + 4 : at + 4 + size]
        at += 4 + size


def readable(path: Path) -> bytes:
    """All mDNS datagrams and all bytes of TCP streams in a capture."""
    datagrams: list[bytes] = []
    streams: defaultdict[Flow, dict[int, bytes]] = defaultdict(dict)
    for frame in frames(path):
        if len(frame) < 34 or struct.unpack_from("!H", frame, 12)[0] != IPV4:
            continue
        packet = frame[14 : 14 + struct.unpack_from("!H", frame, 16)[0]]
        header = (packet[0] & 15) * 4
        segment = packet[header:]
        if packet[9] == UDP and MDNS in struct.unpack_from("!HH", segment):
            datagrams.append(segment[8:])
        elif packet[9] == TCP:
            sequence, offset = struct.unpack_from("!I", segment, 4)[0], (segment[12] >> 4) * 4
            if segment[offset:]:
                streams[packet[12:16], packet[16:20], segment[:4]][sequence] = segment[offset:]
    whole = [_ordered(parts) for parts in streams.values()]
    return b"\n".join([*datagrams, *whole, *(unmasked for stream in whole for unmasked in _websocket(stream))])


def _ordered(parts: dict[int, bytes]) -> bytes:
    first = min(parts)
    return b"".join(parts[sequence] for sequence in sorted(parts, key=lambda number: number - first))


def _websocket(stream: bytes) -> Iterator[bytes]:
    """The texts that a client of a WebSocket sent (RFC 6455 section 5.2): they are masked, which hides them from nobody."""
    head, _, rest = stream.partition(b"\r\n\r\n")
    if b"upgrade: websocket" not in head.lower():
        return
    while len(rest) >= 6 and rest[1] & 0x80:
        size, at = rest[1] & 0x7F, 2
        if size == 126:
            size, at = struct.unpack_from("!H", rest, 2)[0], 4
        mask, body = rest[at : at + 4], rest[at + 4 : at + 4 + size]
        yield bytes(octet ^ mask[index % 4] for index, octet in enumerate(body))
        rest = rest[at + 4 + size :]


def decoded(content: bytes) -> bytes:
    """``content``, and what is in base64 in it."""
    found = [content]
    for text in _BASE64.findall(content):
        plain = text.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
        found += [base64.urlsafe_b64decode(plain[: len(plain) // 4 * 4])]
    return b"\n".join(found)
