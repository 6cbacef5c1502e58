"""A hostile host: ``hostile_stranger.py OWN_ADDRESS PROPERTY_ID VICTIM VICTIM_ADDRESS PEER``.

It offers to VICTIM as PEER, under the epoch that PEER announces, and announces by forged mDNS that PEER is elsewhere.
It prints the JSON line ``ready``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys

import aiohttp
from zeroconf import DNSAddress, DNSOutgoing, DNSPointer, DNSService, DNSText, const
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

SERVICE = "_webrtc-peer._tcp.local."
SDP = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
SDP += "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=sctp-port:5000\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n"
SDP += "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"


def lie(peer: str, text: bytes, address: str) -> bytes:
    """An mDNS answer by which ``peer`` is at ``address``."""
    name, host = f"{peer}.{SERVICE}", f"{peer}.local."
    unique = const._CLASS_IN | const._CLASS_UNIQUE
    out = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)
    out.add_answer_at_time(DNSPointer(SERVICE, const._TYPE_PTR, const._CLASS_IN, 120, name), 0)
    out.add_answer_at_time(DNSService(name, const._TYPE_SRV, unique, 120, 0, 0, 8090, host), 0)
    out.add_answer_at_time(DNSText(name, const._TYPE_TXT, unique, 120, text), 0)
    out.add_answer_at_time(DNSAddress(host, const._TYPE_A, unique, 120, socket.inet_aton(address)), 0)
    return out.packets()[0]


async def announce(own: str, peer: str, text: bytes) -> None:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    sender.bind((own, 5353))
    for number in itertools.count():
        sender.sendto(lie(peer, text, f"10.77.0.{200 + number % 40}"), ("224.0.0.251", 5353))
        await asyncio.sleep(0.05)


async def offer(address: str, property_id: str, victim: str, peer: str, epoch: str) -> None:
    async with aiohttp.ClientSession() as session:
        for number in itertools.count():
            mark = {"version": 1, "epoch": epoch if number % 4 else f"e{number}", "kind": "webrtc"}
            body = {"from": peer, "to": victim, "propertyId": property_id, "sdp": {"type": "offer", "sdp": f"{SDP}a=x:{number // 2}\r\n"}}
            try:
                async with session.post(f"http://{address}:8090/offer", json={**body, "iceCandidates": [], "hallway": mark}) as response:
                    await response.read()
            except aiohttp.ClientError:
                continue
            finally:
                await asyncio.sleep(0.02)


async def main(own: str, property_id: str, victim: str, address: str, peer: str) -> None:
    zeroconf = AsyncZeroconf(interfaces=[own])
    info = AsyncServiceInfo(SERVICE, f"{peer}.{SERVICE}")
    while not await info.async_request(zeroconf.zeroconf, 1000):
        pass
    epoch = (info.properties[b"hallway"] or b"").decode().rpartition(",")[2]
    await zeroconf.async_close()
    print(json.dumps({"event": "ready"}), flush=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(announce(own, peer, info.text or b""))
        for _ in range(4):
            group.create_task(offer(address, property_id, victim, peer, epoch))


asyncio.run(main(*sys.argv[1:]))
