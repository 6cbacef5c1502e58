"""What strangers see: beacons, tags, rooms; and the policy for descriptions."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealed_site import LAN, fingerprint, reason_of, sdp

from hallway.errors import Untrusted
from hallway.model import IcePolicy
from hallway.network import InterfaceAddress
from hallway.trust import beacon, sdp_policy
from hallway.trust.group import GroupSecret
from hallway.webrtc.candidates import Reach

SECRET, OTHER = GroupSecret(bytes(range(32))), GroupSecret(bytes(range(1, 33)))
DEVICES = [f"d{number:026}" for number in range(200)]


class TestBeacons:
    @pytest.mark.attack("A17")
    def test_members_know_each_other_and_strangers_see_noise(self):
        txt = beacon.show(SECRET, DEVICES[3], "f00", 8090, bytes(4))
        assert set(txt) == {"v", "n", "b"}
        assert beacon.recognise(SECRET, txt, "f00", 8090, DEVICES) == DEVICES[3]
        for secret, instance, port in ((OTHER, "f00", 8090), (SECRET, "f01", 8090), (SECRET, "f00", 8091), (SECRET, "f00", 1 << 20)):
            assert beacon.recognise(secret, txt, instance, port, DEVICES) is None

    def test_it_is_compared_with_128_devices_at_most(self):
        assert beacon.recognise(SECRET, beacon.show(SECRET, DEVICES[127], "i", 1, bytes(4)), "i", 1, DEVICES) == DEVICES[127]
        assert beacon.recognise(SECRET, beacon.show(SECRET, DEVICES[128], "i", 1, bytes(4)), "i", 1, DEVICES) is None

    @pytest.mark.fuzz
    @given(
        txt=st.dictionaries(st.sampled_from("vnbx"), st.sampled_from(["1"]) | st.text(max_size=30)), instance=st.text(), port=st.integers()
    )
    def test_any_txt_is_nobodys(self, txt, instance, port):
        assert beacon.recognise(SECRET, txt, instance, port, DEVICES[:3]) is None

    def test_derived_keys_are_apart(self):
        assert len({SECRET.kid.hex(), OTHER.kid.hex(), SECRET.room[:8], OTHER.room[:8]}) == 4
        assert len({SECRET.tag(device) for device in DEVICES}) == len(DEVICES)
        assert SECRET.tag(DEVICES[0]) != OTHER.tag(DEVICES[0])
        assert SECRET.same(GroupSecret(SECRET.raw()))
        with pytest.raises(ValueError, match="32"):
            GroupSecret(b"")


def reason(text: str, kind="offer", reach=LAN) -> str:
    with pytest.raises(Untrusted) as caught:
        sdp_policy.apply(text, kind, reach)
    return caught.value.reason


class TestThePolicy:
    @pytest.mark.parametrize("kind", ["offer", "answer"])
    def test_ours_passes_and_passing_twice_changes_nothing(self, kind):
        once = sdp_policy.apply(sdp(kind), kind, LAN)
        assert once.fingerprint == f"sha-256 {fingerprint(1)}"
        assert sdp_policy.apply(once.sdp, kind, LAN) == once

    @pytest.mark.parametrize("host", ["127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", "0.0.0.0", "::1", "ff02::1"])
    def test_no_honest_candidate_condemns_the_description(self, host):
        assert reason(sdp(candidates=(f"1 1 udp 1 {host} 5000 typ host",))) == "description"

    def test_public_addresses_stay_out_on_the_lan_and_only_there(self):
        text = sdp(candidates=("1 1 udp 1 10.0.0.7 5000 typ host", "2 1 udp 1 8.8.8.8 5000 typ srflx raddr 10.0.0.7 rport 5000"))
        assert "8.8.8.8" not in sdp_policy.apply(text, "offer", LAN).sdp
        wan = Reach.of(IcePolicy.WAN, [InterfaceAddress("eth0", 1, ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.0/24"))])
        allowed = sdp_policy.apply(text, "offer", wan).sdp
        assert "8.8.8.8 5000 typ srflx" in allowed
        assert "raddr" not in allowed

    def test_fingerprints_and_sections_and_sizes(self):
        good = sdp()
        line = f"a=fingerprint:sha-256 {fingerprint(1)}\r\n"
        for bad in (
            good.replace(line, ""),
            good + line,
            good + f"a=fingerprint:sha-256 {fingerprint(2)}\r\n",
            good + "a=fingerprint:sha-1 AA\r\n",
            good + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
            good + "a=x:" + "y" * 20_000 + "\r\n",
            good.replace("m=application", "m=audio"),
            sdp(candidates=("1 1 udp 1 10.0.0.7 5000 typ host",) * 17),
            sdp(candidates=tuple(f"1 1 udp 1 n{number}.local 5000 typ host" for number in range(5))),
        ):
            assert reason(bad) == "description"

    @pytest.mark.fuzz
    @given(place=st.integers(0, 600), text=st.text(max_size=30), kind=st.sampled_from(["offer", "answer"]))
    def test_any_change_is_allowed_or_refused_by_name(self, place, text, kind):
        changed = sdp(kind)[:place] + text + sdp(kind)[place:]
        refusal = reason_of(sdp_policy.apply, changed, kind, LAN)
        assert refusal in {"", "description"}
        if not refusal:
            allowed = sdp_policy.apply(changed, kind, LAN)
            assert sdp_policy.apply(allowed.sdp, kind, LAN) == allowed
