"""The SDP policy: what passes, what is refused, and that nothing else can happen."""

from __future__ import annotations

import ipaddress

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import BadDescription
from hallway.model import IcePolicy
from hallway.network import InterfaceAddress
from hallway.network.reach import SITE
from hallway.webrtc.candidates import MAX_CHECKED, CandidateFilter, Reach, Verdict, read_candidate
from hallway.webrtc.sdp import Fingerprint, LocalDescription, answer_setup, read_description

SHA256 = ":".join(["AB"] * 32)
SHA384 = ":".join(["CD"] * 48)


def lines(*parts: str) -> str:
    return "\r\n".join(parts) + "\r\n"


AIORTC = lines(
    "v=0",
    "o=- 4004436325 4004436325 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=msid-semantic:WMS *",
    "m=application 46890 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 192.168.7.2",
    "a=mid:0",
    "a=sctp-port:5000",
    "a=max-message-size:262144",
    "a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.168.7.2 46890 typ host",
    "a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 34241 typ host",
    "a=end-of-candidates",
    "a=ice-ufrag:zypi",
    "a=ice-pwd:zAjCnQdkpqXiAfBdIrVIhV",
    f"a=fingerprint:sha-256 {SHA256}",
    f"a=fingerprint:sha-384 {SHA384}",
    "a=setup:actpass",
)
CHROME = lines(
    "v=0",
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=extmap-allow-mixed",
    "a=msid-semantic: WMS",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=candidate:3366208130 1 udp 2113937151 1b0a7a8e-5d5e-4c7c-8d0a-7e6f2a1c9b11.local 51234 typ host generation 0 network-cost 999",
    "a=candidate:1 1 tcp 1518280447 192.168.1.5 9 typ host tcptype active generation 0 network-id 1",
    "a=candidate:842163049 1 udp 1677729535 203.0.113.9 51234 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999",
    "a=ice-ufrag:k2Xa",
    "a=ice-pwd:1bqB0cnLsI9CvFzKPe3yvSWV",
    "a=ice-options:trickle",
    f"a=fingerprint:sha-256 {SHA256}",
    "a=setup:actpass",
    "a=mid:0",
    "a=sctp-port:5000",
    "a=max-message-size:262144",
)
FIREFOX = lines(
    "v=0",
    "o=mozilla...THIS_IS_SDPARTA-99.0 3180571530337215311 0 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    f"a=fingerprint:sha-256 {SHA256}",
    "a=group:BUNDLE 0",
    "a=ice-options:trickle",
    "a=msid-semantic:WMS *",
    "m=application 45032 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 198.51.100.4",
    "a=candidate:0 1 UDP 2122252543 6d1fcb9e-3c35-4d9a-8a76-2bb2ad5e8e32.local 45032 typ host",
    "a=sendrecv",
    "a=end-of-candidates",
    "a=ice-pwd:b0a0d04ee2ae1d2e9b8a4d17d2f1c9f3",
    "a=ice-ufrag:9aa4f0d1",
    "a=mid:0",
    "a=setup:actpass",
    "a=sctp-port:5000",
    "a=max-message-size:1073741823",
)
REAL = [AIORTC, CHROME, FIREFOX]

HOME = InterfaceAddress("eth0", 2, ipaddress.ip_address("198.51.100.4"), ipaddress.ip_network("198.51.100.0/24"))
LOOP = InterfaceAddress("lo", 1, ipaddress.ip_address("127.0.0.1"), ipaddress.ip_network("127.0.0.0/8"))
LAN = Reach.of(IcePolicy.LAN, [HOME])
WAN = Reach.of(IcePolicy.WAN, [HOME])
ALONE = Reach.of(IcePolicy.LAN, [LOOP])


def host(address: str, *, kind: str = "host", port: int = 5000) -> str:
    return f"candidate:1 1 udp 1 {address} {port} typ {kind}"


def taken(reach: Reach, *texts: str) -> list[str]:
    return [one.host for one in CandidateFilter(reach).take(texts)]


@pytest.mark.parametrize("sdp", REAL)
def test_real_offers_pass(sdp):
    remote = read_description(sdp, "offer")
    assert remote.fingerprints[0] == Fingerprint("sha-256", SHA256)
    assert (remote.setup, remote.sctp_port, remote.mid, remote.bundled, remote.max_message) == ("actpass", 5000, "0", True, 262_144)
    assert remote.complete is (sdp is not CHROME)


def test_our_own_descriptions_pass():
    local = LocalDescription(
        ufrag="abcd",
        pwd="x" * 22,
        fingerprint=Fingerprint("sha-256", SHA256),
        setup="active",
        candidates=("1 1 udp 1 fd00::1 5000 typ host",),
        host="fd00::1",
        port=5000,
        mid="data",
        bundled=False,
    )
    remote = read_description(local.render(7), "answer")
    assert (remote.ufrag, remote.pwd, remote.mid, remote.bundled, remote.complete) == ("abcd", "x" * 22, "data", False, True)


