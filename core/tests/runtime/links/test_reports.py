"""What is said of an attempt that came to nothing: above all, what to do next."""

from __future__ import annotations

import pytest

from hallway.model import IcePolicy, RefusalCode
from hallway.protocol.attempt import Phase
from hallway.runtime.links.reports import Reports
from hallway.runtime.links.run import AttemptRun


class Published(list):
    publish = list.append


@pytest.mark.parametrize(
    ("refused", "says"),
    [(None, "firewall"), (RefusalCode.BUSY, "firewall"), (RefusalCode.FORBIDDEN, "`hallway members` on an admin")],
)
@pytest.mark.parametrize("policy", IcePolicy)
async def test_a_peer_that_does_not_take_this_device_is_no_matter_of_firewalls(refused, says, policy):
    published, run = Published(), AttemptRun(1, "desk")
    run.signaling, run.refused, run.policy = "http-local", refused, policy
    Reports(published).failed(run, Phase.SIGNALING, "desk refused", 100.0)
    (event,) = published
    assert "desk was not reached over http-local" in event.message
    assert ("the signal server" if "firewall" in says and policy is IcePolicy.WAN else says) in event.hint
