"""What is carried, and what is not."""

from __future__ import annotations

import contextlib

import pytest

from hallway.errors import BadEnvelope, NetworkError, RemoteViolation
from hallway.model import Envelope, Refusal, RefusalCode
from hallway.testing.conformance.signaling.bench import ANSWER, BYTES, JSON, OFFER, SignalingBase, SignalingBench

EVERY_BYTE = bytes(range(256))
MAX_RESPONSE = 64 * 1024
"""Bytes: an answer that is larger cannot be read."""
LARGE = 32 * 1024
"""Bytes that every response may have."""


class Exchange(SignalingBase):
    """A request comes back with what the peer's handler returned."""

    async def test_an_offer_gets_its_answer_both_ways(self, bench: SignalingBench) -> None:
        """Each device can ask the other, and gets what its handler returned."""
        for asker, asked in ((bench.near, bench.far), (bench.far, bench.near)):
            assert await asker.request(await bench.endpoint(asker, asked)) == ANSWER
            assert [envelope for envelope, _ in asked.handled] == [OFFER]

    @pytest.mark.parametrize("kind", ["answer", "candidate"])
    async def test_what_needs_no_answer_is_accepted(self, bench: SignalingBench, url: str, kind: str) -> None:
        """Answers and candidates arrive as such, and ``accepted`` comes back."""

        async def accept(_: Envelope) -> Envelope:
            return Envelope.accepted()

        bench.far.handler = accept
        sent = Envelope(kind, JSON, b'{"a":1}')
        assert await bench.near.request(url, sent) == Envelope.accepted()
        assert [envelope for envelope, _ in bench.far.handled] == [sent]

    @pytest.mark.parametrize("content_type", [JSON, BYTES])
    async def test_bytes_and_their_type_cross_unchanged(self, bench: SignalingBench, url: str, content_type: str) -> None:
        """A carrier moves bytes: it looks at no body, and keeps its type, there and back."""
        there, back = EVERY_BYTE + b"\r\n\r\n{", b"}" + EVERY_BYTE[::-1]

        async def reply(_: Envelope) -> Envelope:
            return Envelope("answer", content_type, back)

        bench.far.handler = reply
        assert await bench.near.request(url, Envelope("offer", content_type, there)) == Envelope("answer", content_type, back)
        assert [envelope for envelope, _ in bench.far.handled] == [Envelope("offer", content_type, there)]

    async def test_large_bodies_pass(self, bench: SignalingBench, url: str) -> None:
        """A request of the largest size passes, and a response of 32 KiB."""
        there = (EVERY_BYTE * (self.capabilities.max_body // 256 + 1))[: self.capabilities.max_body]

        async def reply(_: Envelope) -> Envelope:
            return Envelope("answer", BYTES, EVERY_BYTE * (LARGE // 256))

        bench.far.handler = reply
        response = await bench.near.request(url, Envelope("offer", BYTES, there))
        assert response == Envelope("answer", BYTES, EVERY_BYTE * (LARGE // 256))
        assert bench.far.handled[0][0].body == there

    @pytest.mark.parametrize("code", RefusalCode)
    @pytest.mark.parametrize("body", [b"", EVERY_BYTE], ids=["bare", "with-a-body"])
    async def test_a_refusal_arrives_with_its_code_and_message(
        self, bench: SignalingBench, url: str, code: RefusalCode, body: bytes
    ) -> None:
        """Every refusal is told apart from every other one, with its sentence for people, and what it has for the guard."""
        refusal = Refusal(code, 'nicht "hier", später \N{GRINNING FACE}', body)

        async def refuse(_: Envelope) -> Refusal:
            return refusal

        bench.far.handler = refuse
        assert await bench.near.request(url) == refusal

    async def test_the_origin_names_the_plugin(self, bench: SignalingBench, url: str) -> None:
        """`Origin.plugin` is the provider's name, and the address is there if the plugin says that it knows it."""
        await bench.near.request(url)
        origin = bench.far.handled[0][1]
        assert origin.plugin == self.provider.name
        assert (origin.address is not None) is self.capabilities.knows_addresses

    async def test_a_request_that_is_too_large_costs_its_sender_only(self, bench: SignalingBench, url: str) -> None:
        """One byte above the largest size it is refused or ended before the handler sees it, and the carrier works on."""
        large = Envelope("offer", BYTES, bytes(self.capabilities.max_body + 1))
        try:
            outcome = await bench.near.request(url, large)
        except NetworkError:
            outcome = Refusal(RefusalCode.TOO_LARGE, "the connection was ended")
        assert isinstance(outcome, Refusal)
        assert outcome.code is RefusalCode.TOO_LARGE
        assert bench.far.handled == []
        assert await bench.near.request(url) == ANSWER

    async def test_a_response_that_is_too_large_is_not_handed_out(self, bench: SignalingBench, url: str) -> None:
        """An answer of more than 64 KiB raises `BadEnvelope` or is refused by the carrier at the other end, and the carrier works on."""

        async def reply(_: Envelope) -> Envelope:
            return Envelope("answer", BYTES, bytes(MAX_RESPONSE + 1))

        bench.far.handler = reply
        with contextlib.suppress(BadEnvelope):
            assert isinstance(await bench.near.request(url), Refusal)
        bench.far.handler = bench.near.handler
        assert await bench.near.request(url) == ANSWER

    async def test_a_handler_that_fails_does_not_take_the_carrier_with_it(self, bench: SignalingBench, url: str) -> None:
        """Whatever a handler raises, its requester gets a refusal or an error of the network, and the next request is answered."""

        async def fail(_: Envelope) -> Envelope:
            raise ZeroDivisionError("a bug of the host")

        bench.far.handler = fail
        with contextlib.suppress(NetworkError, RemoteViolation):
            assert isinstance(await bench.near.request(url), Refusal)
        bench.far.handler = bench.near.handler
        assert await bench.near.request(url) == ANSWER
