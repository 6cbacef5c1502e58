from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import ConfigError
from hallway.model import DeviceInfo, PeerRecord, is_device_id, is_name
from hallway.network import InterfaceAddress, Lan
from hallway_mdns_discovery._records import (
    SERVICE_TYPE,
    advertised,
    instance_name,
    make_endpoints,
    make_txt,
    parse_epoch,
    parse_txt,
    peer_record,
)

LAN = Lan((ip_network("10.0.0.0/24"), ip_network("fd00::/64")), loopback_only=False)
HERE = IPv4Address("10.0.0.7")


def txt(*strings: str | bytes) -> bytes:
    encoded = [string.encode() if isinstance(string, str) else string for string in strings]
    return b"".join(bytes([len(string)]) + string for string in encoded)


TABLET = txt("deviceId=tablet-1", "propertyId=hotel", "deviceType=tablet", "hallway=1,abc")


def test_a_full_record_is_read():
    assert peer_record(instance_name("tablet-1"), 8090, TABLET, [HERE], LAN) == PeerRecord(
        "tablet-1", "hotel", "tablet", ("http://10.0.0.7:8090",), "abc"
    )


def test_a_record_of_the_seed_has_no_epoch():
    record = peer_record(instance_name("x"), 8090, txt("deviceId=x", "propertyId=hotel"), [HERE], LAN)
    assert record == PeerRecord("x", "hotel", "device", ("http://10.0.0.7:8090",), None)


def test_keys_are_compared_without_case_and_the_first_counts():
    assert parse_txt(txt("DEVICEID=a", "deviceId=b", "flag", "=nothing")) == {"deviceid": "a"}


def test_the_device_id_of_the_text_counts_whatever_the_instance_is_called():
    record = peer_record(f"Some Tablet.{SERVICE_TYPE}", 1, TABLET, [HERE], LAN)
    assert record is not None
    assert record.device_id == "tablet-1"


@pytest.mark.parametrize("text", ["deviceId=-no-", "deviceId=", "other=1", b"deviceId=\xff"])
def test_without_a_valid_device_id_the_instance_names_the_device(text):
    record = peer_record(instance_name("tablet-9"), 1, txt(text, "propertyId=hotel"), [HERE], LAN)
    assert record is not None
    assert record.device_id == "tablet-9"


def test_a_record_that_names_no_device_is_none():
    assert peer_record(f"Some Tablet.{SERVICE_TYPE}", 1, txt("propertyId=hotel"), [HERE], LAN) is None


@pytest.mark.parametrize("value", [None, "", "1", "1,", ",abc", "x,abc", "1,\x7f", "1,ü", "1," + "e" * 65])
def test_a_bad_epoch_is_none(value):
    assert parse_epoch(value) is None


def test_a_later_version_still_has_its_epoch():
    assert parse_epoch("2,abc") == "abc"


def test_endpoints_are_on_link_first_then_ipv4():
    addresses = [ip_address(text) for text in ("fd00::7", "192.168.9.7", "10.0.0.7")]
    assert make_endpoints(8090, addresses, LAN) == ("http://10.0.0.7:8090", "http://[fd00::7]:8090", "http://192.168.9.7:8090")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "::",
        "224.0.0.251",
        "ff02::fb",
        "255.255.255.255",
        "fe80::1",
        "::ffff:10.0.0.7",
        "8.8.8.8",
        "100.64.0.9",
        "10.0.0.255",
    ],
)
def test_addresses_that_no_peer_can_have_are_dropped(address):
    assert make_endpoints(8090, [ip_address(address)], LAN) == ()


def test_loopback_counts_where_there_is_nothing_else():
    link = Lan.of([InterfaceAddress("lo", 1, ip_address("127.0.0.1"), ip_network("127.0.0.0/8"))])
    assert make_endpoints(8090, [ip_address("127.0.0.1"), ip_address("::1")], link) == ("http://127.0.0.1:8090", "http://[::1]:8090")


def test_at_most_eight_addresses_count():
    assert len(make_endpoints(8090, [IPv4Address(HERE) + n for n in range(20)], LAN)) == 8


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_cannot_be_is_no_endpoint(port):
    assert make_endpoints(port, [HERE], LAN) == ()


@given(
    name=st.text(),
    port=st.integers(-1, 70000),
    text=st.binary(max_size=600) | st.lists(st.binary(max_size=60), max_size=6).map(lambda strings: txt(b"propertyId=p", *strings)),
    addresses=st.lists(st.ip_addresses(), max_size=12),
)
def test_any_bytes_make_a_valid_record_or_none(name, port, text, addresses):
    record = peer_record(f"{name}.{SERVICE_TYPE}", port, text, addresses, LAN)
    if record is not None:
        assert is_device_id(record.device_id)
        assert is_name(record.property_id)
        assert is_name(record.device_type)
        assert 0 < len(record.endpoints) <= 8
        assert record.ip is not None
        assert record.port == port


@given(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), st.text(min_size=1, max_size=128).filter(is_name))
def test_what_a_device_advertises_is_what_others_read(epoch, property_id):
    device = DeviceInfo("tablet-1", property_id, "tablet", epoch)
    if len(property_id.encode()) > 244:
        with pytest.raises(ConfigError, match=r"device\.property"):
            make_txt(device)
        return
    text = txt(*(f"{key}={value}" for key, value in make_txt(device).items()))
    record = peer_record(instance_name("tablet-1"), 8090, text, [HERE], LAN)
    assert record == PeerRecord("tablet-1", property_id, "tablet", ("http://10.0.0.7:8090",), epoch)


OWN = [
    InterfaceAddress("eth0", 2, ip_address("10.0.0.5"), ip_network("10.0.0.0/24")),
    InterfaceAddress("eth0", 2, IPv6Address("fd00::5"), ip_network("fd00::/64")),
]


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ((), None),
        (("ws://10.0.0.5:80",), None),
        (("http://10.0.0.5:8090", "http://10.0.0.5:8091"), (8090, ("10.0.0.5",))),
        (("http://10.0.0.5:8090", "http://[fd00::5]:8090"), (8090, ("10.0.0.5", "fd00::5"))),
        (("http://0.0.0.0:8090",), (8090, ("10.0.0.5", "fd00::5"))),
        (("http://172.17.0.1:8090",), (8090, ("10.0.0.5", "fd00::5"))),
    ],
)
def test_only_addresses_of_the_policy_are_advertised(endpoints, expected):
    assert advertised(endpoints, OWN) == expected
