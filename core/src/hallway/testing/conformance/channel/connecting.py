"""From an answer to an open channel."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from hallway.errors import DeadlineExceeded
from hallway.model import Candidate, IcePolicy
from hallway.testing.conformance.bench import soon
from hallway.testing.conformance.channel.bench import ChannelBase, ChannelBench, Ends
from hallway.testing.conformance.suite import requires

GARBAGE = (
    Candidate("nonsense"),
    Candidate("candidate:"),
    Candidate("candidate:1 1 udp 1 no-address 99999 typ host", sdp_mid="7", sdp_mline_index=-1),
    Candidate("candidate:1 1 udp 2130706431 300.1.1.1 0 typ prflx"),
    Candidate("\0" * 5000),
)


class Connecting(ChannelBase):
    """A channel opens, or says in time that it does not."""

    @pytest.mark.parametrize("policy", IcePolicy)
    async def test_a_channel_opens_under_either_policy(self, bench: ChannelBench, policy: IcePolicy) -> None:
        """The ICE policy is an argument; where the peer is near both of them lead to it."""
        ends = await bench.connect(policy)
        await ends.near.send("there")
        assert await ends.far.receive() == "there"
        await ends.far.send("and back")
        assert await ends.near.receive() == "and back"

    async def test_opened_returns_again_once_it_is_open(self, ends: Ends) -> None:
        """An open channel is open for everybody who asks."""
        await asyncio.gather(ends.near.opened(soon()), ends.near.opened(soon()), ends.far.opened(soon()))

    async def test_a_channel_that_does_not_open_in_time_says_so(self, bench: ChannelBench) -> None:
        """An answer that nobody takes does not open: `DeadlineExceeded`, and the channel is still to be closed."""
        half = await bench.halfway()
        with pytest.raises(DeadlineExceeded):
            await half.answering.opened(soon(0.05))
        await half.answering.aclose()

    async def test_the_channel_has_the_kind_of_its_plugin(self, ends: Ends) -> None:
        """`Channel.kind` is the kind that the provider names, on both ends."""
        assert (ends.near.kind, ends.far.kind) == (self.provider.kind,) * 2

    @requires("has_binding")
    async def test_both_ends_name_the_same_two_fingerprints(self, ends: Ends) -> None:
        """What one end has verified as the peer's is what the other end has, both ways round."""
        near, far = ends.near.binding, ends.far.binding
        assert near is not None
        assert far is not None
        assert (near.local, near.remote) == (far.remote, far.local)
        assert near.local
        assert near.remote
        assert near.local != near.remote

    async def test_a_binding_is_there_exactly_if_it_is_declared(self, ends: Ends) -> None:
        """A channel without verified fingerprints has no binding."""
        assert (ends.near.binding is not None) is self.capabilities.has_binding
        assert (ends.far.binding is not None) is self.capabilities.has_binding

    @requires("tells_path")
    async def test_both_ends_name_the_same_path(self, ends: Ends) -> None:
        """It leads from each end's own IP address, without a port, to the other's. Devices beside each other meet by no distant path."""
        near, far = ends.near.path, ends.far.path
        assert near is not None
        assert far is not None
        assert (near.local, near.remote) == (far.remote, far.local)
        assert ipaddress.ip_address(near.local).version == ipaddress.ip_address(near.remote).version
        assert not near.distant
        assert not far.distant

    async def test_a_path_is_there_exactly_if_it_is_declared_and_the_channel_is_open(self, bench: ChannelBench) -> None:
        """A channel that cannot tell, and one that is not open yet, has no path."""
        half = await bench.halfway()
        assert half.answering.path is None
        ends = await bench.connect()
        assert (ends.near.path is not None) is self.capabilities.tells_path
        assert (ends.far.path is not None) is self.capabilities.tells_path

    async def test_unusable_candidates_are_ignored(self, bench: ChannelBench) -> None:
        """Candidates that mean nothing, before and after the channel has opened, do not disturb it; the empty one ends them."""
        ends = await bench.joined()
        for candidate in (*GARBAGE, Candidate("")):
            await ends.near.add_candidate(candidate)
            await ends.far.add_candidate(candidate)
        await asyncio.gather(ends.near.opened(soon()), ends.far.opened(soon()))
        for candidate in GARBAGE:
            await ends.near.add_candidate(candidate)
        await ends.near.send("undisturbed")
        assert await ends.far.receive() == "undisturbed"

    async def test_a_candidate_for_a_closed_channel_is_ignored(self, ends: Ends) -> None:
        """One that comes late harms nothing."""
        await ends.near.aclose()
        await ends.near.add_candidate(GARBAGE[0])
        await ends.near.add_candidate(Candidate(""))
