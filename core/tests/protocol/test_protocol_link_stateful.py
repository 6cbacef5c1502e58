"""Two real links and a network that does whatever hypothesis finds worth trying; a failure is shrunk to the few steps that it takes.

What is under way lies in a bag, from which the rules take it in any order, or never. Frames of one channel stay in order.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from hallway.testing.link_rig import Rig, Setting, conclude
from hallway.testing.link_rig.device import Device
from hallway.testing.link_rig.schedule import Call, Schedule

STEPS = 50
ENOUGH = 20
"""Rounds in which everything that is under way arrives until there is a link."""
names = st.sampled_from(["t00", "t01"])
places = st.integers(0, 7)
"""Which of the things that are under way, counted from the one that has been so for longest."""


class Bag(Schedule):
    """Time passes for the devices' own clocks only; what the network carries waits until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[tuple[Device | None, Call]] = []
        self.calm = False

    def later(self, seconds: float, call: Call) -> None:
        self._carry(seconds, None, call)

    def tell(self, device: Device, seconds: float, call: Call) -> None:
        self._carry(seconds, device, call)

    def _carry(self, seconds: float, device: Device | None, call: Call) -> None:
        if self.calm:
            self._put(self.now + seconds, device, call)
        else:
            self.under_way.append((device, call))

    def take(self, place: int) -> tuple[Device | None, Call]:
        return self.under_way.pop(place % len(self.under_way))

    def clear_up(self) -> None:
        """From here on everything arrives in its time, and what is under way now at once."""
        self.calm = True
        for device, call in self.under_way:
            self._put(self.now, device, call)
        self.under_way.clear()


class TwoLinks(RuleBasedStateMachine):
    """The rig checks every promise of a link after each event."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = Bag()
        self.rig = Rig(0, Setting(cloud=True), schedule=self.bag)
        self.rig.network.bad = False
        # The bag delays what it holds.
        self.rig.network.delay = lambda *, distant=False: 0.0
        for device in self.rig.devices.values():
            device.alive = True

    def device(self, name: str) -> Device:
        return self.rig.devices[name]

    def other(self, name: str) -> Device:
        return self.rig.devices["t01" if name == "t00" else "t00"]

    def does(self, name: str) -> bool:
        return self.device(name).alive

    @initialize(near=st.booleans(), rounds=st.sampled_from([ENOUGH, ENOUGH, ENOUGH, 3, 0]))
    def meet(self, near: bool, rounds: int) -> None:
        for name in self.rig.devices:
            self.see(name, near)
        self.deliver_everything(rounds)

    @rule(name=names, near=st.booleans())
    def see(self, name: str, near: bool) -> None:
        if self.does(name):
            self.device(name).look(self.other(name).name, near=near)

    @rule(name=names)
    def lose_sight(self, name: str) -> None:
        if self.does(name):
            self.device(name).lose_sight(self.other(name).name)

    @precondition(lambda self: self.bag.under_way)
    @rule(place=places)
    def deliver(self, place: int) -> None:
        device, call = self.bag.take(place)
        if device is None or device.alive:
            call()

    @precondition(lambda self: self.bag.under_way)
    @rule(rounds=st.sampled_from([ENOUGH, ENOUGH, 1, 3]))
    def deliver_everything(self, rounds: int) -> None:
        for _ in range(rounds):
            for _ in range(len(self.bag.under_way)):
                self.deliver(0)
            self.do_what_is_due()

    @precondition(lambda self: self.bag.under_way)
    @rule(place=places)
    def drop(self, place: int) -> None:
        self.bag.take(place)

    @precondition(lambda self: self.bag.under_way)
    @rule(place=places)
    def duplicate(self, place: int) -> None:
        device, call = self.bag.under_way[place % len(self.bag.under_way)]
        if isinstance(call, partial) and call.func.__name__ in ("_deliver", "offered", "response"):
            self.bag.under_way.append((device, call))

    @rule(name=names)
    def break_channels(self, name: str) -> None:
        for end in self.device(name).ends.values():
            for run in end.runs.values():
                if run.pipe is not None:
                    self.rig.kill(run.pipe)

    @rule(name=names)
    def crash(self, name: str) -> None:
        self.rig.crash(name)

    @rule(name=names)
    def leave(self, name: str) -> None:
        self.rig.leave(name)

    @rule(name=names)
    def restart(self, name: str) -> None:
        self.rig.start(name)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.0, 6.0, 15.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.rig.run(self.rig.now + seconds)

    @rule(name=names, seconds=st.sampled_from([1.0, 10.0, 7200.0]))
    def suspend(self, name: str, seconds: float) -> None:
        if self.does(name):
            self.device(name).jump(seconds)

    @rule(name=names)
    def renew(self, name: str) -> None:
        if self.does(name):
            self.device(name).renew()

    @rule(name=names)
    def pause(self, name: str) -> None:
        if self.does(name):
            self.device(name).pause(1.0)

    @rule(name=names)
    def readdress(self, name: str) -> None:
        if self.does(name):
            self.device(name).readdress()

    @rule(name=names, seconds=st.sampled_from([0.5, 10.0]))
    def deafen(self, name: str, seconds: float) -> None:
        self.rig.network.wall(self.other(name), self.device(name), seconds)

    @invariant()
    def do_what_is_due(self) -> None:
        self.rig.run(self.rig.now)

    @invariant()
    def one_channel_has_one_end_at_each_device(self) -> None:
        for end in self.rig.ends():
            pipe = end.open_pipe
            assert pipe is None or end in pipe.opened, self.rig.story(end)

    def teardown(self) -> None:
        """Once all is well, they agree and go on doing so."""
        self.bag.clear_up()
        del self.rig.network.delay
        outcome = conclude(self.rig)
        assert outcome.complaint is None, outcome.complaint


@pytest.mark.fuzz
@pytest.mark.timeout(0)
def test_whatever_the_network_does_the_links_keep_their_promises_and_agree_in_the_end():
    run_state_machine_as_test(TwoLinks, settings=settings(stateful_step_count=STEPS))
