"""Whole meshes in virtual time: whatever has happened, in the end every two devices have exactly one channel."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest

from hallway.protocol.effects import Dial
from hallway.testing.link_rig import Rig, Setting, Weather, live

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
RACES = 1000
IDS = (("alpha", "Beta"), ("Alpha", "beta"), ("ALPHA", "BETA"), ("a", "a0"), ("T9", "t10"), ("0", "z"))
"""Ids in every spelling; each pair is taken in both orders."""


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    """A mesh holds on to all that it allocates until it is over: looking for garbage meanwhile takes a third of the time."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("cloud", [False, True], ids=["LAN", "cloud and LAN"])
@pytest.mark.parametrize(("devices", "lives"), [(2, 50), (3, 30), (4, 20), (8, 4), (16, 1)])
def test_once_the_faults_stop_every_pair_soon_has_exactly_one_channel(devices, lives, cloud):
    for seed in range(lives * (100 if FUZZ else 1)):
        outcome = live(1000 * devices + seed, Setting(devices, cloud=cloud))
        assert outcome.complaint is None, outcome.complaint
        if seed % 10 == 0:
            gc.collect()


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("cloud", [False, True], ids=["LAN", "cloud and LAN"])
def test_fifty_devices_end_up_with_one_channel_for_every_pair(cloud):
    for seed in range(20 if FUZZ else 1):
        outcome = live(seed, Setting(50, cloud=cloud, faulty=8.0))
        assert outcome.complaint is None, outcome.complaint
        assert len(outcome.rig.agreed_since) == 50 * 49 // 2
        gc.collect()


def is_bad(seed: int) -> bool:
    """Whether offers and answers get lost and doubled in that race."""
    return seed % 4 != 0


def race(seed: int, ids: tuple[str, str]) -> Rig:
    """Both see each other at the same moment, or so nearly that their offers cross."""
    weather = Weather(delay=(0.002, 0.02, 0.2, 0.6)[seed % 3 + is_bad(seed)], loss=0.2, twice=0.3, silent=0.3)
    if not is_bad(seed):
        weather = Weather(delay=weather.delay)
    rig = Rig(seed, weather=weather, ids=ids)
    one, other = rig.devices.values()
    for device, peer in ((one, other), (other, one)):
        device.alive = True
        late = rig.random.choice((0.0, rig.random.uniform(0.0, 2 * weather.delay)))
        rig.schedule.tell(device, late, partial(device.look, peer.name))
    return rig


def test_a_thousand_glare_races_make_a_thousand_times_one_channel():
    crossed = linked = 0
    orders = [order for pair in IDS for order in (pair, pair[::-1])]
    for seed, ids in zip(range(RACES), (order for _ in range(RACES) for order in orders), strict=False):
        rig = race(seed, ids)
        rig.run(2.0)
        dials = [effect for trace in rig.trace.values() for *_, effects in trace for effect in effects if isinstance(effect, Dial)]
        crossed += len(dials) >= 2
        if not is_bad(seed):
            assert rig.agreed, rig.story(*rig.ends())
            assert len(dials) <= 2, rig.story(*rig.ends())
        rig.run(20.0)
        pipes = {end.open_pipe for end in rig.ends()}
        assert len(pipes) == 1, rig.story(*rig.ends())
        assert rig.agreed, rig.story(*rig.ends())
        assert all(len(end.runs) == 1 for end in rig.ends()), rig.story(*rig.ends())
        assert not rig.down_at or max(rig.down_at.values()) < 14.0, rig.story(*rig.ends())
        linked += 1
    assert linked == RACES
    assert crossed > RACES / 2


def test_an_upgrade_that_fails_takes_no_link_down():
    """A partition of the LAN under links over the cloud: every look for the LAN fails, and nobody notices."""
    for seed in range(30):
        rig = Rig(seed, Setting(3, cloud=True), Weather())
        for device in list(rig.devices.values()):
            rig.start(device.name)
        for one, other in product(rig.devices.values(), repeat=2):
            rig.network.wall(one, other, 60.0)
        rig.run(10.0)
        assert rig.agreed, rig.story(*rig.ends())
        assert not rig.near
        for device in rig.devices.values():
            for other in rig.others(device):
                end = device.end(other.name)
                record = end.link.record
                assert record is not None
                end.do("the LAN seems to be there", partial(end.link.seen, record, device.now, near=True))
        rig.run(60.0)
        assert rig.down_at == {}, rig.story(*rig.ends())
        for device in rig.devices.values():
            rig.announce(device, 1.0)
        rig.run(75.0)
        assert rig.down_at == {}, rig.story(*rig.ends())
        assert rig.near, rig.story(*rig.ends())
        assert rig.agreed, rig.story(*rig.ends())
