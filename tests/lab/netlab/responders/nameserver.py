"""A DNS server over UDP for a few names: RFC 1035 section 4.1.

``nameserver.py ADDRESS NAME=ADDRESS...`` prints one JSON object a line: ``ready``, then one ``query`` for each answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
from typing import Any, cast

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_TTL = 60


class _Server(asyncio.DatagramProtocol):
    def __init__(self, records: dict[str, str]) -> None:
        self._records = records

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the loop's own datagram transports do not inherit from the class they implement.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        if query.question:
            self._transport.sendto(self._answer(query).to_wire(), addr)
            question = query.question[0]
            name = question.name.to_text(omit_final_dot=True)
            print(json.dumps({"event": "query", "name": name, "type": dns.rdatatype.to_text(question.rdtype)}), flush=True)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        """The record if there is one of that type, no data if the name has another type, or else NXDOMAIN."""
        response = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        value = self._records.get(question.name.to_text(omit_final_dot=True).lower())
        if value is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == (dns.rdatatype.A if ipaddress.ip_address(value).version == 4 else dns.rdatatype.AAAA):
            response.answer.append(dns.rrset.from_text(question.name, _TTL, "IN", question.rdtype, value))
        return response


async def _serve(address: str, records: dict[str, str]) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Server(records), local_addr=(address, 53))
    print(json.dumps({"event": "ready"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], dict(record.lower().split("=") for record in sys.argv[2:])))
