"""Targets: what comes over the network from anybody: descriptions, the seed's JSON, mDNS, the cloud server, refusals over HTTP."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from random import Random

from sealed_site import LAN, NOW, ORIGIN, sdp
from tests.fuzz.target import TAKEN, Room, Run, Target, text_of
from tests.fuzz.trust_targets import guard, trusted
from zeroconf import DNSIncoming

from hallway.errors import BadDescription
from hallway.model import Candidate, Description, DeviceInfo, Envelope, IcePolicy, Refusal, RefusalCode
from hallway.trust import OpenGuard, sdp_policy
from hallway.trust.cover import GroupCover
from hallway.webrtc.candidates import CandidateFilter, Reach
from hallway.webrtc.sdp import read_description
from hallway_cloud_ws_signaling import _messages as cloud
from hallway_cloud_ws_signaling import _wire as wire
from hallway_http_local_signaling._status import body_of, refusal_from
from hallway_mdns_discovery._answers import Answers
from hallway_mdns_discovery._dns import (
    CLASS_IN,
    TYPE_A,
    TYPE_PTR,
    TYPE_SRV,
    TYPE_TXT,
    DNSAddress,
    DNSCache,
    DNSOutgoing,
    DNSPointer,
    DNSService,
    DNSText,
)
from hallway_mdns_discovery._faces import CoveredFace, Face, PlainFace

RESPONSE = 0x8400
ADDRESS = ipaddress.ip_address("10.0.0.7")
DEVICE = DeviceInfo("b", "hotel", epoch="start-b")
WAN = Reach(IcePolicy.WAN, LAN.lan)
CANDIDATES = (
    "1 1 udp 2122260223 10.0.0.7 5000 typ host",
    "2 1 udp 2122260222 c0ffee00-1234.local 5001 typ host generation 0",
    "3 1 udp 1686052607 203.0.113.9 5002 typ srflx raddr 10.0.0.7 rport 5000",
    "4 1 udp 2122260221 fd00::7 5003 typ host",
    "5 1 tcp 1518280447 10.0.0.7 9 typ host tcptype active",
)


# Descriptions.


def descriptions() -> tuple[bytes, ...]:
    return sdp("offer").encode(), sdp("answer", 2, CANDIDATES).encode(), sdp("offer").replace("\r\n", "\n").encode()


def read_sdp(_: Room) -> Run:
    def run(data: bytes) -> str:
        text, taken = text_of(data), []
        for kind in ("offer", "answer"):
            taken += [trusted(_apply, text, kind, reach) for reach in (LAN, WAN)]
            try:
                read_description(text, kind)
            except BadDescription as error:
                taken.append(str(error)[:40])
        return TAKEN if TAKEN in taken else str(taken[0])

    return run


def _apply(text: str, kind: str, reach: Reach) -> None:
    """What the policy lets through is plain, and the policy has nothing against it."""
    allowed = sdp_policy.apply(text, kind, reach)
    assert allowed.sdp.isascii()
    assert sdp_policy.apply(allowed.sdp, kind, reach) == allowed


def candidates() -> tuple[bytes, ...]:
    return tuple(candidate.encode() for candidate in CANDIDATES[:4])


def read_candidates(_: Room) -> Run:
    def run(data: bytes) -> str:
        allowed = CandidateFilter(WAN)
        found = [allowed.take_late(line) for line in text_of(data).split("\n")]
        return TAKEN if any(found) else "none"

    return run


def seed_messages() -> tuple[bytes, ...]:
    other = OpenGuard(DeviceInfo("a", "hotel", epoch="start-a"))
    offered = other.seal("b", Description("webrtc", "offer", sdp(), (Candidate(CANDIDATES[0], "0", 0),)), NOW)
    answered, trickled = (
        other.seal("b", Description("webrtc", "answer", sdp("answer")), NOW),
        other.seal("b", Candidate("x", None, None), NOW),
    )
    seed = {"from": "a", "to": "b", "sdp": {"type": "offer", "sdp": sdp()}, "iceCandidates": []}
    return offered.body, answered.body, trickled.body, json.dumps(seed).encode()


def open_seed_message(_: Room) -> Run:
    one = OpenGuard(DEVICE)

    def run(data: bytes) -> str:
        found = [one.open(Envelope(kind, "", data), ORIGIN, NOW) for kind in ("offer", "answer", "candidate")]
        for refusal in found:
            if isinstance(refusal, Refusal):
                assert refusal_from(400, "", body_of(refusal)).code is refusal.code
        return TAKEN if any(not isinstance(one, Refusal) for one in found) else "refused"

    return run


def refusals() -> tuple[bytes, ...]:
    return body_of(Refusal(RefusalCode.CHALLENGE, "refused", b"\xff\x00")), body_of(Refusal(RefusalCode.BUSY, "later"))


def read_refusal(_: Room) -> Run:
    def run(data: bytes) -> str:
        refusal = refusal_from(599, "", data)
        assert refusal.message.isprintable()
        return TAKEN if refusal.code is not RefusalCode.INTERNAL else "nearest"

    return run


# mDNS.


def plain() -> Face:
    return PlainFace(DeviceInfo("a", "hotel", "tablet", "start-a"))


def covered(name: str) -> CoveredFace:
    """With a label that is the same each time: the beacon is made for it."""
    one = guard(name)
    face = CoveredFace(DeviceInfo(name, "hotel"), GroupCover(one, Random(name).randbytes))
    face._label = "0123456789abcdef"
    face.instance = f"{face._label}.{face.service_type}"
    return face


def txt_bytes(face: Face) -> bytes:
    strings = [f"{key}={value}".encode() for key, value in face.txt(8090).items()]
    return b"".join(bytes((len(each),)) + each for each in strings)


def read_txt(shown: Callable[[], Face], reader: Callable[[], Face]) -> Callable[[Room], Run]:
    def make(_: Room) -> Run:
        name, face = shown().instance, reader()

        def run(data: bytes) -> str:
            named = face.read(text_of(data), 8090, data, [ADDRESS], LAN.lan)
            found = face.read(name, 8090, data, [ADDRESS], LAN.lan)
            return TAKEN if found or named else "nobody"

        return run

    return make


def response(face: Face) -> bytes:
    out, host = DNSOutgoing(RESPONSE), "a-host.local."
    out.add_answer_at_time(DNSPointer(face.service_type, TYPE_PTR, CLASS_IN, 120, face.instance), 0)
    out.add_answer_at_time(DNSService(face.instance, TYPE_SRV, CLASS_IN, 120, 0, 0, 8090, host), 0)
    out.add_answer_at_time(DNSText(face.instance, TYPE_TXT, CLASS_IN, 120, txt_bytes(face)), 0)
    out.add_answer_at_time(DNSAddress(host, TYPE_A, CLASS_IN, 120, ADDRESS.packed), 0)
    (packet,) = out.packets()
    return packet


def read_response(reader: Callable[[], Face]) -> Callable[[Room], Run]:
    def make(_: Room) -> Run:
        face = reader()

        def run(data: bytes) -> str:
            incoming = DNSIncoming(data)
            answers = Answers(DNSCache(), 0.0, face.service_type)
            answers.add(incoming.answers() if incoming.valid else (), 0.0)
            found = [_read(face, answers, instance) for instance in answers.named()]
            return TAKEN if any(found) else "nobody"

        return run

    return make


def _read(face: Face, answers: Answers, instance: str) -> bool:
    service, text = answers.service(instance), answers.text(instance)
    if service is None or text is None:
        return False
    addresses = answers.addresses(service.server_key)
    return face.read(service.name, service.port or 0, text.text, addresses, LAN.lan) is not None


# The cloud server, and what it relays.


def cloud_messages() -> tuple[bytes, ...]:
    one, envelope = cloud.Member("a", "tablet", "start"), Envelope("offer", "application/json", b'{"a": 1}')
    relayed = json.loads(wire.request("r1", "b", envelope)) | {"from": "a"}
    texts = (
        wire.join("hotel", one),
        wire.request("r1", "b", envelope),
        wire.response("r1", "b", Refusal(RefusalCode.CHALLENGE, "no", b"\xff")),
        wire.cancel("r1", "b"),
        wire.joined((one,), 20.0, 200.0),
        wire.peer_joined(one),
        wire.peer_left("a"),
        wire.failed("r1", "gone"),
        json.dumps(relayed),
    )
    return tuple(text.encode() for text in texts)


def read_cloud_message(_: Room) -> Run:
    readers = (wire.read_join, wire.read_from_server, lambda text: wire.read_relay(text, "a"))

    def run(data: bytes) -> str:
        found, told = [], "nothing"
        for read in readers:
            try:
                found.append(read(data.decode("utf-8", "replace")))
            except cloud.WireError as error:
                found.append(None)
                told = str(error)
        return TAKEN if any(found) else told

    return run


TARGETS = (
    Target("sdp", descriptions, read_sdp, 17_000),
    Target("candidates", candidates, read_candidates, 2000),
    Target("seed-json", seed_messages, open_seed_message, 8192),
    Target("http-refusal", refusals, read_refusal, 4000),
    Target("txt-open", lambda: (txt_bytes(plain()),), read_txt(plain, lambda: PlainFace(DEVICE)), 1300),
    Target("txt-sealed", lambda: (txt_bytes(covered("a")),), read_txt(lambda: covered("a"), lambda: covered("b")), 1300),
    Target("mdns-open", lambda: (response(plain()),), read_response(lambda: PlainFace(DEVICE)), 1500),
    Target("mdns-sealed", lambda: (response(covered("a")),), read_response(lambda: covered("b")), 1500),
    Target("cloud", cloud_messages, read_cloud_message, 8192),
)
