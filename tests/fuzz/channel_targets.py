"""Targets: what a peer sends over an open channel, from the bytes of one frame to a whole conversation, and over the control bus."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sealed_site import NOW, binding
from tests.fuzz.target import TAKEN, Room, Run, Target, packed, unpacked
from tests.fuzz.trust_targets import NEXT, answered

from hallway.errors import BadFrame, BadMessage
from hallway.model import DeviceInfo, Envelope, PeerRecord
from hallway.protocol import batches, chunks, frames, introducing, jsontext, parcels
from hallway.protocol import packed as values
from hallway.protocol.batches import COMPRESSOR
from hallway.protocol.chunks import Assembly, Chunk
from hallway.protocol.effects import Admit
from hallway.protocol.frames import Frame, Hello, Request, Response
from hallway.protocol.link import Link
from hallway.protocol.parcels import Ack, Credit, Gap, Nak, Parcel, Parcels
from hallway.protocol.receiving import Receiving
from hallway.protocol.sending import Sending
from hallway.runtime.delivery.lines import read_line
from hallway.runtime.membership.rosters import _Part
from hallway.trust.claims import b64
from hallway_peer_relay_signaling import _messages as relaying

DEVICE = DeviceInfo("b", "hotel", epoch="start-b")
RECORD = PeerRecord("a", "hotel", endpoints=("http://10.0.0.7:8090",), epoch="start-a")
WINDOW = Credit(256, 4 * 1024 * 1024)
VALUES = ({"type": "order", "data": {"id": 1, "items": ["tea", 2, 1.5, None, True]}}, "text", [[], {}, b"\x00\xff"], 2**70)


def hello() -> Hello:
    a, _, _ = answered()
    delivery = {"positions": [["", 7, 3]], "credit": list(WINDOW)}
    return Hello("a", "b", "start-a", (1,), {"guard": a.hello("b", binding(2, 1), NOW), "delivery": delivery}, chunks=True, lone=True)


def sent_frames() -> tuple[bytes, ...]:
    messages = batches.encode(5, 1, [values.pack(value) for value in VALUES])
    durable = Parcels("orders", 7, (Parcel(1, bytes(16), None, values.pack(VALUES[0])), Parcel(2, bytes(16), 5000, values.pack("x"))))
    acks = (Ack("", 7, 3, WINDOW, ((5, 6),)), Gap("orders", 7, 3, 9), Nak("", 7, 2, "no"))
    link = (hello(), frames.Ping(1), frames.Pong(2**64 - 1), frames.Bye(), frames.Pause(), frames.Resume())
    asked = (Request(1, "trust.news", {"digest": "x"}), Response(1, [1]), Response(2, error=("code", "text", "hint")))
    squeezed = bytes((batches.SQUEEZED,)) + COMPRESSOR.compress(batches.encode(5, 1, [values.pack("a" * 300)] * 3))
    return (
        *(frames.encode(frame) for frame in (*link, *asked)),
        messages,
        squeezed,
        *(parcels.encode(frame) for frame in (durable, *acks)),
        batches.Maker(7).alone(values.pack("alone"))[1],
        chunks.encode(Chunk(0, 20, messages[:20])),
    )


def heavy_frames() -> tuple[bytes, ...]:
    """What is small on the wire and large in memory."""
    many = b"\x10\x93\x01\x01\xdd" + (200_000).to_bytes(4, "big") + b"\xc4\x00" * 1000
    zeros = bytes((batches.SQUEEZED,)) + COMPRESSOR.compress(b"\x10" + bytes(50_000_000))
    lists = b"\x10\x93\x01\x01\x91\xc5\xff\xff\xdc\xff\xfc" + b"\x90" * 65_532
    return many, zeros, lists, b"\x11\x94\xa0\x07\x01\xdd\xff\xff\xff\xff", b"\x01" + b"[" * 100_000


def decode_frame(_: Room) -> Run:
    def run(data: bytes) -> str:
        try:
            frame = frames.decode(data)
        except BadFrame as error:
            return str(error)[:40]
        if isinstance(frame, frames.LinkFrame):
            assert frames.decode(frames.encode(frame)) == frame
        elif not isinstance(frame, Chunk | frames.Messages):
            assert parcels.decode(parcels.encode(frame)) == frame
        return TAKEN

    return run


def conversations() -> tuple[bytes, ...]:
    first, *rest = (one for one in sent_frames() if one[0] not in (frames.FrameType.BYE, frames.FrameType.CHUNK))
    large = batches.encode(5, 9, [values.pack("b" * 40_000)])
    cut = chunks.Cut(large, chunks.CHUNK_BYTES)
    pieces = [cut.next() for _ in range(3)]
    return packed(first, *rest), packed(first, *pieces), packed(first, frames.encode(frames.Bye()))


class Talk:
    """This device's end of a channel that has just opened, down to where messages are stored."""

    def __init__(self) -> None:
        _, self._guard, answer = answered()
        self._guard.read(answer, NOW)
        self._link = Link("b", "a", lambda: 0.5)
        self._link.seen(RECORD, 0.0)
        self._link.answered(1, 0.1)
        self._link.opened(1, 0.2, speaks_hallway=True)
        self._assembly = Assembly()
        self._receiving = {"orders": Receiving("orders", WINDOW)}
        self._sending = Sending("", 7, last=9)
        self.admitted = False

    def take(self, data: bytes) -> None:
        """One message of the channel."""
        frame: Frame = frames.decode(data)
        if isinstance(frame, Chunk) and self.admitted:
            whole = self._assembly.put(frame)
            assert len(self._assembly._frame) <= chunks.MAX_FRAME
            if whole is None:
                return
            frame = frames.decode_large(whole)
        effects = self._link.received(1, frame, 0.3)
        for effect in effects:
            if isinstance(effect, Admit):
                self._admit(effect.hello)
        if self.admitted and not isinstance(frame, frames.LinkFrame | frames.Messages | Chunk):
            self._deliver(frame)

    def _admit(self, said: Hello) -> None:
        refused = self._guard.admit("a", said.sections.get("guard"), binding(1, 2), NOW)
        if refused is not None:
            return
        line = read_line(said.sections.get("delivery"), lambda _: None, 1200)
        incarnation, upto = line.positions.get("", (0, 0))
        self._sending.up(upto if incarnation == 7 else 0, line.credit, line.max_frame)
        self._link.admitted(1, said.epoch, 0.3)
        self.admitted = True

    def _deliver(self, frame: parcels.DeliveryFrame) -> None:
        match frame:
            case Parcels():
                for commit in self._into(frame.stream).parcels(frame):
                    self._into(frame.stream).committed(commit)
            case Gap():
                for commit in self._into(frame.stream).gap(frame):
                    self._into(frame.stream).committed(commit)
            case Ack():
                self._sending.acknowledged(frame)
            case Nak():
                self._sending.has_sent(frame.seq)

    def _into(self, stream: str) -> Receiving:
        return self._receiving.setdefault(stream, Receiving(stream, WINDOW))


