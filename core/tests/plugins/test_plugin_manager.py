from __future__ import annotations

import asyncio
import logging
import types

import attrs
import pytest

from hallway.config import Config, config_from_mapping
from hallway.config.options import option
from hallway.config.schema import ChannelConfig, DeviceConfig, DiscoveryConfig, SignalingConfig
from hallway.errors import ConfigError, DiscoveryUnavailable, PluginError
from hallway.interfaces import Discovery
from hallway.model import DeviceInfo, IcePolicy, Mode
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import DiscoveryProvider, PluginContext, SignalingProvider, hookimpl
from hallway.plugins.manager import Skipped, inspect_plugins, load_plugins

CONTEXT = PluginContext(DeviceInfo("a", "p"), InterfacePolicy(), Resolver())


class Quiet(Discovery):
    def __init__(self, config, context):
        self.made_of = (config, context)

    async def start(self, host):
        pass

    async def advertise(self, endpoints):
        pass

    async def aclose(self):
        pass


@attrs.frozen
class Settings:
    size: int = 1


@attrs.frozen
class Demanding:
    url: str


def discovery(name, factory=Quiet, config_class=Settings):
    module = types.ModuleType(name)
    module.hallway_discovery = hookimpl(lambda: [DiscoveryProvider(name=name, config_class=config_class, factory=factory)])
    return module


def signaling(name):
    module = types.ModuleType(name)
    given = {"config_class": Settings, "factory": Quiet, "mode": Mode.LOCAL, "ice_policy": IcePolicy.LAN, "schemes": frozenset({"x"})}
    module.hallway_signaling = hookimpl(lambda: [SignalingProvider(name=name, **given)])
    return module


def config(extra, site, discovery=(), signaling=("s",), **tables):
    site.add_channel("t-channel")
    raw = {"security": "open", "device": {"id": "a", "property": "p"}, "channel": {"chain": ["t-channel"]}}
    return config_from_mapping(
        raw | {"discovery": {"chain": list(discovery)}, "signaling": {"chain": list(signaling)}, "plugins": tables}, extra=extra
    )


@pytest.fixture
def extra():
    return {
        "hallway.discovery": {"one": discovery("one"), "two": discovery("two"), "broken": types.ModuleType("broken")},
        "hallway.signaling": {"s": signaling("s")},
    }


def test_chains_keep_their_order_and_carry_their_configuration(extra, site):
    registry = load_plugins(config(extra, site, ["two", "one"], two={"size": 5}), extra=extra)
    assert [(loaded.name, loaded.config) for loaded in registry.discovery] == [("two", Settings(5)), ("one", Settings(1))]
    (channel,) = registry.channel
    assert (channel.name, channel.distribution, channel.version) == ("t-channel", "hallway-t-channel", "1.2")
    assert registry.problems == ()


def test_a_broken_plugin_is_a_problem_and_the_rest_of_its_chain_goes_on(extra, site):
    registry = load_plugins(config(extra, site, ["one", "broken", "two"]), extra=extra)
    assert [loaded.name for loaded in registry.discovery] == ["one", "two"]
    assert [problem.plugin for problem in registry.problems] == ["broken"]


def by_hand(**plugins):
    device = DeviceConfig(id="a", property="p")
    chains = {"discovery": DiscoveryConfig(("one",)), "signaling": SignalingConfig(("s",)), "channel": ChannelConfig(("t-channel",))}
    return Config(security="open", device=device, **chains, plugins=plugins)


def test_a_config_made_by_hand_gets_defaults(extra, site):
    site.add_channel("t-channel")
    assert load_plugins(by_hand(), extra=extra).discovery[0].config == Settings()
    assert load_plugins(by_hand(one=Settings(3)), extra=extra).discovery[0].config == Settings(3)