@pytest.mark.parametrize("sdp", REAL)
def test_a_description_in_our_own_words_says_the_same_and_nothing_that_was_not_checked(sdp):
    remote = read_description(sdp.replace("t=0 0", "t=0 0\r\na=ice-lite\r\na=strange:<b>"), "offer")
    passed = CandidateFilter(LAN).take([host("10.0.0.1"), "candidate:2 1 UDP 7 x.local 5 typ host generation 0 strange <b>"])
    text = remote.rewritten([one.attribute for one in passed], 7)
    again = read_description(text, "offer")
    assert again == attrs.evolve(remote, fingerprints=(remote.sha256,), candidates=tuple(one.attribute for one in passed))
    assert CandidateFilter(LAN).take(again.candidates) == passed
    assert "<b>" not in text


def test_what_a_peer_takes_is_read_from_its_description():
    assert read_description(AIORTC.replace(":262144", ":1000"), "offer").max_message == 1000
    assert read_description(AIORTC.replace(":262144", ":0"), "offer").max_message == 262_144
    assert read_description(AIORTC.replace("a=max-message-size:262144\r\n", ""), "offer").max_message == 65_536


def test_the_answerer_takes_the_active_part_unless_the_offerer_has_it():
    assert [answer_setup(setup) for setup in ("actpass", "passive", "active")] == ["active", "active", "passive"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("v=0", "v=1", "not SDP"),
        (f"a=fingerprint:sha-256 {SHA256}\r\n", "", "sha-256"),
        ("sha-256 AB", "sha-256 XY", "fingerprint"),
        (f"a=fingerprint:sha-384 {SHA384}", f"a=fingerprint:sha-256 {SHA256[:-2]}00", "sha-256"),
        ("a=ice-ufrag:zypi\r\n", "", "ice-ufrag"),
        ("a=ice-ufrag:zypi", "a=ice-ufrag:z", "ice-ufrag"),
        ("a=ice-pwd:zAjCnQdkpqXiAfBdIrVIhV", "a=ice-pwd:short", "ice-pwd"),
        ("a=ice-ufrag:zypi", "a=ice-ufrag:zypi\r\na=ice-ufrag:zypj", "ice-ufrag"),
        ("m=application 46890", "m=audio 46890", "m=application"),
        ("a=setup:actpass\r\n", "a=setup:actpass\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "m=application"),
        ("m=application 46890", "m=application 0", "rejected"),
        ("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000", "data channel"),
        ("a=setup:actpass", "a=setup:holdconn", "setup"),
        ("a=sctp-port:5000", "a=sctp-port:99999", "sctp-port"),
        ("a=mid:0", "a=mid:0 1", "mid"),
        ("s=-", "s=" + "x" * 17_000, "larger"),
        ("s=-", "s=\x00", "not SDP"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_with_a_reason(old, new, reason):
    assert old in AIORTC
    with pytest.raises(BadDescription, match=reason):
        read_description(AIORTC.replace(old, new), "offer")


def test_an_answer_must_have_chosen_its_part():
    with pytest.raises(BadDescription, match="setup"):
        read_description(AIORTC, "answer")


def test_on_the_lan_only_addresses_of_the_site_pass():
    near = ["10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.7.7", "fd12::1", "198.51.100.77"]
    far = ["8.8.8.8", "203.0.113.1", "172.32.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "fe80::1", "100.64.0.1"]
    assert taken(LAN, *map(host, near)) == near
    assert taken(LAN, *map(host, far)) == []
    assert taken(LAN, host("10.0.0.1", kind="srflx"), host("10.0.0.1", kind="relay"), host("10.0.0.1", kind="prflx")) == []


def test_on_a_distant_path_public_addresses_pass():
    assert taken(WAN, host("8.8.8.8", kind="srflx"), host("8.8.4.4", kind="relay"), host("10.0.0.1")) == ["8.8.8.8", "8.8.4.4", "10.0.0.1"]
    assert taken(WAN, host("240.0.0.1"), host("::ffff:8.8.8.8"), host("fe80::1")) == []


def test_what_the_agent_cannot_use_is_dropped():
    other = ["candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype active", "candidate:1 2 udp 1 10.0.0.1 5000 typ host", host("a.example.org")]
    assert taken(LAN, *other) == []


@pytest.mark.parametrize("address", ["224.0.0.251", "ff02::fb", "0.0.0.0", "::", "255.255.255.255", "198.51.100.255", "127.0.0.1", "::1"])
def test_where_nobody_may_send_is_refused(address):
    for reach in (LAN, WAN):
        with pytest.raises(BadDescription, match="nobody may be sent to"):
            taken(reach, host(address))


def test_loopback_passes_where_there_is_nothing_else():
    assert taken(ALONE, host("127.0.0.1"), host("::1")) == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "candidate:1 1 udp 1 10.0.0.1 0 typ host", host("10.0.0.1", port=65_536), host("10.0.0.1\n")[:-9]]
)
def test_what_is_no_candidate_is_refused(text):
    with pytest.raises(BadDescription):
        read_candidate(text)


def test_candidates_and_names_are_counted():
    names = [host(f"{number}.local") for number in range(5)]
    assert len(taken(LAN, *names[:4])) == 4
    with pytest.raises(BadDescription, match=r"4 \.local"):
        taken(LAN, *names)
    assert len(taken(LAN, *[host("8.8.8.8")] * 16)) == 0
    with pytest.raises(BadDescription, match="16 candidates"):
        taken(LAN, *[host("8.8.8.8")] * 17)


def test_no_more_candidates_are_checked_than_a_device_has_and_those_on_link_come_first():
    routed = [host("10.0.0.1", port=number) for number in range(1, 12)]
    near = [host("198.51.100.7"), host("x.local")]
    assert taken(LAN, *routed, *near) == ["198.51.100.7", "x.local", *["10.0.0.1"] * (MAX_CHECKED - 2)]


def test_on_a_distant_path_many_host_candidates_do_not_crowd_out_the_others():
    texts = [*[host("10.0.0.1")] * 10, host("203.0.113.1", kind="srflx"), host("203.0.113.2", kind="relay")]
    assert {"203.0.113.1", "203.0.113.2"} < set(taken(WAN, *texts))
    assert len(taken(WAN, *texts)) == MAX_CHECKED


def test_trickled_candidates_count_with_those_of_the_description():
    chosen = CandidateFilter(LAN)
    chosen.take([host("10.0.0.1")] * (MAX_CHECKED - 1))
    assert chosen.take_late(host("8.8.8.8")) is None
    assert chosen.take_late(host("10.0.0.2")) is not None
    assert chosen.take_late(host("10.0.0.3")) is None


def names_public(text: str) -> bool:
    ip = ipaddress.ip_address(text)
    return not any(ip in network for network in (*SITE, HOME.network))


ADDRESSES = st.one_of(st.ip_addresses().map(str), st.sampled_from(["10.0.0.9", "198.51.100.9", "x.local", "224.0.0.1", "0.0.0.0"]))
CANDIDATES = st.builds(
    "a=candidate:{} {} {} {} {} {} typ {}{}".format,
    st.text("abc09+/", max_size=34),
    st.sampled_from(["1", "2", "-1", "x"]),
    st.sampled_from(["udp", "UDP", "tcp"]),
    st.integers(-1, 1 << 33),
    ADDRESSES,
    st.integers(-1, 70_000),
    st.sampled_from(["host", "srflx", "relay", "prflx", "odd"]),
    st.sampled_from(["", " generation 0", " raddr 8.8.8.8 rport 1", "\x00"]),
)


@st.composite
def mutated(draw) -> str:
    """A real description with lines lost, doubled, swapped, altered and added."""
    parts = draw(st.sampled_from(REAL)).split("\r\n")
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(parts) - 1))
        match draw(st.sampled_from(["drop", "double", "alter", "add", "text"])):
            case "drop" if len(parts) > 1:
                del parts[at]
            case "double":
                parts.insert(draw(st.integers(0, len(parts))), parts[at])
            case "alter":
                where = draw(st.integers(0, len(parts[at])))
                parts[at] = parts[at][:where] + draw(st.text(max_size=3)) + parts[at][where + 1 :]
            case "add":
                parts.insert(at, draw(CANDIDATES))
            case _:
                parts.insert(at, draw(st.text(max_size=30)))
    return draw(st.sampled_from(["\r\n", "\n"])).join(parts)


@given(mutated(), st.sampled_from(["offer", "answer"]))
def test_a_mutated_description_is_usable_or_refused_and_never_leads_outside(sdp, kind):
    try:
        remote = read_description(sdp, kind)
        passed = CandidateFilter(LAN).take(remote.candidates)
    except BadDescription:
        return
    assert remote.ufrag
    assert remote.pwd
    assert any(one.algorithm == "sha-256" for one in remote.fingerprints)
    assert not [one for one in passed if not one.is_name and names_public(one.host)]


@given(st.ip_addresses())
def test_no_public_address_is_ever_near(ip):
    if LAN.judge(ip) is Verdict.USE:
        assert not names_public(str(ip))
