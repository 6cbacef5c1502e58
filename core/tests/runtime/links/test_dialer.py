"""One dial: the chain in its order, a deadline and a reason for each plugin, and one offer for each ICE policy."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import DeadlineExceeded, Unreachable
from hallway.interfaces import Signaling
from hallway.model import DeviceInfo, Envelope, IcePolicy, Mode, PeerRecord, Refusal, RefusalCode
from hallway.plugins import SignalingProvider
from hallway.protocol.chain import CLOUD_PATIENCE, LAN_PATIENCE
from hallway.runtime.links.carriers import Carrier
from hallway.runtime.links.dialer import ChannelMaker, Dialer
from hallway.runtime.links.run import AttemptRun
from hallway.testing.memory.channel import MemoryConnector
from hallway.testing.memory.hub import Hub
from hallway.trust import OpenGuard

PEER = PeerRecord("tablet-2", "p", endpoints=("lan://a", "cloud://b"))
OWN, OTHER = OpenGuard(DeviceInfo("tablet-1", "p", epoch="e1")), OpenGuard(DeviceInfo("tablet-2", "p", epoch="e2"))


class Scripted(Signaling):
    """Notes what it is asked, and does what the test says."""

    def __init__(self, script) -> None:
        self.script = script
        self.asked: list[tuple[str, Envelope, float]] = []

    async def start(self, host):
        raise NotImplementedError

    async def request(self, endpoint, envelope, deadline):
        self.asked.append((endpoint, envelope, deadline - asyncio.get_running_loop().time()))
        return await self.script(envelope)

    async def aclose(self):
        raise NotImplementedError


class Scene:
    """A dialer with a LAN and a cloud plugin, and the connectors of both ends."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.far = MemoryConnector(self.hub)
        self.near = NotingConnector(self.hub)
        self.lan, self.cloud = Scripted(self.answer), Scripted(self.answer)
        carriers = [
            carrier("lan", self.lan, Mode.LOCAL, IcePolicy.LAN),
            carrier("cloud", self.cloud, Mode.CLOUD, IcePolicy.WAN),
        ]
        self.dialer = Dialer(carriers, [ChannelMaker("memory", "memory", self.near)], OWN)

    async def answer(self, envelope: Envelope, guard: OpenGuard = OTHER) -> Envelope:
        signal = OTHER.open(envelope, None, 0.0)
        description, _ = await self.far.answer(signal.description, IcePolicy.LAN)
        return guard.seal("tablet-1", description, 0.0)

    async def reach(self, record: PeerRecord = PEER) -> AttemptRun:
        run = AttemptRun(1, "tablet-2")
        try:
            await self.dialer.reach(run, record)
        finally:
            await run.aclose(graceful=False)
        return run


class NotingConnector(MemoryConnector):
    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self.policies: list[IcePolicy] = []

    async def dial(self, policy):
        self.policies.append(policy)
        return await super().dial(policy)


def carrier(name: str, signaling: Signaling, mode: Mode, policy: IcePolicy) -> Carrier:
    provider = SignalingProvider(
        name=name, config_class=object, factory=lambda *_: signaling, mode=mode, ice_policy=policy, schemes=frozenset({name})
    )
    return Carrier(provider, signaling, handler=None, reporter=None, on_change=None)


def raising(error: Exception):
    async def script(_):
        raise error

    return script


@pytest.fixture
def scene():
    return Scene()


async def test_the_first_plugin_that_gets_through_is_enough(scene):
    run = await scene.reach()
    assert (run.signaling, run.channel_plugin, run.speaks_hallway) == ("lan", "memory", True)
    assert run.channel is not None
    assert scene.cloud.asked == []


async def test_each_plugin_has_its_own_patience_and_offer_for_its_ice_policy(scene):
    scene.lan.script = raising(DeadlineExceeded("no answer in time"))
    run = await scene.reach()
    assert run.signaling == "cloud"
    assert scene.near.policies == [IcePolicy.LAN, IcePolicy.WAN]
    ((_, lan_offer, lan_seconds),), ((_, cloud_offer, cloud_seconds),) = scene.lan.asked, scene.cloud.asked
    assert lan_seconds <= LAN_PATIENCE < cloud_seconds <= CLOUD_PATIENCE
    assert lan_offer != cloud_offer


async def test_endpoints_of_one_plugin_get_one_and_the_same_offer(scene):
    scene.lan.script = raising(Unreachable("no route"))
    with pytest.raises(Unreachable):
        await scene.reach(PeerRecord("tablet-2", "p", endpoints=("lan://a", "lan://b")))
    assert scene.near.policies == [IcePolicy.LAN]
    assert scene.lan.asked[0][1] == scene.lan.asked[1][1]


async def test_every_reason_is_named_when_none_gets_through(scene):
    async def refuse(_):
        return Refusal(RefusalCode.BUSY, "too many links")

    scene.lan.script, scene.cloud.script = refuse, raising(DeadlineExceeded("no answer in time"))
    with pytest.raises(Unreachable) as caught:
        await scene.reach()
    assert "lan: tablet-2 refused: too many links (busy); cloud: no answer in time" in str(caught.value)
    assert caught.value.hint


async def test_how_the_peer_has_refused_stays_with_the_attempt(scene):
    async def refuse(_):
        return Refusal(RefusalCode.FORBIDDEN, "refused")

    scene.lan.script, scene.cloud.script, run = refuse, raising(DeadlineExceeded("no answer in time")), AttemptRun(1, "tablet-2")
    assert run.refused is None
    with pytest.raises(Unreachable):
        await scene.dialer.reach(run, PEER)
    await run.aclose(graceful=False)
    assert run.refused is RefusalCode.FORBIDDEN


async def test_an_answer_of_somebody_else_or_that_cannot_be_read_counts_as_a_failure(scene):
    async def of_another(envelope):
        return await scene.answer(envelope, OpenGuard(DeviceInfo("tablet-3", "p")))

    async def nonsense(_):
        return Envelope("answer", "text/plain", b"\xff")

    scene.lan.script, scene.cloud.script = of_another, nonsense
    with pytest.raises(Unreachable, match=r"lan: the answer is from tablet-3.*cloud: tablet-2 sent an answer that cannot be read"):
        await scene.reach()


async def test_an_answer_that_the_channel_cannot_use_is_followed_by_a_fresh_offer(scene):
    async def stale(envelope):
        answer = await scene.answer(envelope)
        scene.hub.waiting.clear()
        return answer

    scene.lan.script = stale
    run = await scene.reach()
    assert run.signaling == "cloud"
    assert len(scene.near.policies) == 2


async def test_an_answer_that_was_promised_and_does_not_come_is_a_deadline(scene, monkeypatch):
    monkeypatch.setattr("hallway.protocol.chain.LAN_PATIENCE", 0.02)

    async def accept(_):
        return Envelope.accepted()

    scene.lan.script = accept
    assert (await scene.reach()).signaling == "cloud"
    with pytest.raises(Unreachable, match="took the offer and sent no answer"):
        await scene.reach(PeerRecord("tablet-2", "p", endpoints=("lan://a",)))


async def test_a_peer_without_endpoints_is_not_even_offered_to(scene):
    with pytest.raises(Unreachable, match="no endpoint for it"):
        await scene.reach(PeerRecord("tablet-2", "p"))
    assert scene.near.policies == []
