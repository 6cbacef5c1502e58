from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from hallway.config import Config, load_config, plain
from hallway.errors import ConfigError
from hallway.network import DENIED_BY_DEFAULT
from hallway.plugins import hookimpl


def mistakes(*args, **kwargs) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load_config(*args, **({"environ": {}} | kwargs))
    return {mistake.path: f"{mistake.problem} ({mistake.suggestion})" for mistake in caught.value.mistakes}


def test_a_file_gives_a_frozen_config_with_defaults_filled_in(write, extra):
    config = load_config(write(), environ={}, extra=extra)
    assert (config.security, config.device.id, config.device.property, config.device.type) == ("open", "tablet-1", "property-123", "device")
    assert (config.network.interfaces, config.network.deny) == (("*",), DENIED_BY_DEFAULT)
    assert set(config.plugins) == {"t-find", "t-http", "t-rtc"}
    assert config.plugins["t-http"].port == 8090
    with pytest.raises(AttributeError):
        config.security = "sealed"


def test_the_default_chains_are_local():
    config = load_config(environ={}, overrides=["security=open", "device.id=a", "device.property=p"])
    assert (config.chain("discovery"), config.chain("signaling"), config.chain("channel")) == (("mdns",), ("http-local",), ("aiortc",))


def test_all_mistakes_of_the_core_and_of_plugins_are_reported_together(write, extra):
    text = """
        [network]
        interfces = ["eth0"]
        deny = "docker*"
        [delivery]
        store = "/tmp/"
        [plugins.t-http]
        port = 70000
        host = 5
        verbos = true
        [plugins.t-rtc]
        ice_servers = [{ urls = "stun:x" }, { url = "stun:y" }]
        [plugins.nonsense]
        x = 1
    """
    base = """
        security = "open"
        device = { id = "-x" }
        discovery = { chain = ["t-find"] }
        signaling = { chain = ["t-http", "t-htp"] }
        channel = { chain = ["t-rtc"] }
    """
    found = mistakes(write(text, base), extra=extra)
    assert set(found) == {
        "device.id",
        "device.property",
        "signaling.chain[1]",
        "network.interfces",
        "network.deny",
        "delivery.store",
        "plugins.t-http.port",
        "plugins.t-http.host",
        "plugins.t-http.verbos",
        "plugins.t-rtc.ice_servers[1].url",
        "plugins.nonsense",
    }
    assert "did you mean interfaces?" in found["network.interfces"]
    assert "did you mean verbose?" in found["plugins.t-http.verbos"]
    assert "must be 1 to 65535 (TCP port)" in found["plugins.t-http.port"]
    assert "must be text, not a whole number" in found["plugins.t-http.host"]
    assert "must be a list, not text" in found["network.deny"]
    assert "must name a file" in found["delivery.store"]
    assert "did you mean t-http?" in found["signaling.chain[1]"]
    assert "installed:" in found["signaling.chain[1]"]
    assert "t-cloud" in found["signaling.chain[1]"]
    assert "aiortc" in found["plugins.nonsense"]


def test_security_is_sealed_unless_it_is_open_and_both_are_explained(write, extra):
    found = mistakes(environ={})
    assert set(found) == {"trust.state"}
    for word in ("hallway init", "hallway join", 'security = "open": whoever reaches this network may join'):
        assert word in found["trust.state"]
    assert "did you mean 'open'?" in mistakes(write(), overrides=["security=opn"], extra=extra)["security"]


