"""The keys of the plugin, and how it presents itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from aiortc import RTCSctpTransport

from hallway.errors import PluginError
from hallway.model import DeviceInfo
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.webrtc.servers import parse_url
from hallway_aiortc_channel import AiortcConfig, AiortcConnector, IceServer, _contract, plugin
from hallway_aiortc_channel.datagrams import FilteredProtocol
from hallway_aiortc_channel.ice import PolicedConnection
from hallway_aiortc_channel.prompt import PromptDtls
from hallway_aiortc_channel.sctp import BoundedSctp


def problem(name: str, value: object, owner: type = AiortcConfig) -> str | None:
    check = attrs.fields_dict(owner)[name].metadata["check"]
    found: str | None = check(value)
    return found


def test_the_defaults_are_a_lan_without_servers():
    assert AiortcConfig() == AiortcConfig(ice_servers=(), port_range=None)


@pytest.mark.parametrize(
    "url",
    ["stun:stun.example.org", "stun:10.0.0.1:3479", "turn:turn.example.org?transport=tcp", "turn:[fd00::1]:3478?transport=udp", "turn:t:1"],
)
def test_server_urls_are_read(url):
    assert problem("urls", url, IceServer) is None
    assert problem("urls", [url, url], IceServer) is None


@pytest.mark.parametrize(
    "url",
    ["", "stun:", "http://x", "stun:a b", "stun:x:0", "stun:x:99999", "stun:x?transport=udp", "turn:x?transport=quic", "stun://x"],
)
def test_other_urls_are_refused(url):
    assert "URL" in (problem("urls", url, IceServer) or "") or "port" in (problem("urls", url, IceServer) or "")


def test_turn_over_tls_says_that_it_is_not_there_yet():
    assert "not supported yet" in (problem("urls", "turns:turn.example.org", IceServer) or "")


def test_a_turn_server_needs_credentials():
    assert "username" in (problem("ice_servers", (IceServer("turn:x"),)) or "")
    assert problem("ice_servers", (IceServer("turn:x", "me", "secret"), IceServer("stun:x"))) is None


def test_the_credential_is_not_shown():
    assert "secret" not in repr(IceServer("turn:x", "me", "secret"))


def test_addresses_have_the_standard_port_and_no_brackets():
    address = parse_url("turn:[fd00::1]?transport=tcp")
    assert (address.host, address.port, address.transport) == ("fd00::1", 3478, "tcp")


@pytest.mark.parametrize(
    ("ports", "fine"),
    [(None, True), ((49152, 65535), True), ((5000, 5063), True), ((5000, 5062), False), ((6000, 5000), False), ((80, 9000), False)],
)
def test_port_ranges_are_checked(ports, fine):
    assert (problem("port_range", ports) is None) is fine


def test_the_hook_offers_one_provider_of_kind_webrtc():
    (provider,) = plugin.hallway_channel()
    assert (provider.name, provider.kind, provider.config_class) == ("aiortc", "webrtc", AiortcConfig)
    context = PluginContext(DeviceInfo("a", "p"), InterfacePolicy(), Resolver())
    assert isinstance(provider.factory(AiortcConfig(), context), AiortcConnector)


def test_listing_the_plugin_does_not_import_aiortc():
    code = "import sys, hallway_aiortc_channel.plugin as p; list(p.hallway_channel()); sys.exit('aiortc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_release_of_a_library_is_named(monkeypatch):
    monkeypatch.setattr(_contract, "SUPPORTED", {"aiortc": "9.9"})
    with pytest.raises(PluginError, match=r"aiortc 1\.16\.\d+ is installed, 9\.9\.\* is needed"):
        _contract.check_libraries.__wrapped__()


def test_whatever_is_gone_from_a_library_is_named(monkeypatch):
    monkeypatch.setitem(_contract.METHODS, "aioice.ice:Connection", ("connect", "vanished"))
    monkeypatch.setitem(_contract.FIELDS, "aiortc:RTCDtlsTransport", ("_lost",))
    with pytest.raises(PluginError, match=r"aioice\.ice:Connection\.vanished is gone; aiortc:RTCDtlsTransport\._lost is gone"):
        _contract.check_libraries.__wrapped__()


def test_a_method_that_works_otherwise_is_named(monkeypatch):
    monkeypatch.setattr(RTCSctpTransport, "_t3_restart", lambda self: None)
    monkeypatch.delattr(RTCSctpTransport, "_update_rto")
    with pytest.raises(PluginError, match=r"_t3_restart's _rto is gone") as caught:
        _contract.check_libraries.__wrapped__()
    assert "aiortc:RTCSctpTransport._update_rto is gone" in str(caught.value)


@pytest.mark.parametrize("table", ["METHODS", "FIELDS", "NAMES"])
def test_no_connector_is_made_on_libraries_that_changed(monkeypatch, table):
    vanished = {"_transmit": ("vanished",)} if table == "NAMES" else ("vanished",)
    monkeypatch.setitem(getattr(_contract, table), "aiortc:RTCSctpTransport", vanished)
    monkeypatch.setattr(_contract, "check_libraries", _contract.check_libraries.__wrapped__)
    with pytest.raises(PluginError, match="vanished is gone"):
        plugin.make_connector(AiortcConfig(), PluginContext(DeviceInfo("tablet-1", "house"), InterfacePolicy(), Resolver()))


def test_the_installed_libraries_are_what_we_rely_on():
    _contract.check_libraries.__wrapped__()


def contract_names() -> set[str]:
    named = {name for table in (_contract.METHODS, _contract.FIELDS) for names in table.values() for name in names}
    return named | {name for methods in _contract.NAMES.values() for method, names in methods.items() for name in (method, *names)}


def private_names() -> set[str]:
    """What the plugin's source calls by a name with an underscore, and does not define itself."""
    used, own = set[str](), set[str]()
    for path in Path(_contract.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(ast.Name("self"), name, ast.Store()) | ast.AnnAssign(ast.Name(name)) | ast.FunctionDef(name):
                    own.add(name)
                case ast.AsyncFunctionDef(name):
                    own.add(name)
                case ast.Attribute(_, name) if name.startswith("_") and not name.endswith("__"):
                    used.add(name)
    return used - own


def test_every_private_name_that_is_used_is_checked():
    assert private_names() - contract_names() == set()


@pytest.mark.parametrize("made", [PolicedConnection, FilteredProtocol, PromptDtls, BoundedSctp])
def test_every_method_that_is_overridden_is_checked(made):
    ours = [one for one in made.__mro__ if one.__module__.startswith("hallway_aiortc_channel")]
    theirs = [one for one in made.__mro__ if one.__module__.startswith(("aiortc", "aioice"))]
    overridden = {name for one in ours for name in vars(one) if not name.endswith("__") and any(name in vars(base) for base in theirs)}
    assert overridden - contract_names() == set()
