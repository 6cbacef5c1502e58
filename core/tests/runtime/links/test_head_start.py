"""A peer that only a later plugin of another mode can reach yet is not dialed at once."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from hallway.model import DeviceInfo, Envelope, IcePolicy, Mode, Origin, PeerRecord, Refusal
from hallway.plugins import SignalingProvider
from hallway.runtime.links.carriers import Carrier
from hallway.runtime.links.dialer import Dialer
from hallway.testing.memory.hub import Hub, MemoryConfig
from hallway.testing.memory.signaling import MemorySignaling
from hallway.trust import OpenGuard

DEVICE = DeviceInfo("tablet-1", "p")
ON_THE_LAN = PeerRecord("tablet-2", "p", endpoints=("http://10.0.0.2:8090", "cloud-ws:tablet-2"))
IN_THE_CLOUD = attrs.evolve(ON_THE_LAN, endpoints=("cloud-ws:tablet-2",))


async def refuse_all(_: Carrier, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
    raise AssertionError(f"nothing comes in here: {envelope} from {origin}")


def carrier(name: str, mode: Mode, scheme: str) -> Carrier:
    provider = SignalingProvider(
        name=name,
        config_class=MemoryConfig,
        factory=lambda _config, _context: MemorySignaling(DEVICE, Hub()),
        mode=mode,
        ice_policy=IcePolicy.LAN if mode is Mode.LOCAL else IcePolicy.WAN,
        schemes=frozenset({scheme}),
    )
    signaling = MemorySignaling(DEVICE, Hub())
    return Carrier(provider, signaling, handler=refuse_all, reporter=lambda *_: None, on_change=lambda: None)


@pytest.fixture
async def chain() -> list[Carrier]:
    await asyncio.sleep(0)
    return [carrier("http-local", Mode.LOCAL, "http"), carrier("cloud-ws", Mode.CLOUD, "cloud-ws")]


def awaits_better(chain: list[Carrier], record: PeerRecord) -> bool:
    return Dialer(chain, [], OpenGuard(DEVICE)).awaits_better(record)


async def test_while_the_lan_is_up_a_peer_of_the_cloud_alone_waits(chain: list[Carrier]) -> None:
    for each in chain:
        each.up(())
    assert awaits_better(chain, IN_THE_CLOUD)


async def test_a_peer_that_the_first_plugin_reaches_does_not_wait(chain: list[Carrier]) -> None:
    for each in chain:
        each.up(())
    assert not awaits_better(chain, ON_THE_LAN)


async def test_where_the_lan_is_down_nobody_waits_for_it(chain: list[Carrier]) -> None:
    chain[0].down("its ports are taken")
    chain[1].up(())
    assert not awaits_better(chain, IN_THE_CLOUD)


async def test_a_plugin_that_is_still_coming_up_is_waited_for(chain: list[Carrier]) -> None:
    chain[1].up(())
    assert awaits_better(chain, IN_THE_CLOUD)


async def test_in_the_reversed_chain_a_peer_of_the_lan_waits_for_the_cloud(chain: list[Carrier]) -> None:
    for each in chain:
        each.up(())
    on_the_lan_alone = attrs.evolve(ON_THE_LAN, endpoints=ON_THE_LAN.endpoints[:1])
    assert awaits_better(chain[::-1], on_the_lan_alone)


async def test_a_peer_that_nobody_reaches_does_not_wait(chain: list[Carrier]) -> None:
    for each in chain:
        each.up(())
    assert not awaits_better(chain, attrs.evolve(ON_THE_LAN, endpoints=()))
