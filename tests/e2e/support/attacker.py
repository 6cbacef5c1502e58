"""A hostile host on the LAN: posts every kind of bad request to a device and prints what it got, one JSON line each.

Usage: attacker.py ADDRESS PORT DEVICE_ID PROPERTY_ID
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

ADDRESS, PORT, DEVICE, PROPERTY = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
SDP = """v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP4 0.0.0.0\r\na=mid:0\r\na=sctp-port:5000\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n"""
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"


def offer(**changes: Any) -> dict[str, Any]:
    sdp = {"type": "offer", "sdp": changes.pop("sdp", SDP + FINGERPRINT)}
    return {"from": "mallory", "to": DEVICE, "sdp": sdp, "iceCandidates": [], **changes}


async def exchange(head: str, body: bytes = b"", *, end: bool = False) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection(ADDRESS, PORT)
    writer.write(head.encode() + b"\r\n" + body)
    if end:
        writer.write_eof()
    try:
        raw = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        status = int(raw.split()[1])
        length = int(raw.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        text = await asyncio.wait_for(reader.readexactly(length), 5)
        return status, json.loads(text)
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return 0, None
    finally:
        writer.close()


def head(path: str, length: int | None, *more: str, method: str = "POST") -> str:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {ADDRESS}:{PORT}", "Content-Type: application/json", "Connection: close"]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "".join(f"{line}\r\n" for line in [*lines, *more])


async def post(name: str, body: Any, path: str = "/offer") -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = await exchange(head(path, len(data)), data)
    print(json.dumps({"event": "attack", "name": name, "status": status, "answer": answer}), flush=True)
    # Stay below the rate limit: what is tried here is the input, not the rate.
    await asyncio.sleep(0.25)


async def bad_requests() -> None:
    await post("not json", b"{nope")
    await post("not utf-8", b'"\xff\xfe"')
    await post("an array", [])
    await post("empty", b"")
    await post("deep nesting", b"[" * 30_000)
    await post("deep nesting in a key", offer(extra=json.loads("[" * 200 + "]" * 200)))
    await post("wrong types", offer(**{"from": 7}))
    await post("sdp is a text", {**offer(), "sdp": "v=0"})
    await post("candidates are a number", offer(iceCandidates=3))
    await post("no device id", offer(**{"from": "-not a label-"}))
    await post("to somebody else", offer(to="tablet-9"))
    await post("from itself", offer(**{"from": DEVICE.upper()}))
    await post("wrong property", offer(propertyId="another"))
    await post("sdp without fingerprint", offer(sdp=SDP))
    await post("sdp is garbage", offer(sdp="garbage"))
    await post("sdp with two sections", offer(sdp=SDP + FINGERPRINT + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"))
    await post("sdp of 20 kB", offer(sdp=SDP + FINGERPRINT + "a=x:" + "y" * 20_000 + "\r\n"))
    await post("an unknown kind", offer(hallway={"version": 1, "epoch": "e", "kind": "telepathy"}))
    await post("answer to nothing", {**offer(), "sdp": {"type": "answer", "sdp": SDP + FINGERPRINT}}, "/answer")
    await post("candidate for nothing", {"from": "mallory", "to": DEVICE, "candidate": {"candidate": ""}}, "/ice-candidate")
    await post("unknown path", {}, "/admin")


async def bad_http() -> None:
    async def tell(name: str, head_text: str, body: bytes = b"") -> None:
        status, answer = await exchange(head_text, body)
        print(json.dumps({"event": "attack", "name": name, "status": status, "answer": answer}), flush=True)
        await asyncio.sleep(0.25)

    await tell("10 MB announced", head("/offer", 10_000_000))
    await tell("10 MB sent", head("/offer", 10_000_000), b"x" * 10_000_000)
    await tell("wrong method", head("/offer", 0, method="PUT"))
    await tell(
        "foreign host", "POST /offer HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\nContent-Type: application/json\r\n", b"{}"
    )
    await tell("foreign origin", head("/offer", 2, "Origin: http://evil.example"), b"{}")
    await tell("a form", "".join(head("/offer", 2)).replace("application/json", "text/plain"), b"{}")
    await tell("slow body", head("/offer", 100), b"{")


async def crowd() -> None:
    """500 connections that say nothing, held open while one line says so."""
    connections = await asyncio.gather(*(asyncio.open_connection(ADDRESS, PORT) for _ in range(500)), return_exceptions=True)
    print(json.dumps({"event": "crowd", "open": sum(not isinstance(each, BaseException) for each in connections)}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for each in connections:
        if not isinstance(each, BaseException):
            each[1].close()


async def main() -> None:
    await bad_requests()
    await bad_http()
    await crowd()
    print(json.dumps({"event": "done"}), flush=True)


asyncio.run(main())