def test_a_missing_device_table_is_reported_by_its_keys():
    assert {"device.id", "device.property"} <= set(mistakes(overrides=["security=open"]))


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("signaling.chain", "[]", "must not be empty"),
        ("channel.chain", "[]", "must not be empty"),
        ("network.interfaces", "[]", "must not be empty"),
        ("channel.chain", '["t-rtc", "t-rtc"]', "t-rtc more than once"),
        ("channel.chain", '["t-http"]', "is a signaling plugin"),
        ("channel.chain", "t-rtc", "must be a list"),
        ("channel.chain", "[1]", "must be text, not a whole number"),
        ("device.id", "a.b", "letters, digits and hyphens"),
        ("device.property", '""', "1 to 128"),
        ("device.type", '"\\u0000"', "printable"),
        ("discovery.last_good", "''", "must name a file"),
        ("discovery.last_good", "/var/lib/hallway/", "must name a file"),
        ("device", "3", "must be a table"),
        ("plugins", "3", "must be a table"),
        ("plugins.t-http", "3", "must be a table"),
        ("plugins.t-http.port", "true", "must be a whole number, not true or false"),
        ("plugins.t-http.port", "1.0", "must be a whole number, not a number"),
        ("plugins.t-http.port", "'8090'", "must be a whole number, not text"),
        ("plugins.t-http.verbose", "1", "must be true or false"),
        ("plugins.t-http.ratio", "true", "must be a number"),
        ("plugins.t-http.ratio", "nan", "must be finite"),
        ("plugins.t-http.ratio", "2", "must be 0 to 1"),
        ("plugins.t-http.ratio", "1" + "0" * 400, "64 bits"),
        ("plugins.t-rtc.port_range", "[1]", "must have 2 numbers, not 1"),
        ("plugins.t-rtc.port_range", "5", "must be a list"),
        ("plugins.t-rtc.colour", "green", "must be one of 'red', 'blue'"),
        ("plugins.t-rtc.style", "fanc", "did you mean 'fancy'?"),
        ("plugins.t-rtc.labels", "{a = 'x'}", "must be a whole number"),
        ("plugins.t-rtc.labels", "[]", "must be a table"),
        ("plugins.t-rtc.ice_servers", "[{urls = 5}]", "must be text or a list"),
        ("plugins.t-rtc.ice_servers", "[{urls = [5]}]", "must be text, not a whole number"),
        ("plugins.t-rtc.tuning.port", "0", "must be 1 to 65535"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(write, extra, key, value, part):
    found = mistakes(write(), overrides=[f"{key}={value}"], extra=extra)
    ((path, text),) = found.items()
    assert path.startswith(key)
    assert part in text


def test_a_link_that_is_lost_before_it_can_be_suspected_twice_is_the_mistake_of_one_key_with_its_source(write, extra):
    found = mistakes(write(), overrides=["link.lost_after=2"], extra=extra)
    assert found == {
        "link.lost_after": "must be at least twice link.suspect_after: 3 or more, as set by --set (not 2, or lower suspect_after)"
    }


def test_every_entry_of_a_table_that_its_check_refuses_is_a_mistake_of_its_own(write, extra):
    found = mistakes(write("[plugins.t-rtc.labels]\nfirst = -1\nsecond = 2\nthird = -3\n"), extra=extra)
    assert found == {f"plugins.t-rtc.labels.{name}": "must not be negative (free keys)" for name in ("first", "third")}


def test_a_date_is_no_text(write, extra):
    assert "must be text, not a date" in mistakes(write("[plugins.t-http]\nhost = 1979-05-27\n"), extra=extra)["plugins.t-http.host"]


def test_every_supported_type_is_read(write, extra):
    text = """
        [plugins.t-http]
        ratio = 1
        verbose = true
        [plugins.t-rtc]
        ice_servers = [{ urls = "stun:x" }, { urls = ["turn:a", "turn:b"], credential = "hush" }]
        port_range = [49152, 65535]
        colour = "blue"
        labels = { a = 1 }
        folder = "/tmp"
        [plugins.t-rtc.tuning]
        port = 1
    """
    plugins = load_config(write(text), environ={}, extra=extra).plugins
    rtc = plugins["t-rtc"]
    assert isinstance(plugins["t-http"].ratio, float)
    assert [server.urls for server in rtc.ice_servers] == ["stun:x", ("turn:a", "turn:b")]
    assert (rtc.port_range, rtc.colour.value, rtc.labels, rtc.folder, rtc.tuning.port) == (
        (49152, 65535),
        "blue",
        {"a": 1},
        Path("/tmp"),
        1,
    )


def test_a_table_of_an_unlisted_plugin_is_checked_and_kept(write, extra):
    assert load_config(write('[plugins.t-cloud]\nurl = "wss://x"\n'), environ={}, extra=extra).plugins["t-cloud"].url == "wss://x"
    assert "plugins.t-cloud.url" in mistakes(write("[plugins.t-cloud]\n"), extra=extra)


def test_a_table_of_an_unlisted_plugin_that_is_broken_is_left_unchecked_with_a_warning(write, extra, caplog):
    extra["hallway.channel"]["t-broken"] = object()
    assert "t-broken" not in load_config(write("[plugins.t-broken]\nx = 1\n"), environ={}, extra=extra).plugins
    assert "[plugins.t-broken] cannot be checked" in caplog.text


def test_a_listed_plugin_without_a_table_must_not_lack_a_required_key(write, extra):
    found = mistakes(write(), overrides=['signaling.chain=["t-http","t-cloud"]'], extra=extra)
    assert found == {"plugins.t-cloud.url": "is missing (the URL of the signaling server)"}


def test_a_sealed_device_needs_the_folder_of_its_enrolment_and_no_name(write, extra):
    assert set(mistakes(write(), overrides=["security=sealed"], extra=extra)) == {"trust.state"}
    config = load_config(overrides=["trust.state=/var/lib/hallway"], environ={})
    assert (config.security, config.device.id, config.trust.state) == ("sealed", None, Path("/var/lib/hallway"))


class TestSlips:
    def test_security_below_a_table_belongs_above_the_first(self, write):
        base = '[device]\nid = "a"\nproperty = "p"\nsecurity = "open"\n'
        assert mistakes(write(base=base)) == {"device.security": "is not a known key (belongs above the first [table])"}
        base = f'{base.replace("security", "type")}[plugins.http-local]\nport = 8091\nsecurity = "open"\n'
        assert mistakes(write(base=base)) == {"plugins.http-local.security": "is not a known key (belongs above the first [table])"}

    def test_a_misplaced_security_is_checked_like_one_in_its_place(self, write):
        found = mistakes(write(base='[device]\nid = "a"\nproperty = "p"\nsecurity = "sealed"\n'))
        assert set(found) == {"device.security", "trust.state"}

    @pytest.mark.parametrize("name", ["http-local", "http_local", "HTTP-Local"])
    def test_a_plugins_table_belongs_below_plugins(self, write, extra, name):
        found = mistakes(write(f"[{name}]\nport = 1\n"), extra=extra)
        assert found == {name: "is not a known key (did you mean [plugins.http-local]?)"}

    @pytest.mark.parametrize(
        ("base", "expected"),
        [
            ('security = "open"\n[devise]\nid = "a"\n', {"devise": "device"}),
            ('security = "open"\n[device]\nID = "a"\nproperty = "p"\n', {"device.ID": "id"}),
            ('securty = "open"\n[device]\nid = "a"\nproperty = "p"\n', {"securty": "security"}),
        ],
    )
    def test_what_is_misspelt_is_not_missing_as_well(self, write, base, expected):
        assert mistakes(write(base=base)) == {key: f"is not a known key (did you mean {meant}?)" for key, meant in expected.items()}

    def test_what_is_missing_beside_a_misspelt_key_is_named(self, write):
        assert set(mistakes(write(base='security = "open"\n[device]\nID = "a"\n'))) == {"device.ID", "device.property"}

    def test_mistakes_come_in_the_order_of_the_file(self, write, extra):
        text = "[plugins.t-rtc]\nice_servers = [{ url = 'x' }]\ncolour = 1\n[plugins.t-http]\nverbose = 1\nport = 0\n[network]\ndney = []\n"
        base = "discovery = { chain = ['t-find', 'x'] }\nsecurity = 'open'\n"
        base += "signaling = { chain = ['t-http'] }\nchannel = { chain = ['t-rtc'] }\n[device]\nx = 1\nid = '?'\n"
        assert list(mistakes(write(text, base), extra=extra)) == [
            "discovery.chain[1]",
            "device.x",
            "device.id",
            "device.property",
            "plugins.t-rtc.ice_servers[0].url",
            "plugins.t-rtc.colour",
            "plugins.t-http.verbose",
            "plugins.t-http.port",
            "network.dney",
        ]

    def test_where_all_keys_are_is_said_only_of_unknown_ones(self, write, extra):
        for text, hint in (("[network]\ndney = []\n", "docs/reference/config.md"), ("[plugins.t-http]\nport = 0\n", "")):
            with pytest.raises(ConfigError) as caught:
                load_config(write(text), environ={}, extra=extra)
            assert hint in caught.value.hint
            assert bool(hint) is bool(caught.value.hint)


class TestFiles:
    def test_a_missing_file_is_a_mistake(self, tmp_path):
        assert "cannot be read" in mistakes(tmp_path / "no.toml")[str(tmp_path / "no.toml")]

    def test_a_folder_is_a_mistake(self, tmp_path):
        assert "cannot be read" in mistakes(tmp_path)[str(tmp_path)]

    def test_a_syntax_error_says_the_line(self, write):
        path = write("[[[", base="a = 1\nb =\n")
        assert "line 2" in mistakes(path)[str(path)]

    @pytest.mark.parametrize(
        ("text", "quoted", "hint"),
        [
            ("id = tablet-1", ": id = tablet-1", "text needs quotes"),
            ("id = 12-tablet", ": id = 12-tablet", "text needs quotes"),
            ("id = True", ": id = True", "write true"),
            ("id =", ": id =", "the value is missing"),
            ("port = 08090", ": port = 08090", "begins with no 0"),
            ("id = 'a'\nid = 'b'", ": id = 'b'", "the key is there twice"),
            ("[device]\n[device]", ": [device]", "the table is there twice"),
            ("id: 'a'", ": id: 'a'", "write key = value"),
            ("path = 'x", ": path = 'x", ""),
            ('path = "C:\\site"', ': path = "C:\\site"', "write a backslash as"),
            ("chain = ['a'", ": chain = ['a'", "a bracket is not closed"),
            ('id = "a', ': id = "a', "a quote is not closed"),
        ],
    )
    def test_a_syntax_error_quotes_the_line_and_says_what_to_do(self, write, text, quoted, hint):
        path = write(base=f"{text}\n")
        found = mistakes(path)[str(path)]
        assert quoted in found
        assert hint in found

    def test_a_line_that_may_hold_a_secret_is_not_quoted(self, write):
        path = write(base="a = 1\ncredential = hush\n")
        assert mistakes(path)[str(path)] == "is not TOML: invalid value (line 2) (text needs quotes)"

    def test_bytes_that_are_not_utf8_say_the_line(self, tmp_path):
        path = tmp_path / "device.toml"
        path.write_bytes(b"a = 1\nb = '\xff'\n")
        assert "is not UTF-8 (line 2)" in mistakes(path)[str(path)]

    def test_a_byte_order_mark_is_skipped(self, write, extra):
        path = write()
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert load_config(path, environ={}, extra=extra)

    @pytest.mark.parametrize("text", ["a = " + "[" * 30_000, "a = " + "{b=" * 10_000, "a = " + "9" * 10_000, "a." * 30_000 + "a = 1"])
    def test_what_the_parser_chokes_on_is_refused(self, write, text):
        path = write(base=text)
        assert "is not TOML" in mistakes(path)[str(path)]

    def test_deep_nesting_is_refused(self, write):
        assert "nested deeper" in mistakes(write(base=".".join("a" * 100) + " = 1"))["the configuration"]

    def test_a_huge_file_is_refused_unread(self, tmp_path):
        path = tmp_path / "huge.toml"
        with path.open("wb") as file:
            file.truncate(10**9)
        assert "is larger than" in mistakes(path)[str(path)]

    def test_an_endless_file_is_refused(self):
        assert "is larger than" in mistakes("/dev/zero")["/dev/zero"]

    def test_mistakes_of_other_sources_are_reported_beside_an_unreadable_file(self, tmp_path):
        assert set(mistakes(tmp_path / "no.toml", overrides=["x"])) == {str(tmp_path / "no.toml"), "--set x"}


def test_a_config_class_that_cannot_be_read_is_its_authors_mistake(write, extra):
    @attrs.frozen
    class Odd:
        what: complex = 1j

    plugin = extra["hallway.signaling"]["t-http"]
    records = [attrs.evolve(plugin.hallway_signaling()[0], config_class=Odd)]
    plugin.hallway_signaling = hookimpl(lambda: records)
    assert "tell its author" in mistakes(write("[plugins.t-http]\nwhat = 1\n"), extra=extra)["plugins.t-http.what"]


def test_secrets_are_never_shown(write, extra):
    text = '[plugins.t-cloud]\nurl = "wss://x"\ntoken = "hush"\n[plugins.t-rtc]\nice_servers = [{ urls = "turn:x", credential = "hush" }]\n'
    config = load_config(write(text), environ={}, extra=extra)
    assert config.plugins["t-cloud"].token == "hush"
    assert "hush" not in repr(config)
    assert "hush" not in repr(plain(config))
    assert isinstance(config, Config)