def converse(_: Room) -> Run:
    def run(data: bytes) -> str:
        talk = Talk()
        try:
            for message in unpacked(data):
                talk.take(message)
        except BadFrame as error:
            return str(error)[:40]
        return TAKEN if talk.admitted else "not admitted"

    return run


# Over the control bus: a body is any JSON.


def bodies() -> tuple[bytes, ...]:
    one = relaying.Member("c", "tablet", "start-c")
    asked = relaying.RelayRequest("b", 1.5, relaying.Parcel.of(Envelope("offer", "a/b", b"\xff\x00")))
    written = (
        introducing.dumps(DEVICE, ("http://10.0.0.7:8090",), [RECORD]),
        {"digest": b64(NEXT.digest), "parts": 2, "text": NEXT.text[:2000]},
        {"positions": [["orders", 7, 3], ["", 8, 0]], "credit": [256, 4_000_000]},
        relaying.write_news(relaying.News("session", "tablet", "epoch", (one,))),
        relaying.write_relay_request(asked),
        relaying.write_outcome(relaying.Failure("relay", "busy", "later")),
    )
    return tuple(jsontext.dumps(one).encode() for one in written)


def read_body(_: Room) -> Run:
    def run(data: bytes) -> str:
        try:
            body = jsontext.loads(data)
        except jsontext.BadJson as error:
            return str(error)[:40]
        return TAKEN if any(list(_read(body))) else "nobody's"

    return run


def _read(body: object) -> Iterator[bool]:
    yield bool(introducing.merged({"a": introducing.loads(body, "a", DEVICE)}))
    for read in (_Part.read, lambda body: read_line(body, lambda _: None, 1200)):
        try:
            read(body)
        except (BadMessage, BadFrame):
            yield False
        else:
            yield True
    for read in (relaying.read_news, relaying.read_relay_request, relaying.read_delivery, relaying.read_answer, relaying.read_outcome):
        try:
            read(body)
        except relaying.Malformed:
            yield False
        else:
            yield True


def json_texts() -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in (VALUES[0], [1, -0.5e3, "\u00e9\\", None], "\ud83d\ude00"))


def read_json(_: Room) -> Run:
    def run(data: bytes) -> str:
        try:
            value = jsontext.loads(data)
        except jsontext.BadJson as error:
            return str(error)[:40]
        assert jsontext.loads(jsontext.dumps(value)) == value
        return TAKEN

    return run


def bodies_of_messages() -> tuple[bytes, ...]:
    return tuple(values.pack(value) for value in VALUES)


def read_message(_: Room) -> Run:
    def run(data: bytes) -> str:
        try:
            value = values.unpack(data)
        except values.BadValue as error:
            return str(error)[:40]
        values.pack(value)
        return TAKEN

    return run


TARGETS = (
    Target("frame", sent_frames, decode_frame, 20_000, heavy_frames),
    Target("conversation", conversations, converse, 60_000),
    Target("control-body", bodies, read_body, 6000),
    Target("json", json_texts, read_json, 6000),
    Target("message", bodies_of_messages, read_message, 6000),
)
