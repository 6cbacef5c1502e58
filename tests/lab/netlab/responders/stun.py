"""A STUN server that knows the binding method and nothing else: RFC 8489 sections 5, 6.3.1 and 14.2.

``stun.py ADDRESS PORT`` prints one JSON object a line: ``ready``, then one ``request`` for each answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import struct
import sys
from typing import Any, cast

_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_XOR_MAPPED_ADDRESS = 0x0020
_MAGIC_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")


def _xor_mapped_address(host: str, port: int, transaction: bytes) -> bytes:
    ip = ipaddress.ip_address(host)
    mask = struct.pack("!I", _MAGIC_COOKIE) + transaction
    packed = bytes(one ^ other for one, other in zip(ip.packed, mask, strict=False))
    value = struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, port ^ (_MAGIC_COOKIE >> 16)) + packed
    return struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value


def answer(request: bytes, host: str, port: int) -> bytes | None:
    """The success response to a binding request from ``host``, or None for anything else."""
    if len(request) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(request)
    if kind != _BINDING_REQUEST or cookie != _MAGIC_COOKIE or length != len(request) - _HEADER.size:
        return None
    attribute = _xor_mapped_address(host, port, transaction)
    return _HEADER.pack(_BINDING_SUCCESS, len(attribute), cookie, transaction) + attribute


class _Server(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the loop's own datagram transports do not inherit from the class they implement.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        host, port = addr[:2]
        if response := answer(data, host, port):
            self._transport.sendto(response, addr)
            print(json.dumps({"event": "request", "from": [host, port]}), flush=True)


async def _serve(address: str, port: int) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(_Server, local_addr=(address, port))
    print(json.dumps({"event": "ready"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
