from __future__ import annotations

import types

import attrs
import pytest

from hallway.errors import PluginError
from hallway.model import IcePolicy, Mode
from hallway.plugins import ChannelProvider, DiscoveryProvider, SignalingProvider, hookimpl
from hallway.plugins.catalog import Catalog, Provided


@attrs.frozen
class Settings:
    size: int = 1


def record(name="t", **changes):
    return ChannelProvider(**({"name": name, "config_class": Settings, "factory": lambda config, context: None, "kind": "test"} | changes))


def signaling(**changes):
    given = {
        "name": "t",
        "config_class": Settings,
        "factory": print,
        "mode": Mode.LOCAL,
        "ice_policy": IcePolicy.LAN,
        "schemes": frozenset({"x"}),
    }
    return SignalingProvider(**(given | changes))


def plugin(**hooks):
    module = types.ModuleType("own_module")
    for name, function in hooks.items():
        setattr(module, name, hookimpl(function))
    return module


def nothing():
    return []


def channel(*records):
    return plugin(hallway_channel=lambda: list(records))


def provide(module, role="channel"):
    return Catalog({f"hallway.{role}": {"t": module}}).provide(role, "t")


def test_the_record_of_the_entry_points_name_is_used():
    provided = provide(channel(record("other"), record()))
    assert isinstance(provided, Provided)
    assert provided.provider.name == "t"


def test_hooks_may_return_any_iterable():
    def generate():
        yield record()

    assert isinstance(provide(plugin(hallway_channel=generate)), Provided)


@pytest.mark.parametrize(
    ("module", "problem", "hint"),
    [
        (plugin(hallway_chanel=nothing), "no hook 'hallway_chanel'", "did you mean hallway_channel?"),
        (plugin(hallway_zzz=nothing), "no hook 'hallway_zzz'", "known: hallway_channel, hallway_discovery"),
        (plugin(hallway_channel=lambda nonsense: []), "nonsense", "hallway.hookspecs"),
        (plugin(hallway_channel=lambda: 1 / 0), "hallway_channel failed: ZeroDivisionError", ""),
        (plugin(hallway_channel=lambda: None), "hallway_channel failed: TypeError", ""),
        (plugin(hallway_channel=lambda: ["x"]), "returned a str, not a ChannelProvider", ""),
        (channel(), "offers no channel named 't'", ""),
        (channel(record("u"), record("v")), "offers no channel named 't', only 'u', 'v'", ""),
        (channel(record(), record()), "offers 't' 2 times", ""),
        (channel(record(config_class=dict)), "not an attrs class", ""),
        (channel(record(config_class=Settings())), "not an attrs class", ""),
        (channel(record(factory="x")), "cannot be called", ""),
        (channel(DiscoveryProvider(name="t", config_class=Settings, factory=print)), "a DiscoveryProvider, not a ChannelProvider", ""),
        (types.ModuleType("own_module"), "offers no channel named 't'", "define hallway_channel() in own_module"),
        (None, "names nothing that has hooks", ""),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_refused_with_its_fault(module, problem, hint):
    error = provide(module)
    assert isinstance(error, PluginError)
    assert problem in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    "changes", [{"mode": "local"}, {"mode": Mode.NONE}, {"ice_policy": "lan"}, {"schemes": "http"}, {"schemes": [1]}, {"schemes": None}]
)
def test_a_signaling_record_must_declare_what_it_gives(changes):
    assert isinstance(provide(plugin(hallway_signaling=lambda: [signaling(**changes)]), "signaling"), PluginError)
    assert isinstance(provide(plugin(hallway_signaling=lambda: [signaling()]), "signaling"), Provided)


def test_a_wrapper_is_refused():
    module = types.ModuleType("own_module")

    def wrap():
        return (yield)

    module.hallway_channel = hookimpl(wrap, wrapper=True)
    assert "it wraps hooks" in str(provide(module))


def test_a_refused_plugin_leaves_no_hook_behind_and_the_next_one_works():
    broken = plugin(hallway_chanel=nothing, hallway_peer_found=lambda peer_id: None)
    catalog = Catalog({"hallway.channel": {"bad": broken, "t": channel(record())}})
    assert isinstance(catalog.provide("channel", "bad"), PluginError)
    assert isinstance(catalog.provide("channel", "t"), Provided)
    assert catalog.binder.manager.hook.hallway_peer_found.get_hookimpls() == []


def test_one_module_may_serve_several_roles_and_is_bound_once():
    module = plugin(hallway_channel=lambda: [record()], hallway_signaling=lambda: [signaling()])
    catalog = Catalog({"hallway.channel": {"t": module}, "hallway.signaling": {"t": module}})
    assert isinstance(catalog.provide("channel", "t"), Provided)
    assert isinstance(catalog.provide("signaling", "t"), Provided)
    assert len(catalog.binder.manager.get_plugins()) == 1


def test_two_shapes_for_one_table_are_refused():
    @attrs.frozen
    class Other:
        pass

    modules = {
        "hallway.channel": {"t": channel(record())},
        "hallway.signaling": {"t": plugin(hallway_signaling=lambda: [signaling(config_class=Other)])},
    }
    catalog = Catalog(modules)
    assert isinstance(catalog.provide("channel", "t"), Provided)
    error = catalog.provide("signaling", "t")
    assert isinstance(error, PluginError)
    assert "[plugins.t] has another config_class in hallway.channel" in str(error)


def test_each_device_has_hooks_of_its_own():
    extra = {"hallway.channel": {"t": channel(record())}}
    one, other = Catalog(extra), Catalog(extra)
    one.provide("channel", "t")
    assert other.binder.manager.get_plugins() == set()
