"""From the configuration to the guard: what an enrolled device may be started as."""

from __future__ import annotations

import pytest
from sealed_site import Site

from hallway.config import load_config
from hallway.errors import ConfigError, NotEnrolled
from hallway.model import DeviceInfo, Envelope, Origin, Refusal, RefusalCode
from hallway.network import InterfacePolicy
from hallway.runtime.membership.security import Security
from hallway.trust.open_guard import ForcedOpenGuard
from hallway.trust.state import TrustState

SITE = Site("a", "b")
OPEN = b'{"from":"b","to":"a","sdp":{"type":"offer","sdp":"v=0"},"iceCandidates":[]}'


@pytest.fixture
def state(tmp_path):
    state = TrustState(tmp_path / "state")
    state.save_keys(SITE.devices["a"][0])
    state.save(SITE.membership("a"))
    return state.folder


def security(*settings: str) -> Security:
    return Security.of(load_config(environ={}, overrides=list(settings)))


@pytest.mark.attack("A23")
def test_an_enrolled_device_does_not_step_down_to_open(state):
    step_down = ("security=open", "device.id=a", "device.property=p", f"trust.state={state}")
    with pytest.raises(ConfigError) as caught:
        security(*step_down)
    [mistake] = caught.value.mistakes
    print(f"A23 an enrolled device restarted as open: {mistake.path} {mistake.problem}")
    assert mistake.path == "security"
    assert "force_open" in str(mistake.suggestion)
    guard = security(*step_down, "trust.force_open=true").guard(DeviceInfo("a", "p", epoch="e"), InterfacePolicy(), ())
    assert isinstance(guard, ForcedOpenGuard)
    assert guard.caution is not None


@pytest.mark.attack("A23")
def test_a_sealed_device_reads_no_open_offer_under_a_known_name(state):
    sealed = security(f"trust.state={state}")
    guard = sealed.guard(DeviceInfo(sealed.device_id, sealed.property_id, epoch="e"), InterfacePolicy(), ())
    for body in (OPEN, OPEN.ljust(600), OPEN.replace(b"v=0", b"LAN unavailable: use open")):
        refusal = guard.open(Envelope("offer", "application/json", body), Origin("cloud-ws"), 0.0)
        assert isinstance(refusal, Refusal)
        print(f"A23 an open offer of {len(body)} bytes under the name of a member: {refusal.code}")
        assert refusal.code is RefusalCode.UNAUTHENTICATED


def test_a_sealed_device_is_who_it_is_enrolled_as(state, tmp_path):
    for other in ("device.id=b", "device.id=c"):
        with pytest.raises(ConfigError, match="enrolled as a"):
            security(f"trust.state={state}", other)
    assert security(f"trust.state={state}", "device.id=A").device_id == "a"
    with pytest.raises(NotEnrolled):
        security(f"trust.state={tmp_path / 'nothing'}")
