"""What is made ready ahead of time, and when it is thrown away."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from hallway.errors import BadDescription, ChannelClosed, Unreachable
from hallway.model import DeviceInfo, IcePolicy
from hallway.network import InterfaceAddress, InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_aiortc_channel import AiortcConfig, AiortcConnector, connector, rehearsal, session


async def test_a_prepared_offer_is_used_once(bench):
    dialer = bench.connector()
    await dialer.prepare()
    prepared = dialer._prepared.session
    first = await dialer.dial(IcePolicy.LAN)
    second = await dialer.dial(IcePolicy.LAN)
    assert first._session is prepared
    assert second._session is not prepared
    await asyncio.gather(first.aclose(), second.aclose())


async def test_a_prepared_offer_connects(bench):
    dialer, answerer = bench.connector(), bench.connector()
    await asyncio.gather(dialer.prepare(), answerer.prepare())
    for _ in range(3):
        pair = await bench.connect(dialer, answerer)
        await pair.offering.send("ready")
        assert await pair.answering.receive() == "ready"
        await dialer.prepare()


async def test_concurrent_preparations_make_one_offer(bench):
    dialer = bench.connector()
    await asyncio.gather(*(dialer.prepare() for _ in range(3)))


async def test_a_distant_dial_does_not_take_the_offer_for_the_lan(bench):
    dialer = bench.connector()
    await dialer.prepare()
    dialing = await dialer.dial(IcePolicy.WAN)
    assert dialer._prepared is not None
    await dialing.aclose()


@attrs.frozen
class MovingInterfaces(InterfacePolicy):
    """A machine whose addresses the test takes away."""

    gone: set[str] = attrs.field(factory=set)

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        return tuple(one for one in InterfacePolicy(allow=("lo",)).addresses() if str(one.ip) not in self.gone)


async def test_an_offer_with_old_addresses_is_thrown_away(bench):
    interfaces = MovingInterfaces()
    dialer = AiortcConnector(AiortcConfig(), PluginContext(DeviceInfo("a", "p"), interfaces, Resolver()))
    bench.connectors.append(dialer)
    await dialer.prepare()
    if len(interfaces.addresses()) < 2:
        pytest.skip("this machine's loopback has one address")
    interfaces.gone.add("::1")
    dialing = await dialer.dial(IcePolicy.LAN)
    assert "::1" not in dialing.offer.sdp
    await dialer.prepare()
    assert {str(one.ip) for one in dialer._prepared.session.plan.addresses} == {"127.0.0.1"}
    await dialing.aclose()


async def test_an_old_offer_is_thrown_away(bench, monkeypatch):
    dialer = bench.connector()
    await dialer.prepare()
    prepared = dialer._prepared.session
    monkeypatch.setattr(connector, "MAX_AGE", -1.0)
    dialing = await dialer.dial(IcePolicy.LAN)
    assert dialing._session is not prepared
    await dialing.aclose()


async def test_a_channel_that_never_opens_ends_by_itself(bench, monkeypatch):
    monkeypatch.setattr(session, "CONNECT_CAP", 0.05)
    dialing = await bench.connector().dial(IcePolicy.LAN)
    _, answering = await bench.connector().answer(dialing.offer, IcePolicy.LAN)
    with pytest.raises(ChannelClosed, match="no channel opened"):
        await answering.receive()
    await dialing.aclose()


@pytest.mark.parametrize("error", [BadDescription("unreadable"), OSError("no socket"), TimeoutError(), Unreachable("nowhere")], ids=repr)
async def test_a_rehearsal_that_fails_only_warms_less_and_leaves_nothing(bench, monkeypatch, error):
    async def fail(offerer, answerer):
        await offerer.gather()
        raise error

    monkeypatch.setattr(rehearsal, "_perform", fail)
    dialer = bench.connector()
    await dialer.prepare()
    assert dialer._prepared is not None


async def test_a_rehearsal_whose_second_session_cannot_be_made_releases_the_first(bench, monkeypatch):
    made = []

    class OneOnly(session.Session):
        def __init__(self, plan, *, offerer):
            if made:
                raise OSError("no more")
            super().__init__(plan, offerer=offerer)
            made.append(self)

    monkeypatch.setattr(rehearsal, "Session", OneOnly)
    await bench.connector().prepare()
    assert made[0]._released.done()


@attrs.frozen
class Unreadable(InterfacePolicy):
    """A machine that does not tell its addresses now."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        raise OSError("no netlink")


async def test_addresses_that_cannot_be_read_fail_the_dial_and_not_the_preparation(bench):
    dialer = bench.connector(interfaces=Unreadable())
    await dialer.prepare()
    with pytest.raises(Unreachable, match="no netlink"):
        await dialer.dial(IcePolicy.LAN)
