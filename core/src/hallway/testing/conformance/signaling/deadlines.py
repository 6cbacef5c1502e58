"""Requests that get no answer, or are given up."""

from __future__ import annotations

import pytest

from hallway.errors import DeadlineExceeded, NetworkError, Unreachable
from hallway.testing.conformance.bench import cancelled, soon, until
from hallway.testing.conformance.leftovers import Running, left_over
from hallway.testing.conformance.signaling.bench import ANSWER, Held, SignalingBase, SignalingBench
from hallway.testing.conformance.suite import requires


class Deadlines(SignalingBase):
    """No request waits longer than it was told to, and nothing stays of it."""

    async def test_a_request_without_an_answer_ends_at_its_deadline(self, bench: SignalingBench, url: str) -> None:
        """`DeadlineExceeded`, and the next request is answered."""
        bench.far.handler = held = Held()
        with pytest.raises(DeadlineExceeded):
            await bench.near.request(url, deadline=soon(0.2))
        held.free.set()
        bench.far.handler = bench.near.handler
        assert await bench.near.request(url) == ANSWER

    async def test_a_deadline_that_has_passed_is_exceeded(self, bench: SignalingBench, url: str) -> None:
        """No request is made for which there is no time."""
        bench.far.handler = Held()
        with pytest.raises(DeadlineExceeded):
            await bench.near.request(url, deadline=soon(-1))

    @requires("cancels_handler")
    async def test_the_handler_of_a_request_that_timed_out_is_cancelled(self, bench: SignalingBench, url: str) -> None:
        """The other end stops working for a requester whose deadline has passed."""
        bench.far.handler = held = Held()
        with pytest.raises(DeadlineExceeded):
            await bench.near.request(url, deadline=soon(0.2))
        await held.ended.wait()

    @requires("cancels_handler")
    async def test_the_handler_of_a_cancelled_request_is_cancelled(self, bench: SignalingBench, url: str) -> None:
        """The other end stops working for a requester that has gone."""
        bench.far.handler = held = Held()
        asking = bench.spawn(bench.near.request(url))
        await held.begun.wait()
        await cancelled(asking)
        await held.ended.wait()

    @pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
    async def test_a_cancelled_request_leaves_nothing_behind(self, bench: SignalingBench, url: str, after: int) -> None:
        """At whatever moment it is cancelled; later requests are answered."""
        await bench.near.request(url)
        before = Running()
        await cancelled(bench.spawn(bench.near.request(url)), after)
        assert await left_over(before) == []
        assert await bench.near.request(url) == ANSWER

    async def test_a_device_that_has_gone_is_unreachable_until_it_returns(self, bench: SignalingBench, url: str) -> None:
        """Its endpoint raises `Unreachable` or `DeadlineExceeded`; after a restart the device is reached again."""
        await bench.far.aclose()
        with pytest.raises((Unreachable, DeadlineExceeded)):
            await bench.near.request(url, deadline=soon(1))
        name = bench.far.device.device_id
        await until(lambda: name not in bench.near.peers, "a device that closed was reported gone")
        returned = bench.party(bench.far.device)
        await returned.start()
        assert await bench.near.request(await bench.endpoint(bench.near, returned)) == ANSWER

    async def test_an_endpoint_that_cannot_be_is_an_error_of_the_network(self, bench: SignalingBench, url: str) -> None:
        """Endpoints come from strangers: whatever their text, the request fails as one to a device that is not there."""
        scheme = url.partition(":")[0]
        for endpoint in (f"{scheme}://", f"{scheme}:", f"{scheme}://[", f"{scheme}://\0", f"{scheme}://a b:99999999"):
            with pytest.raises(NetworkError):
                await bench.near.request(endpoint, deadline=soon(1))
        assert await bench.near.request(url) == ANSWER
