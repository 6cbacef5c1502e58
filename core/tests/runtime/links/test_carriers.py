from __future__ import annotations

import asyncio

import pytest

from hallway.errors import SignalingUnavailable
from hallway.interfaces import Signaling
from hallway.model import Envelope, Gone, IcePolicy, Mode, Origin
from hallway.plugins import SignalingProvider
from hallway.protocol.backoff import Backoff
from hallway.runtime.links.carriers import Carrier


class FlakySignaling(Signaling):
    """Comes up after it could not for each of ``failures``."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.starts = 0

    async def start(self, host):
        self.starts += 1
        if self.failures:
            raise self.failures.pop(0)
        host.up(("test://here",))

    async def request(self, endpoint, envelope, deadline):
        raise NotImplementedError

    async def aclose(self):
        raise NotImplementedError


def carrier(signaling: Signaling, **settings) -> Carrier:
    provider = SignalingProvider(
        name="test",
        config_class=object,
        factory=lambda *_: signaling,
        mode=Mode.LOCAL,
        ice_policy=IcePolicy.LAN,
        schemes=frozenset({"test"}),
    )
    defaults = {"handler": None, "reporter": None, "on_change": lambda: None, "backoff": Backoff(0.0, 0.0, lambda: 0.0)}
    return Carrier(provider, signaling, **(defaults | settings))


async def test_it_is_started_again_until_it_is_up_and_tells_every_change():
    states = []
    made = carrier(
        FlakySignaling(SignalingUnavailable("ports taken"), SignalingUnavailable("still taken")),
        on_change=lambda: states.append((made.mode, made.reason, made.listen)),
    )
    assert (made.is_up, made.reason) == (False, "not started yet")
    await made.keep_up()
    assert states == [
        (Mode.NONE, "ports taken", ()),
        (Mode.NONE, "still taken", ()),
        (Mode.LOCAL, "", ("test://here",)),
    ]
    assert made.settled.is_set()


async def test_the_waits_between_starts_are_those_of_the_backoff():
    class Counting(Backoff):
        def next(self) -> float:
            self.failures += 1
            return 0.0

    backoff = Counting(1.0, 5.0, lambda: 0.0)
    await carrier(FlakySignaling(*[SignalingUnavailable("no")] * 3), backoff=backoff).keep_up()
    assert backoff.failures == 3


async def test_it_settles_when_it_has_said_for_the_first_time_why_it_cannot():
    signaling = FlakySignaling(SignalingUnavailable("ports taken"))
    made = carrier(signaling, backoff=Backoff(3600.0, 3600.0, lambda: 0.0))
    task = asyncio.create_task(made.keep_up())
    await made.settled.wait()
    assert (made.is_up, made.reason) == (False, "ports taken")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_plugin_that_breaks_its_contract_settles_as_down_and_the_crash_is_told():
    made = carrier(FlakySignaling(ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        await made.keep_up()
    assert made.settled.is_set()
    assert made.reason == "it failed: a bug"


async def test_what_was_up_can_go_down_and_mend_itself():
    made = carrier(FlakySignaling())
    await made.keep_up()
    made.down("the address has changed")
    assert (made.mode, made.listen, made.reason) == (Mode.NONE, (), "the address has changed")
    made.up(("test://there",))
    assert (made.mode, made.listen, made.reason) == (Mode.LOCAL, ("test://there",), "")


async def test_requests_and_sightings_are_handed_on_with_the_carrier_they_came_by():
    handled, reported = [], []

    async def handle(*arguments):
        handled.append(arguments)
        return Envelope.accepted()

    made = carrier(FlakySignaling(), handler=handle, reporter=lambda *arguments: reported.append(arguments))
    envelope, origin = Envelope("offer", "text/plain", b""), Origin("test", "10.0.0.7")
    assert await made.handle(envelope, origin) == Envelope.accepted()
    made.report(Gone("tablet-2"))
    assert handled == [(made, envelope, origin)]
    assert reported == [("test", Gone("tablet-2"))]


async def test_the_origin_of_a_response_is_the_host_of_its_endpoint():
    made = carrier(FlakySignaling())
    assert made.origin("http://10.0.0.7:8090") == Origin("test", "10.0.0.7")
    assert made.origin("http://[fd00::7]:8090") == Origin("test", "fd00::7")