def test_a_config_made_by_hand_is_checked_for_what_plugins_need(extra, site):
    site.add_channel("t-channel")
    with pytest.raises(ConfigError, match=r"plugins\.one: must be a Settings, not a dict"):
        load_plugins(by_hand(one={"size": 3}), extra=extra)
    extra["hallway.discovery"]["one"] = discovery("one", config_class=Demanding)
    with pytest.raises(ConfigError, match=r"plugins\.one\.url: is missing"):
        load_plugins(by_hand(), extra=extra)


def test_unknown_names_in_a_config_made_by_hand_are_reported_together(extra, site):
    made = attrs.evolve(by_hand(), discovery=DiscoveryConfig(("nope", "one")), channel=ChannelConfig(("neither",)))
    with pytest.raises(ConfigError) as caught:
        load_plugins(made, extra=extra)
    assert [mistake.path for mistake in caught.value.mistakes] == ["discovery.chain[0]", "channel.chain[0]"]


def test_make_calls_the_factory_with_config_and_context(extra, site):
    registry = load_plugins(config(extra, site, ["one"]), extra=extra)
    made = registry.make(registry.discovery[0], CONTEXT)
    assert isinstance(made, Quiet)
    assert made.made_of == (Settings(), CONTEXT)


def test_a_factory_that_fails_names_plugin_distribution_and_cause(extra, site):
    registry = load_plugins(config(extra, site), extra=extra)
    with pytest.raises(PluginError, match=r"'t-channel' from hallway-t-channel 1\.2: its factory failed: RuntimeError: no such library"):
        registry.make(registry.channel[0], CONTEXT)


def test_a_factory_that_makes_something_else_is_refused(extra, site):
    registry = load_plugins(config(extra, site), extra=extra)
    with pytest.raises(PluginError, match="made a Quiet, not a Signaling"):
        registry.make(registry.signaling[0], CONTEXT)


def test_an_error_of_hallway_from_a_factory_passes_unchanged(extra, site):
    def unavailable(config, context):
        raise DiscoveryUnavailable("not here")

    extra["hallway.discovery"]["one"] = discovery("one", factory=unavailable)
    registry = load_plugins(config(extra, site, ["one"]), extra=extra)
    with pytest.raises(DiscoveryUnavailable):
        registry.make(registry.discovery[0], CONTEXT)


class Seen:
    def __init__(self):
        self.calls = []

    @hookimpl
    def hallway_peer_found(self, peer_id, plugin):
        self.calls.append((peer_id, plugin))

    @hookimpl
    def hallway_link_changed(self, state, details):
        self.calls.append((state, details))
        details.clear()


class Failing:
    def __init__(self, error):
        self.error = error

    @hookimpl
    def hallway_peer_found(self, peer_id):
        raise self.error


@attrs.define
class Unhashable:
    calls: list = attrs.field(factory=list)

    @hookimpl
    def hallway_message_in(self, message):
        self.calls.append(message)


@pytest.mark.parametrize("error", [ValueError("observer bug"), asyncio.CancelledError("observer bug")], ids=repr)
def test_an_observer_that_fails_is_logged_by_name_and_stops_nobody(extra, site, caplog, error):
    first, last = Seen(), Seen()
    registry = load_plugins(config(extra, site), observers=[first, Failing(error), last], extra=extra)
    with caplog.at_level(logging.ERROR):
        registry.hook.hallway_peer_found(peer_id="b", plugin="one")
    assert first.calls == last.calls == [("b", "one")]
    assert "Failing" in caplog.text
    assert "observer bug" in caplog.text


def test_an_observer_cannot_change_what_the_next_one_sees(extra, site):
    first, last = Seen(), Seen()
    registry = load_plugins(config(extra, site), observers=[first, last], extra=extra)
    details = {"ms": 5}
    registry.hook.hallway_link_changed("b", "open", details)
    assert details == {"ms": 5}
    assert [call[0] for call in last.calls] == ["open"]


