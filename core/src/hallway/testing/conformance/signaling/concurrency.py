"""Many requests at once."""

from __future__ import annotations

import asyncio

from hallway.errors import NetworkError
from hallway.model import Envelope, Refusal
from hallway.testing.conformance.bench import soon
from hallway.testing.conformance.signaling.bench import ANSWER, BYTES, OFFER, Held, Party, SignalingBase, SignalingBench

AT_ONCE = 12


def _asking(number: int) -> Envelope:
    return Envelope("offer", BYTES, b"%d" % number)


class Backwards:
    """A handler that answers nobody before everybody has asked, and then the last one first."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Event] = []

    async def __call__(self, envelope: Envelope) -> Envelope:
        """Answer with what was asked."""
        turn = asyncio.Event()
        self._waiting.append(turn)
        if len(self._waiting) == AT_ONCE:
            turn.set()
        await turn.wait()
        self._waiting.remove(turn)
        if self._waiting:
            self._waiting[-1].set()
        return Envelope("answer", BYTES, b"re:" + envelope.body)


class Concurrency(SignalingBase):
    """Requests do not wait for each other, and are not mistaken for each other."""

    async def test_concurrent_requests_get_their_own_answers(self, bench: SignalingBench) -> None:
        """Twelve requests each way at once, answered in reverse, come back each to its own caller."""
        bench.near.handler, bench.far.handler = Backwards(), Backwards()
        there = await bench.endpoint(bench.near, bench.far)
        back = await bench.endpoint(bench.far, bench.near)
        asked = [bench.near.request(there, _asking(number)) for number in range(AT_ONCE)]
        asked += [bench.far.request(back, _asking(100 + number)) for number in range(AT_ONCE)]
        numbers = [*range(AT_ONCE), *range(100, 100 + AT_ONCE)]
        assert await asyncio.gather(*asked) == [Envelope("answer", BYTES, b"re:%d" % number) for number in numbers]

    async def test_a_slow_handler_holds_up_nobody_else(self, bench: SignalingBench, url: str) -> None:
        """While one request waits for its handler, others are answered."""
        held = Held()

        async def handle(envelope: Envelope) -> Envelope | Refusal:
            return await held(envelope) if envelope.body == b"slow" else ANSWER

        bench.far.handler = handle
        slow = bench.spawn(bench.near.request(url, Envelope("offer", BYTES, b"slow")))
        await held.begun.wait()
        for _ in range(3):
            assert await bench.near.request(url) == ANSWER
        held.free.set()
        assert await slow == ANSWER

    async def test_a_handler_may_ask_back(self, bench: SignalingBench, url: str) -> None:
        """A request made while one is handled, even to the one who asks, is answered."""
        back = await bench.endpoint(bench.far, bench.near)

        async def ask_back(_: Envelope) -> Envelope | Refusal:
            return await bench.far.request(back, OFFER)

        bench.far.handler = ask_back
        assert await bench.near.request(url) == ANSWER
        assert len(bench.near.handled) == 1

    async def test_a_device_may_ask_while_it_starts(self, idle: SignalingBench) -> None:
        """A request that runs while `start` runs is answered, or fails as a request may; neither disturbs the other."""
        await idle.far.start()
        late = idle.party()
        known = idle.far.listen[0] if idle.far.listen else f"{min(self.provider.schemes)}://127.0.0.1:1"
        asking = idle.spawn(self._try(late, known))
        await late.start()
        await asking
        assert await late.request(await idle.endpoint(late, idle.far)) == ANSWER

    async def _try(self, party: Party, endpoint: str) -> None:
        try:
            await party.request(endpoint, deadline=soon(2))
        except NetworkError:
            return
