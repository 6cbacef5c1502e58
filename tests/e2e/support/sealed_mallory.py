"""A member that attacks: ``sealed_mallory.py STATE TARGET ADDRESS MODE``. It takes offers at port 8090, and JSON lines tell what it got.

``splice``: what is offered to it goes on to TARGET (at ADDRESS) as its own offer, and TARGET's answer goes back as its own: both ends get a
channel with each other, and each is to believe that it is with this member (RFC 8844).
``relay``: it stands at TARGET's address for the one that dials, opens what it can, and answers with a certificate of its own in between.
``replay``: it passes what it gets on unchanged, and posts it again: at once, and to others.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from hallway.model import DeviceInfo, Envelope, IcePolicy, Origin
from hallway.network import InterfacePolicy
from hallway.trust import Signal, envelope, jws
from hallway.trust.claims import b64, unb64
from hallway.trust.messages import Head, Message
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState
from hallway.webrtc.candidates import Reach

ORIGIN = Origin("http-local")
OCTETS = {"Content-Type": "application/octet-stream"}


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def read(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(unb64(token.split(".")[1]))
    return claims


def fingerprint(sdp: str) -> str:
    found = re.search(r"a=fingerprint:(sha-256 \S+)", sdp)
    assert found is not None
    return found[1]


class Mallory:
    """Her keys are good; what she does with them is not."""

    def __init__(self, state: str, target: str, address: str) -> None:
        membership = TrustState(Path(state)).load()
        policy = InterfacePolicy()
        self.guard = SealedGuard(
            DeviceInfo(membership.chain.leaf.name, "x", epoch="m"),
            membership,
            lambda: Reach.of(IcePolicy.LAN, policy.addresses()),
            os.urandom,
        )
        self.target, self.address = target, address
        self.connections: list[RTCPeerConnection] = []
        self.ways = ["own", "posing", "fingerprint", "description", "transport"]

    async def post(self, body: bytes, address: str) -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as session, session.post(f"http://{address}:8090/offer", data=body, headers=OCTETS) as response:
            return response.status, await response.read()

    async def splice(self, body: bytes) -> web.Response:
        offer = self.guard.open(Envelope("offer", "", body), ORIGIN, time.time())
        assert isinstance(offer, Signal), offer
        assert offer.description is not None
        spliced = self.guard.seal(self.target, offer.description, time.time())
        status, reply = await self.post(spliced.body, self.address)
        answer = self.guard.open(Envelope("answer", "", reply), ORIGIN, time.time())
        assert isinstance(answer, Signal), (status, answer)
        assert answer.description is not None
        say(event="spliced", sender=offer.sender, answerer=answer.sender)
        return self.respond(self.guard.seal(offer.sender, answer.description, time.time(), reference=offer.reference))

    async def relay(self, body: bytes) -> web.Response:
        """Each offer that comes is answered in another dishonest way."""
        way = self.ways.pop(0) if self.ways else "own"
        token, _ = self.opened(body, self.sub_of(self.target))
        claims = read(token)
        own = await self.own_answer(claims["sdp"])
        if way in ("own", "posing"):
            sender = self.guard.membership.keys.id if way == "own" else self.sub_of(self.target)
            sealed = self.forged(claims, jws.digest(token), own, sender)
        else:
            _, reply = await self.post(body, self.address)
            sealed = self.bent(reply, claims["from"], own, way)
        say(event="relayed", way=way)
        return web.Response(body=sealed, headers=OCTETS)

    def opened(self, body: bytes, to: str) -> tuple[str, tuple[str, ...]]:
        """What a member may open: everything that is sealed, whoever it is for."""
        book = self.guard.membership.book
        _, parts = envelope.open_sealed(body, to, lambda kid: book.held(kid, time.time()))
        return parts[0], parts[1:]

    def sub_of(self, name: str) -> str:
        member = self.guard.membership.book.current.member(name)
        assert member is not None
        return member.sub

    async def own_answer(self, sdp: str) -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connections.append(connection)
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        # One fingerprint is all that the policy lets a description name.
        return re.sub(r"a=fingerprint:sha-(384|512) .*\r\n", "", connection.localDescription.sdp)

    def forged(self, offer: dict[str, Any], digest: bytes, sdp: str, sender: str) -> bytes:
        """An answer with her own certificate, signed by her: under her own name, or under that of the target."""
        own, now = self.guard.membership, int(time.time())
        head = Head(own.property_id, offer["ep"], sender, offer["from"], os.urandom(16), now, own.chain.digest, own.book.current.digest)
        message = Message("answer", head, "webrtc", sdp, fingerprint(sdp), (1, "m"), digest)
        token, _ = message.sign(own.keys.identity)
        return envelope.seal(own.book.secret, offer["from"], (token, *own.chain.tokens), os.urandom(12))

    def bent(self, reply: bytes, to: str, own: str, way: str) -> bytes:
        """The target's own answer, with something else in it under its signature."""
        token, chain = self.opened(reply, to)
        header, _, rest = token.partition(".")
        claims = read(token)
        if way == "fingerprint":
            claims |= {"sdp": claims["sdp"].replace(fingerprint(claims["sdp"]), fingerprint(own)), "fp": fingerprint(own)}
        elif way == "description":
            claims |= {"sdp": own, "fp": fingerprint(own)}
        else:
            claims["sdp"] = re.sub(r"(a=(?:ice-ufrag|setup|max-message-size|candidate):)\S", r"\g<1>x", claims["sdp"], count=1)
        payload = b64(json.dumps(claims).encode())
        changed = f"{header}.{payload}.{rest.rpartition('.')[2]}"
        return envelope.seal(self.guard.membership.book.secret, to, (changed, *chain), os.urandom(12))

    async def replay(self, body: bytes) -> web.Response:
        status, reply = await self.post(body, self.address)
        again, _ = await self.post(body, self.address)
        bent = bytes([*body[:-1], body[-1] ^ 1])
        changed, _ = await self.post(bent, self.address)
        say(event="replayed", first=status, again=again, changed=changed)
        return web.Response(status=status, body=reply, headers=OCTETS)

    def respond(self, sealed: Envelope) -> web.Response:
        return web.Response(body=sealed.body, headers=OCTETS)


async def main(state: str, target: str, address: str, mode: str) -> None:
    mallory = Mallory(state, target, address)
    modes: dict[str, Callable[[bytes], Awaitable[web.Response]]] = {
        "splice": mallory.splice,
        "relay": mallory.relay,
        "replay": mallory.replay,
    }

    async def offer(request: web.Request) -> web.Response:
        return await modes[mode](await request.read())

    app = web.Application()
    app.router.add_post("/offer", offer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 8090).start()
    say(event="ready")
    await asyncio.to_thread(sys.stdin.readline)
    for connection in mallory.connections:
        await connection.close()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
