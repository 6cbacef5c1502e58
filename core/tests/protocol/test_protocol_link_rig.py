"""Hundreds of seeded lives of two links over a network that loses, doubles, delays and reorders, with crashes, stalls and partitions.

A failure tells the command that lives the seed again.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hallway.protocol.effects import Up
from hallway.testing.link_rig import Ends, PromiseBroken, Rig, Setting, live
from hallway.testing.link_rig.__main__ import main

LIVES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 200
SETTINGS = {
    "both see and reach": Setting(),
    "only the lower id sees": Setting(sight=Ends.LOWER),
    "only the higher id sees": Setting(sight=Ends.HIGHER),
    "only the lower id gets through": Setting(reach=Ends.LOWER),
    "only the higher id gets through": Setting(reach=Ends.HIGHER),
    "there is a cloud, and the LAN comes later": Setting(cloud=True),
}


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_once_the_faults_stop_both_ends_soon_agree_on_one_open_channel(setting):
    for seed in range(LIVES):
        outcome = live(seed, setting)
        assert outcome.complaint is None, outcome.complaint


def test_without_faults_one_dial_is_enough():
    for seed in range(50):
        rig = Rig(seed)
        for device in list(rig.devices.values()):
            rig.start(device.name)
        rig.run(3.0)
        assert rig.agreed, rig.story(*rig.ends())
        ups = [effect for trace in rig.trace.values() for *_, effects in trace for effect in effects if isinstance(effect, Up)]
        assert len(ups) == 2, rig.story(*rig.ends())


def test_the_same_seed_gives_the_same_life():
    one, other = (live(7, Setting(3, cloud=True)) for _ in range(2))
    assert (one.linked_after, one.settled_after, one.rig.trace) == (other.linked_after, other.settled_after, other.rig.trace)
    assert one.rig.trace != live(8, Setting(3, cloud=True)).rig.trace


def test_a_broken_promise_tells_how_to_repeat_it_and_what_happened():
    rig = Rig(42, Setting(3))
    for device in list(rig.devices.values()):
        rig.start(device.name)
    rig.run(3.0)
    end = next(rig.ends())
    end.link.current = None
    with pytest.raises(PromiseBroken, match=r"--seed 42 --devices 3 (.|\n)*offered") as broken:
        end.do("tampered", list)
    assert "every attempt is known to the driver" in str(broken.value)


def test_an_exception_of_a_link_is_a_broken_promise():
    end = Rig(1).devices["t00"].end("T01")
    with pytest.raises(PromiseBroken, match="ZeroDivisionError"):
        end.do("tampered", lambda: [1 / 0])


def test_the_command_that_a_failure_tells_lives_the_same_life():
    setting = Setting(3, Ends.LOWER, Ends.BOTH, cloud=True, faulty=12.0)
    outcome = live(5, setting)
    command = setting.command(5).split()
    assert command[0] == "python"
    told = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=True)
    assert told.stdout == f"all is well\n{outcome.rig.story(*outcome.rig.ends_of(outcome.rig.last_down()))}\n"


def test_the_command_fails_where_all_is_not_well(monkeypatch, capsys):
    monkeypatch.setattr("hallway.testing.link_rig.lives.SOON", -1.0)
    assert main(["--seed", "3"]) == 1
    assert "python -m hallway.testing.link_rig --seed 3" in capsys.readouterr().out


def test_the_command_tells_of_a_broken_promise(monkeypatch, capsys):
    def tampered(*_):
        raise PromiseBroken("as promised")

    monkeypatch.setattr("hallway.testing.link_rig.__main__.live", tampered)
    assert main(["--seed", "5"]) == 1
    assert capsys.readouterr().out == "as promised\n"
