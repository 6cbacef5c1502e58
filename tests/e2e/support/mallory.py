"""A member that attacks: her keys are good, and so is her group secret; what she does with them is not. Carriers are in the scripts beside.

She stands between two devices on real aiortc, with certificates of her own for both, or makes them believe that each is linked with her.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from hallway.errors import Untrusted
from hallway.model import DeviceInfo, Envelope, IcePolicy, Origin
from hallway.network import InterfacePolicy
from hallway.trust import Signal, envelope, jws
from hallway.trust.claims import b64, unb64
from hallway.trust.jws import Typ
from hallway.trust.keys import DeviceKeys
from hallway.trust.membership import Membership
from hallway.trust.messages import Head, Message
from hallway.trust.sealed_guard import SealedGuard
from hallway.trust.state import TrustState
from hallway.webrtc.candidates import Reach

ORIGIN = Origin("http-local")
OCTETS = "application/octet-stream"
OPEN_ANSWER = {"from": "tablet-1", "to": "desk", "sdp": {"type": "answer", "sdp": "v=0"}, "iceCandidates": [], "hint": "LAN gone: use open"}

Answer = tuple[object, bytes]
"""What a carrier got for an offer: an HTTP status or the code of a refusal, and a body."""
Carry = Callable[[bytes], Awaitable[Answer]]
"""Brings an offer to the target."""
WAYS = ("under her own name", "herself", "the fingerprint", "the whole description", "a candidate", "open")
"""How she answers, and as each of `SIGNERS`; to the target she lies in every way at once."""

BENDS: dict[str, Callable[[str, str], str]] = {
    "the fingerprint": lambda sdp, own: sdp.replace(fingerprint(sdp), fingerprint(own)),
    "one fingerprint more": lambda sdp, own: sdp.replace(fingerprint(sdp), f"{fingerprint(sdp)}\r\na=fingerprint:{fingerprint(own)}"),
    "the whole description": lambda _, own: own,
    "a candidate": lambda sdp, _: re.sub(r"(a=candidate:)(\S)", r"\g<1>x\g<2>", sdp, count=1),
    "the ufrag": lambda sdp, _: re.sub(r"(a=ice-ufrag:)(\S)", r"\g<1>x\g<2>", sdp),
    "the setup": lambda sdp, _: re.sub(r"a=setup:\S+", "a=setup:passive", sdp),
    "the largest message": lambda sdp, _: re.sub(r"(a=max-message-size:)\d", r"\g<1>9", sdp),
}
"""What a relay may change in a description under the signature of who made it (A3, A4)."""
SIGNERS = ("a revoked device", "a foreign property", "her own word")
"""Whose credential she signs with instead (A5)."""


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
    """``site`` has the states of ``mallory`` and of ``thief``, which is revoked; ``foreign`` that of a ``tablet-1`` of another property."""

    def __init__(self, site: Path, foreign: Path, target: str, carry: Carry) -> None:
        self.membership = TrustState(site / "mallory").load()
        policy = InterfacePolicy()
        reach = Reach.of(IcePolicy.LAN, policy.addresses())
        self.guard = SealedGuard(DeviceInfo("mallory", "x", epoch="m"), self.membership, lambda: reach, os.urandom)
        self.target, self.carry = target, carry
        self.connections: list[RTCPeerConnection] = []
        self.go_on = asyncio.Event()
        """Until then she answers nobody, once she has lied to the target."""
        self._has_offered = False
        self._ways = [*WAYS, *SIGNERS]
        self._signers = {"a revoked device": TrustState(site / "thief").load(), "a foreign property": TrustState(foreign / target).load()}

    # What she may do as a member: make everything that is sealed, and read it.

    def sub_of(self, name: str) -> str:
        member = self.membership.book.current.member(name)
        assert member is not None
        return member.sub

    def tag(self, name: str) -> str:
        return self.membership.book.secret.tag(self.sub_of(name)).hex()

    def opened(self, body: bytes, to: str) -> tuple[str, tuple[str, ...]]:
        book = self.membership.book
        _, parts = envelope.open_sealed(body, to, lambda kid: book.held(kid, time.time()))
        return parts[0], parts[1:]

    def sealed(self, to: str, token: str, chain: tuple[str, ...]) -> bytes:
        return envelope.seal(self.membership.book.secret, to, (token, *chain), os.urandom(12))

    async def answer(self, body: bytes) -> bytes | None:
        """Answer an offer in the next dishonest way; None once she has no more of them, and passes on what she gets."""
        if self._is_for_her(body):
            return await self.splice(body) if self.go_on.is_set() else b"not yet"
        if not self._has_offered:
            self._has_offered = True
            for name, got in await self.lies_to_the_target(body):
                say(event="offered", way=name, got=got)
            await self.go_on.wait()
        if not self._ways:
            return None
        way = self._ways.pop(0)
        answer = await self.lie(body, way)
        say(event="relayed", way=way, connected=self.connected())
        return answer

    def _is_for_her(self, body: bytes) -> bool:
        try:
            self.opened(body, self.membership.keys.id)
        except Untrusted:
            return False
        return True

    # Misbinding (A8).

    async def splice(self, body: bytes) -> bytes:
        """What is offered to her goes on to the target as her own, and its answer goes back as her own (RFC 8844)."""
        offer = self.guard.open(Envelope("offer", "", body), ORIGIN, time.time())
        assert isinstance(offer, Signal), offer
        assert offer.description is not None
        spliced = self.guard.seal(self.target, offer.description, time.time())
        got, reply = await self.carry(spliced.body)
        answer = self.guard.open(Envelope("answer", "", reply), ORIGIN, time.time())
        assert isinstance(answer, Signal), (got, answer)
        assert answer.description is not None
        say(event="spliced", sender=offer.sender, answerer=answer.sender)
        return self.guard.seal(offer.sender, answer.description, time.time(), reference=offer.reference).body

    # In the middle (A3, A4, A5).

    async def lie(self, body: bytes, way: str) -> bytes:
        """An answer to the offer ``body`` to the target, with a certificate of her own in it."""
        token, _ = self.opened(body, self.sub_of(self.target))
        offer, digest = read(token), jws.digest(token)
        if way == "open":
            return json.dumps(OPEN_ANSWER).encode()
        own = await self.own_answer(offer["sdp"])
        if way in BENDS:
            _, reply = await self.carry(body)
            signed, chain = self.opened(reply, offer["from"])
            return self.sealed(offer["from"], bent(signed, way, own), chain)
        return self.signed(way, "answer", offer["from"], own, digest)

    async def lies_to_the_target(self, body: bytes) -> list[tuple[str, object]]:
        """Offers with a certificate of her own to the target, in the name of who made ``body``, and what each got."""
        token, chain = self.opened(body, to := self.sub_of(self.target))
        own = await self.own_offer()
        offers = {f"bent: {way}": self.sealed(to, bent(token, way, own), chain) for way in BENDS}
        offers |= {f"signed by {way}": self.signed(way, "offer", to, own, poses_as=read(token)["from"]) for way in ("herself", *SIGNERS)}
        offers["open"] = json.dumps(OPEN_ANSWER).encode()
        return [(name, (await self.carry(offer))[0]) for name, offer in offers.items()]

    def signed(self, by: str, kind: Any, to: str, sdp: str, answers: bytes | None = None, poses_as: str = "") -> bytes:
        """A description of her own, signed ``by`` somebody; where she signs herself, in the name of who she ``poses_as``."""
        keys, chain = self._identity(by)
        own, now = self.membership, int(time.time())
        sender = (poses_as or self.sub_of(self.target)) if by == "herself" else keys.id
        head = Head(own.property_id, own.book.current.epoch, sender, to, os.urandom(16), now, jws.digest(chain[0]), own.book.current.digest)
        token, _ = Message(kind, head, "webrtc", sdp, fingerprint(sdp), (1, "m"), answers).sign(keys.identity)
        return self.sealed(to, token, chain)

    def _identity(self, by: str) -> tuple[DeviceKeys, tuple[str, ...]]:
        """Whose keys, and whose chain: her own word is a credential that she has issued, as if she were an admin."""
        if by in self._signers:
            return self._signers[by].keys, self._signers[by].chain.tokens
        if by in ("herself", "under her own name"):
            return self.membership.keys, self.membership.chain.tokens
        keys = DeviceKeys.generate(os.urandom)
        return keys, (self_made(self.membership, keys, self.target), self.membership.chain.tokens[0])

    async def own_answer(self, sdp: str) -> str:
        connection = self._connection()
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return one_fingerprint(connection.localDescription.sdp)

    async def own_offer(self) -> str:
        connection = self._connection()
        connection.createDataChannel("data")
        await connection.setLocalDescription(await connection.createOffer())
        return one_fingerprint(connection.localDescription.sdp)

    def _connection(self) -> RTCPeerConnection:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connections.append(connection)
        return connection

    def connected(self) -> int:
        """To how many she has got through."""
        return sum(connection.connectionState == "connected" for connection in self.connections)

    async def aclose(self) -> None:
        for connection in self.connections:
            await connection.close()


def bent(token: str, way: str, own: str) -> str:
    """``token`` with something else in it, under the signature that it had."""
    header, _, rest = token.partition(".")
    claims = read(token)
    sdp = BENDS[way](claims["sdp"], own)
    assert sdp != claims["sdp"], way
    claims |= {"sdp": sdp, "fp": fingerprint(own) if "fingerprint" in way or "description" in way else claims["fp"]}
    return f"{header}.{b64(json.dumps(claims).encode())}.{rest.rpartition('.')[2]}"


def self_made(issuer: Membership, keys: DeviceKeys, name: str) -> str:
    """A credential that a member issues, as if it were an admin."""
    claims = read(issuer.chain.tokens[0]) | {"iss": issuer.keys.id, "sub": keys.id, "ik": b64(keys.identity.public), "nm": name}
    return jws.sign(Typ.CREDENTIAL, claims | {"xk": b64(keys.sealing.public)}, issuer.keys.identity)


def one_fingerprint(sdp: str) -> str:
    """One is all that the policy lets a description name."""
    return re.sub(r"a=fingerprint:sha-(384|512) .*\r\n", "", sdp)
