"""The end of a carrier."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import ClosedError, HallwayError, NetworkError
from hallway.model import Envelope, Refusal
from hallway.testing.conformance.bench import cancelled, soon
from hallway.testing.conformance.signaling.bench import ANSWER, Held, Party, SignalingBase, SignalingBench

SHORT = 5.0
"""Seconds that bound a close, which has 1 s."""


async def _outcome(party: Party, endpoint: str) -> Envelope | Refusal | HallwayError:
    try:
        return await party.request(endpoint)
    except HallwayError as error:
        return error


class Closing(SignalingBase):
    """Closing is prompt, final, and silent when repeated."""

    async def test_a_closed_carrier_refuses_to_ask(self, bench: SignalingBench, url: str) -> None:
        """`request` after `aclose` raises `ClosedError`."""
        await bench.near.aclose()
        with pytest.raises(ClosedError):
            await bench.near.request(url)

    async def test_closing_twice_is_silent(self, bench: SignalingBench) -> None:
        """One after another, and at once."""
        await asyncio.gather(bench.near.signaling.aclose(), bench.near.signaling.aclose())
        await bench.near.aclose()

    async def test_closing_before_the_start_is_silent(self, idle: SignalingBench) -> None:
        """A carrier that never came up closes as well."""
        await idle.near.aclose()
        await idle.near.aclose()

    async def test_closing_ends_our_own_requests(self, bench: SignalingBench, url: str) -> None:
        """A request under way raises when its own carrier closes, and does not wait for its deadline."""
        bench.far.handler = held = Held()
        asking = bench.spawn(_outcome(bench.near, url))
        await held.begun.wait()
        async with asyncio.timeout(SHORT):
            await bench.near.aclose()
            assert isinstance(await asking, ClosedError | NetworkError)

    async def test_closing_ends_what_is_being_handled(self, bench: SignalingBench, url: str) -> None:
        """A carrier that closes while a handler works ends the handler; the requester gets a refusal or an error of the network."""
        bench.far.handler = held = Held()
        asking = bench.spawn(_outcome(bench.near, url))
        await held.begun.wait()
        async with asyncio.timeout(SHORT):
            await bench.far.aclose()
            assert held.ended.is_set()
            assert isinstance(await asking, Refusal | NetworkError)

    async def test_nothing_is_handled_after_closing(self, bench: SignalingBench, url: str) -> None:
        """Requests that come while a carrier closes are answered, refused or fail; those that come later never reach the host."""
        asking = [bench.spawn(_outcome(bench.near, url)) for _ in range(6)]
        await bench.far.aclose()
        handled = len(bench.far.handled)
        outcomes = await asyncio.gather(*asking)
        assert all(outcome == ANSWER or isinstance(outcome, Refusal | NetworkError) for outcome in outcomes)
        with pytest.raises(NetworkError):
            await bench.near.request(url, deadline=soon(1))
        assert len(bench.far.handled) == handled

    @pytest.mark.parametrize("after", [0, 1, 2, 5])
    async def test_a_cancelled_close_can_be_finished(self, bench: SignalingBench, url: str, after: int) -> None:
        """After a cancelled `aclose` another one releases everything, and the carrier is closed."""
        await cancelled(bench.spawn(bench.near.signaling.aclose()), after)
        await bench.near.aclose()
        with pytest.raises(ClosedError):
            await bench.near.request(url)