def test_messages_are_observed_only_if_somebody_wants_them(extra, site):
    assert not load_plugins(config(extra, site), observers=[Seen()], extra=extra).observes_messages
    observer = Unhashable()
    registry = load_plugins(config(extra, site), observers=[observer, Unhashable(["own"])], extra=extra)
    assert registry.observes_messages
    registry.hook.hallway_message_in("b", "1", {"x": 1})
    assert observer.calls == [{"x": 1}]


def test_an_observer_that_equals_another_is_a_problem_and_not_lost_silently(extra, site):
    (problem,) = load_plugins(config(extra, site), observers=[Unhashable(), Unhashable()], extra=extra).problems
    assert problem.hint == "let it compare by identity"


def test_an_observer_given_twice_is_told_once(extra, site):
    observer = Seen()
    load_plugins(config(extra, site), observers=[observer, observer], extra=extra).hook.hallway_peer_found("b", "one")
    assert len(observer.calls) == 1


def test_an_observer_with_a_misspelt_hook_is_a_problem(extra, site):
    class Misspelt:
        @hookimpl
        def hallway_peer_fuond(self, peer_id):
            pass

    (problem,) = load_plugins(config(extra, site), observers=[Misspelt()], extra=extra).problems
    assert problem.hint == "did you mean hallway_peer_found?"


def test_installed_observers_are_loaded_whatever_the_chains_say(extra, site):
    source = "from hallway.plugins import hookimpl\ncalls = []\n@hookimpl\ndef hallway_peer_lost(peer_id): calls.append(peer_id)\n"
    site.add("hallway-watch", "3", {"hallway.observer": {"watch": "site_watch", "gone": "site_gone"}}, {"site_watch": source})
    registry = load_plugins(config(extra, site), extra=extra)
    registry.hook.hallway_peer_lost("b", "one")
    import site_watch

    assert site_watch.calls == ["b"]
    assert [problem.plugin for problem in registry.problems] == ["gone"]


def test_a_plugin_of_a_chain_may_observe_as_well(extra, site):
    seen = []

    @hookimpl
    def hallway_peer_lost(peer_id):
        seen.append(peer_id)

    extra["hallway.discovery"]["one"].hallway_peer_lost = hallway_peer_lost
    load_plugins(config(extra, site, ["one"]), extra=extra).hook.hallway_peer_lost("b", "one")
    assert seen == ["b"]


def test_inspection_loads_everything_but_commands_and_says_what_is_broken(extra, site):
    site.add_channel("t-good")
    site.add_channel("t-bad", "import no_such_library")
    site.add("hallway-cmd", "1", {"hallway.commands": {"t-command": "site_command:run"}}, {"site_command": "raise AssertionError"})
    states = {found.installed.name: found.problem for found in inspect_plugins(extra)}
    assert states["t-good"] is None
    assert states["t-command"] is None
    assert "no_such_library" in str(states["t-bad"])
    assert "offers no discovery" in str(states["broken"])


@attrs.frozen
class Optional:
    url: str | None = option(help="where to", default=None, needed_to_use=True)
    size: int = 1


def test_a_plugin_without_a_key_that_it_needs_is_skipped_with_a_notice_and_the_rest_goes_on(extra, site, caplog):
    extra["hallway.discovery"]["cloud"] = discovery("cloud", config_class=Optional)
    registry = load_plugins(config(extra, site, ["cloud", "one"], cloud={"size": 2}), extra=extra)
    assert [loaded.name for loaded in registry.discovery] == ["one"]
    assert registry.skipped == (Skipped("discovery", "cloud", "plugins.cloud.url is not set"),)
    assert registry.problems == ()
    assert "discovery plugin cloud is skipped: plugins.cloud.url is not set" in caplog.text


def test_a_plugin_that_has_what_it_needs_is_loaded(extra, site):
    extra["hallway.discovery"]["cloud"] = discovery("cloud", config_class=Optional)
    registry = load_plugins(config(extra, site, ["cloud"], cloud={"url": "x"}), extra=extra)
    assert [loaded.config for loaded in registry.discovery] == [Optional("x")]
    assert registry.skipped == ()
