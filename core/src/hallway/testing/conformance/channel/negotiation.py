"""Offers, answers and those who make them."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from hallway.errors import BadDescription
from hallway.model import Description, IcePolicy
from hallway.testing.conformance.bench import soon
from hallway.testing.conformance.channel.bench import ChannelBase, ChannelBench, Ends
from hallway.testing.conformance.leftovers import Running, left_over

GARBAGE = ("", "nonsense!", "\0\0\0", "v=0\r\n", "{}", "☃" * 1000, "x\r\n" * 20_000)


class Negotiation(ChannelBase):
    """A channel is made in two phases, and bad input ends there."""

    async def test_offer_and_answer_say_what_they_are(self, bench: ChannelBench) -> None:
        """Their types are ``offer`` and ``answer``, their kind that of the provider."""
        half = await bench.halfway()
        offer, answer = half.dialing.offer, half.answer
        assert [(offer.type, offer.kind), (answer.type, answer.kind)] == [("offer", self.provider.kind), ("answer", self.provider.kind)]

    async def test_an_offer_that_is_given_up_leaves_nothing(self, bench: ChannelBench) -> None:
        """A dialing that was not accepted is released by `aclose`, and closing twice is silent."""
        before = Running()
        dialing = await bench.dial()
        await dialing.aclose()
        await dialing.aclose()
        assert await left_over(before) == []

    async def test_closing_an_accepted_dialing_changes_nothing(self, bench: ChannelBench) -> None:
        """From `accept` on the channel owns everything."""
        half = await bench.halfway()
        dialed = await half.dialing.accept(half.answer)
        bench.closes(dialed.aclose)
        await half.dialing.aclose()
        await asyncio.gather(dialed.opened(soon()), half.answering.opened(soon()))
        await dialed.send("alive")
        assert await half.answering.receive() == "alive"

    async def test_an_answer_that_cannot_be_used_is_refused(self, bench: ChannelBench) -> None:
        """Garbage, another kind or an offer in its place raise `BadDescription`, and the dialing can still be closed."""
        half = await bench.halfway()
        kind, sdp = self.provider.kind, half.answer.sdp
        bad = [Description(kind, "answer", text) for text in GARBAGE]
        for answer in (*bad, Description("other-kind", "answer", sdp), half.dialing.offer):
            with pytest.raises(BadDescription):
                await half.dialing.accept(answer)
        await half.dialing.aclose()

    async def test_an_offer_that_cannot_be_used_is_refused_and_costs_nothing(self, bench: ChannelBench) -> None:
        """Garbage, another kind or an answer in its place raise `BadDescription` before anything is allocated."""
        half = await bench.halfway()
        before = Running()
        kind, offer = self.provider.kind, half.dialing.offer
        bad = [Description(kind, "offer", text) for text in GARBAGE]
        for description in (*bad, attrs.evolve(offer, kind="other-kind"), attrs.evolve(offer, type="answer"), half.answer):
            with pytest.raises(BadDescription):
                await bench.answerer.answer(description, IcePolicy.LAN)
            assert Running().since(before) == []
        assert await left_over(before) == []

    async def test_a_prepared_connector_dials_and_answers(self, bench: ChannelBench) -> None:
        """`prepare` may be called any number of times, also at once with a dial, and what it made ready is used or released."""
        await asyncio.gather(bench.dialer.prepare(), bench.answerer.prepare())
        await asyncio.gather(bench.dialer.prepare(), bench.dialer.prepare())
        preparing = bench.spawn(bench.dialer.prepare())
        ends = await bench.connect()
        await preparing
        await ends.near.send("ready")
        assert await ends.far.receive() == "ready"

    async def test_channels_outlive_their_connector(self, bench: ChannelBench, ends: Ends) -> None:
        """Closing a connector, twice too, releases what it prepared and leaves its channels alone."""
        for connector in (bench.dialer, bench.answerer):
            await connector.prepare()
            await connector.aclose()
            await connector.aclose()
        await ends.near.send("alive")
        assert await ends.far.receive() == "alive"
