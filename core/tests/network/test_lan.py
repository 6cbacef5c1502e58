"""One idea of the LAN for discovery, HTTP and ICE."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.network import InterfaceAddress, InterfacePolicy, Lan
from hallway.network.reach import SITE, is_plain


def lan(*interfaces: str) -> Lan:
    """The LAN of a device with these addresses (``10.0.0.7/24``)."""
    parsed = map(ipaddress.ip_interface, interfaces)
    return Lan.of(InterfaceAddress("eth0", 2, one.ip, one.network) for one in parsed)


HOME = lan("10.0.0.7/24", "198.51.100.7/28", "fd00::7/64", "2001:db8::7/64")
ALONE = lan("127.0.0.1/8", "::1/128")


@pytest.mark.parametrize(
    "address", ["10.0.0.9", "10.9.9.9", "172.16.0.1", "172.31.255.254", "192.168.9.9", "169.254.1.1", "fd00::9", "fd12:3456::1"]
)
def test_the_private_ranges_of_a_site_are_of_the_lan(address):
    assert HOME.holds(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["198.51.100.9", "2001:db8::9"])
def test_a_public_address_counts_on_link(address):
    ip = ipaddress.ip_address(address)
    assert HOME.holds(ip)
    assert HOME.on_link(ip)
    assert not ALONE.holds(ip)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "198.51.100.17", "2001:db8:1::1", "2606:4700::1111", "100.64.0.1", "100.127.255.254", "198.18.0.1", "192.0.2.1", "0.1.2.3"],
)
def test_what_lies_beyond_a_router_of_the_internet_or_of_a_carrier_is_not_of_the_lan(address):
    assert not HOME.holds(ipaddress.ip_address(address))


def test_a_carriers_address_counts_on_link():
    assert lan("100.64.0.7/24").holds(ipaddress.ip_address("100.64.0.9"))


@pytest.mark.parametrize(
    "address", ["224.0.0.251", "ff02::fb", "0.0.0.0", "::", "255.255.255.255", "10.0.0.255", "198.51.100.15", "127.0.0.1", "::1"]
)
def test_where_no_peer_can_be_is_forbidden(address):
    ip = ipaddress.ip_address(address)
    assert HOME.forbids(ip)
    assert not HOME.holds(ip)


@pytest.mark.parametrize("address", ["fe80::1", "::ffff:10.0.0.9", "::ffff:8.8.8.8"])
def test_what_needs_a_scope_or_hides_an_address_is_not_of_the_lan(address):
    ip = ipaddress.ip_address(address)
    assert not is_plain(ip)
    assert not HOME.holds(ip)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_of_the_lan_where_there_is_nothing_else(address):
    ip = ipaddress.ip_address(address)
    assert ALONE.holds(ip)
    assert not ALONE.forbids(ip)


def test_both_ends_of_a_cable_without_a_broadcast_address_are_of_the_lan():
    cable = lan("203.0.113.0/31")
    assert cable.holds(ipaddress.ip_address("203.0.113.1"))


def test_the_addresses_of_this_machine_are_of_its_lan():
    addresses = InterfacePolicy(deny=()).addresses()
    assert all(Lan.of(addresses).holds(address.ip) for address in addresses)


@given(st.ip_addresses())
def test_no_address_is_both_held_and_forbidden_and_no_distant_one_is_held(ip):
    for one in (HOME, ALONE):
        if one.holds(ip):
            assert not one.forbids(ip)
            assert ip.is_loopback or one.on_link(ip) or any(ip in network for network in SITE)
