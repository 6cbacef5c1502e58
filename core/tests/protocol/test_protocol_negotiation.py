from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hallway.model import DEVICE_ID
from hallway.protocol.negotiation import Verdict, glare

IDS = st.from_regex(DEVICE_ID, fullmatch=True).filter(str.isascii)


@given(one=IDS, other=IDS)
def test_of_any_two_hallways_exactly_one_holds(one, other):
    assume(one.lower() != other.lower())
    verdicts = [glare(one, other, speaks_hallway=True), glare(other, one, speaks_hallway=True)]
    assert sorted(verdict.value for verdict in verdicts) == ["answer", "hold"]


@given(one=IDS, other=IDS, yielding=st.booleans())
def test_case_does_not_count(one, other, yielding):
    assert len({glare(a, b, speaks_hallway=True, yielding=yielding) for a in (one, one.upper()) for b in (other, other.lower())}) == 1


@given(one=IDS, other=IDS, ours=st.booleans(), theirs=st.booleans())
def test_two_hallways_never_both_drop_their_own_offers(one, other, ours, theirs):
    assume(one.lower() != other.lower())
    verdicts = [glare(one, other, speaks_hallway=True, yielding=ours), glare(other, one, speaks_hallway=True, yielding=theirs)]
    assert verdicts.count(Verdict.ANSWER) == 1


@pytest.mark.parametrize("yielding", [False, True])
@pytest.mark.parametrize("greeting", [False, True])
@pytest.mark.parametrize("own_id", ["a", "z"])
def test_a_device_that_does_not_speak_hallway_is_always_answered(own_id, yielding, greeting):
    assert glare(own_id, "m", speaks_hallway=False, yielding=yielding, greeting=greeting) is Verdict.ANSWER


@pytest.mark.parametrize("own_id", ["a", "z"])
def test_a_channel_that_is_open_already_is_never_dropped_for_an_offer(own_id):
    assert glare(own_id, "m", speaks_hallway=True, yielding=True, greeting=True) is Verdict.HOLD
