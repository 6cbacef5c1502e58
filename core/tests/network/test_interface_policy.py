from __future__ import annotations

import ipaddress
from collections.abc import Callable

import ifaddr
import pytest

from hallway.network import DENIED_BY_DEFAULT, InterfacePolicy, readiness

Interfaces = Callable[[dict[str, list[str]]], None]


@pytest.fixture
def interfaces(monkeypatch: pytest.MonkeyPatch) -> Interfaces:
    """Make the system have these interfaces: names to addresses with their prefixes. All of them can be used."""
    monkeypatch.setattr(readiness, "idle", lambda names: frozenset())
    monkeypatch.setattr(readiness, "unsettled", frozenset)

    def have(named: dict[str, list[str]]) -> None:
        adapters = [adapter(index, name, addresses) for index, (name, addresses) in enumerate(named.items(), start=1)]
        monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)

    return have


def adapter(index: int, name: str, addresses: list[str]) -> ifaddr.Adapter:
    ips = []
    for address in map(ipaddress.ip_interface, addresses):
        host = str(address.ip) if address.version == 4 else (str(address.ip), 0, index if address.is_link_local else 0)
        ips.append(ifaddr.IP(host, address.network.prefixlen, name))
    return ifaddr.Adapter(name, name, ips, index=index)


def used(policy: InterfacePolicy | None = None) -> list[str]:
    return [str(address.ip) for address in (policy or InterfacePolicy()).addresses()]


def test_the_addresses_of_this_machine_can_be_read():
    addresses = InterfacePolicy(deny=()).addresses()
    assert addresses
    assert all(address.ip in address.network and address.interface for address in addresses)


def test_containers_machines_and_tunnels_are_left_alone_by_default(interfaces):
    foreign = [glob.replace("*", "0") for glob in DENIED_BY_DEFAULT]
    interfaces({"eth0": ["10.0.0.7/24"]} | {name: [f"172.17.{index}.1/24"] for index, name in enumerate(foreign)})
    assert used() == ["10.0.0.7"]
    assert len(used(InterfacePolicy(deny=()))) == 1 + len(foreign)


def test_only_allowed_interfaces_count_and_deny_beats_allow(interfaces):
    interfaces({"eth0": ["10.0.0.7/24"], "eth1": ["10.0.1.7/24"], "wlan0": ["10.0.2.7/24"]})
    assert used(InterfacePolicy(allow=("eth*",))) == ["10.0.0.7", "10.0.1.7"]
    assert used(InterfacePolicy(allow=("eth*",), deny=("eth1",))) == ["10.0.0.7"]
    assert used(InterfacePolicy(allow=("ETH*",))) == []


def test_loopback_counts_only_where_nothing_else_is_left(interfaces):
    interfaces({"lo": ["127.0.0.1/8", "::1/128"], "eth0": ["10.0.0.7/24"]})
    assert used() == ["10.0.0.7"]
    interfaces({"lo": ["127.0.0.1/8", "::1/128"], "docker0": ["172.17.0.1/16"]})
    assert used() == ["127.0.0.1", "::1"]
    interfaces({"docker0": ["172.17.0.1/16"]})
    assert used() == []


def test_ipv4_comes_first_and_scoped_or_unspecific_addresses_not_at_all(interfaces):
    interfaces({"eth0": ["fd00::7/64", "fe80::7/64", "10.0.0.7/24", "169.254.3.4/16", "0.0.0.0/0", "224.0.0.1/4", "ff02::1/16", "::/0"]})
    assert used() == ["10.0.0.7", "169.254.3.4", "fd00::7"]


def test_an_address_tells_its_interface_index_and_network(interfaces):
    interfaces({"lo": ["127.0.0.1/8"], "eth0": ["10.0.0.7/24"]})
    (address,) = InterfacePolicy().addresses()
    assert (address.interface, address.index, str(address.network)) == ("eth0", 2, "10.0.0.0/24")


def test_changes_are_seen_at_the_next_look(interfaces):
    policy = InterfacePolicy()
    interfaces({"eth0": ["10.0.0.7/24"]})
    assert used(policy) == ["10.0.0.7"]
    interfaces({"eth0": ["192.168.1.7/24"]})
    assert used(policy) == ["192.168.1.7"]


def test_an_interface_without_a_carrier_and_an_address_that_may_be_a_duplicate_do_not_count(interfaces, monkeypatch):
    interfaces({"lo": ["127.0.0.1/8"], "eth0": ["10.0.0.7/24"], "wlan0": ["10.0.2.7/24", "fd00::7/64"]})
    monkeypatch.setattr(readiness, "idle", lambda names: frozenset({"eth0"} & set(names)))
    monkeypatch.setattr(readiness, "unsettled", lambda: frozenset({ipaddress.IPv6Address("fd00::7")}))
    assert used() == ["10.0.2.7"]
    monkeypatch.setattr(readiness, "idle", lambda names: frozenset(names) - {"lo"})
    assert used() == ["127.0.0.1"]


def test_what_the_system_does_not_tell_counts_as_usable(monkeypatch, tmp_path):
    assert readiness.idle(["lo", "no-such-interface"]) == frozenset()
    monkeypatch.setattr(readiness, "_IF_INET6", tmp_path / "no-ipv6")
    assert readiness.unsettled() == frozenset()
    monkeypatch.setattr(readiness, "sys", type("System", (), {"platform": "darwin"}))
    assert readiness.idle(["no-such-interface"]) == frozenset()


def test_the_flags_of_ipv6_addresses_are_understood(monkeypatch, tmp_path):
    listed = tmp_path / "if_inet6"
    flags = {"permanent": "80", "tentative": "40", "duplicate": "c8", "optimistic": "44", "deprecated": "20"}
    lines = [f"fd00000000000000000000000000000{number} 02 40 00 {flag}     eth0\n" for number, flag in enumerate(flags.values(), start=1)]
    listed.write_text("".join(lines))
    monkeypatch.setattr(readiness, "_IF_INET6", listed)
    assert readiness.unsettled() == {ipaddress.IPv6Address("fd00::2"), ipaddress.IPv6Address("fd00::3")}
