from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from hallway.cli.main import COMMANDS, cli

HOLLOW = """
import attrs
from hallway.plugins import DiscoveryProvider, hookimpl

@attrs.frozen
class Config:
    pass

def make(config, context):
    import no_such_library

@hookimpl
def hallway_discovery():
    return [DiscoveryProvider(name="hollow", config_class=Config, factory=make)]
"""
VALID = ["--set", "security=open", "--set", "device.id=101", "--set", "device.property=p"]


@pytest.fixture
def run(monkeypatch):
    for name in [name for name in os.environ if name.startswith("HALLWAY_")]:
        monkeypatch.delenv(name)
    return lambda *args: CliRunner().invoke(cli, args, prog_name="hallway", catch_exceptions=False)


def install(folder: Path, group: str, name: str, source: str) -> None:
    info = folder / f"hallway_{name}-7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hallway-{name}\nVersion: 7\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = cli_site_{name}\n")
    (folder / f"cli_site_{name}.py").write_text(source)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in [name for name in set(sys.modules) - before if name.startswith("cli_site_")]:
        del sys.modules[name]


def every_command() -> list[str]:
    groups = {name: importlib.import_module(f"hallway.cli.{name}").COMMANDS for name in ("bench", "config")}
    return [*COMMANDS, *(f"{group} {name}" for group, names in groups.items() for name in names)]


class TestHelp:
    def test_help_lists_every_command_without_importing_one(self, run):
        script = (
            "import sys; from hallway.cli.main import cli\n"
            "try: cli(['--help'])\n"
            "except SystemExit: pass\n"
            "heavy = {'rich', 'aiortc', 'zeroconf', 'aiohttp', 'hallway.cli.plugins', 'hallway.cli.up'}\n"
            "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert all(name in done.stdout for name in COMMANDS)
        assert done.stderr.strip() == "[]"

    @pytest.mark.parametrize("command", every_command())
    def test_every_command_has_an_example_and_says_its_exit_status(self, run, command):
        text = run(*command.split(), "--help").stdout
        assert "\n  Example:\n" in text
        assert "Exit status: " in text
        assert "RANGE" not in text

    def test_a_name_that_is_none_is_told_with_the_nearest(self, run):
        assert "No such command 'benhc'. Did you mean bench?" in run("benhc").stderr
        assert "Did you mean" not in run("xyzzy").stderr

    def test_the_version_is_that_of_the_distribution(self, run):
        assert run("--version").output.startswith("hallway 0.")

    def test_an_unknown_command_is_a_usage_error(self, run):
        assert run("nonsense").exit_code == 2


class TestConfigCheck:
    def test_a_valid_configuration_is_printed_whole_as_toml(self, run, tmp_path):
        path = tmp_path / "device.toml"
        path.write_text('security = "open"\n[device]\nid = "a"\nproperty = "\\u00e9"\n[plugins.http-local]\nport = 8091\n')
        result = run("config", "check", "--config", str(path))
        assert result.exit_code == 0
        assert "# ok" in result.output
        assert "# signaling: http-local (hallway-http-local-signaling " in result.output
        printed = tomllib.loads(result.output)
        assert printed["plugins"]["http-local"]["port"] == 8091

    def test_what_is_printed_is_a_configuration_that_prints_the_same(self, run, tmp_path):
        first = run("config", "check", *VALID, "--set", 'plugins.aiortc.ice_servers=[{urls="stun:stun.example.org"}]').output
        path = tmp_path / "printed.toml"
        path.write_text(first)
        assert run("config", "check", "--config", str(path)).output == first

    def test_every_mistake_is_printed_with_status_2(self, run):
        result = run("config", "check", "--set", "network.dney=[]", "--set", "security=open")
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "device.id: is missing" in result.stderr
        assert "did you mean deny?" in result.stderr

    def test_with_json_mistakes_are_one_error_event(self, run):
        result = run("config", "check", "--json", "--config", "/no/such/file")
        assert result.exit_code == 2
        event = json.loads(result.stdout)
        assert (event["event"], event["code"]) == ("error", "config")
        assert event["mistakes"][0]["path"] == "/no/such/file"

    def test_with_json_a_valid_configuration_is_one_object(self, run):
        printed = json.loads(run("config", "check", "--json", *VALID, "--set", "plugins.memory={}").stdout)
        assert printed["ok"] is True
        assert printed["config"]["device"] == {"id": "101", "property": "p", "type": "device"}
        assert [plugin["name"] for plugin in printed["plugins"]] == ["mdns", "http-local", "aiortc"]
        assert printed["unused"] == ["memory"]

    def test_a_listed_plugin_that_does_not_work_is_status_1(self, run, site):
        install(site, "hallway.discovery", "broken", "import no_such_library")
        result = run("config", "check", "--json", *VALID, "--set", 'discovery.chain=["mdns","broken"]')
        assert result.exit_code == 1
        assert json.loads(result.stdout)["problems"][0]["distribution"] == "hallway-broken 7"
        assert "no_such_library" in result.stderr

    def test_keys_that_are_not_set_are_comments(self, run):
        result = run("config", "check", *VALID)
        assert "# plugins.aiortc.port_range is not set: " in result.stdout
        assert "# delivery.store is not set: " in result.stdout
        assert {"plugins.aiortc.port_range", "delivery.store"} <= set(json.loads(run("config", "check", "--json", *VALID).stdout)["absent"])

    def test_a_plugin_whose_factory_lacks_a_library_is_status_1(self, run, site):
        install(site, "hallway.discovery", "hollow", HOLLOW)
        result = run("config", "check", *VALID, "--set", 'discovery.chain=["hollow"]')
        assert result.exit_code == 1
        assert "# no mistakes, but not every plugin works" in result.stdout
        assert "hallway-hollow 7: its factory failed: ModuleNotFoundError: No module named 'no_such_library'" in result.stderr

    def test_a_plugin_that_is_skipped_is_named_with_the_reason(self, run):
        settings = (*VALID, "--set", 'signaling.chain=["http-local","cloud-ws"]')
        result = run("config", "check", *settings)
        assert result.exit_code == 0
        assert "# signaling: cloud-ws is skipped, plugins.cloud-ws.url is not set" in result.stdout
        assert json.loads(run("config", "check", "--json", *settings).stdout)["skipped"][0]["name"] == "cloud-ws"

    def test_interfaces_that_this_machine_does_not_have_are_a_warning(self, run):
        settings = (*VALID, "--set", 'network.interfaces=["wlan77"]')
        result = run("config", "check", *settings)
        assert result.exit_code == 0
        assert "warning: no interface of this machine may be used; interfaces here: " in result.stderr
        assert "allowed: wlan77" in result.stderr
        assert "wlan77" in json.loads(run("config", "check", "--json", *settings).stdout)["warnings"][0]
        assert run("config", "check", *VALID, "--set", 'network.interfaces=["wlan77","lo*"]').stderr == ""

    def test_the_environment_counts(self, run, monkeypatch):
        monkeypatch.setenv("HALLWAY_DEVICE__TYPE", "tablet")
        assert 'device.type = "tablet"' in run("config", "check", *VALID).output


def test_config_schema_prints_a_json_schema(run):
    jsonschema.Draft202012Validator.check_schema(json.loads(run("config", "schema").stdout))


class TestPlugins:
    def test_lists_role_name_distribution_version_and_state(self, run):
        lines = [line.split() for line in run("plugins").stdout.splitlines()]
        assert lines[0] == ["role", "name", "distribution", "version", "state", "chain"]
        assert ["channel", "aiortc", "hallway-aiortc-channel"] in [line[:3] for line in lines]

    def test_says_what_is_broken_and_leaves_commands_unloaded(self, run, site):
        install(site, "hallway.channel", "broken", "import no_such_library")
        install(site, "hallway.commands", "greet", "raise AssertionError('imported')")
        rows = {(row["role"], row["name"]): row for row in json.loads(run("plugins", "--json").stdout)}
        assert rows["channel", "broken"]["state"] == "broken"
        assert "no_such_library" in rows["channel", "broken"]["problem"]
        assert rows["command", "greet"]["state"] == "not loaded"
        assert "no_such_library" in run("plugins").stdout

    def test_one_whose_factory_lacks_a_library_is_broken_and_one_that_needs_a_key_is_found(self, run, site):
        install(site, "hallway.discovery", "hollow", HOLLOW)
        states = {row["name"]: row["state"] for row in json.loads(run("plugins", "--json").stdout)}
        assert (states["hollow"], states["cloud-ws"], states["aiortc"]) == ("broken", "found", "ok")
        url = ("--set", "plugins.cloud-ws.url=ws://127.0.0.1:1")
        states = {row["name"]: row["state"] for row in json.loads(run("plugins", "--json", *VALID, *url).stdout)}
        assert states["cloud-ws"] == "ok"

    def test_says_which_are_in_the_chains_of_a_configuration(self, run):
        rows = {(row["role"], row["name"]): row["chain"] for row in json.loads(run("plugins", "--json", *VALID).stdout)}
        assert (rows["channel", "aiortc"], rows["channel", "memory"]) == (1, None)


class TestExternalCommands:
    def test_a_command_is_imported_only_when_it_is_called(self, run, site):
        install(site, "hallway.commands", "greet", "import click\n@click.command()\ndef run():\n    click.echo('hello')\n")
        entry_points = site / "hallway_greet-7.dist-info" / "entry_points.txt"
        entry_points.write_text("[hallway.commands]\ngreet = cli_site_greet:run\n")
        assert "greet          (from hallway-greet)" in run("--help").stdout
        assert "cli_site_greet" not in sys.modules
        assert run("greet").stdout == "hello\n"

    @pytest.mark.parametrize("source", ["import no_such_library", "x = 1"])
    def test_a_broken_command_names_its_distribution(self, run, site, source):
        install(site, "hallway.commands", "greet", source)
        assert run("--help").exit_code == 0
        result = run("greet")
        assert result.exit_code == 1
        assert "hallway-greet 7" in result.stderr

    def test_a_built_in_command_cannot_be_replaced(self, run, site):
        install(site, "hallway.commands", "plugins", "raise AssertionError('imported')")
        assert run("plugins").exit_code == 0
        assert run("--help").stdout.count("\n  plugins ") == 1


def test_log_level_sets_up_logging_on_stderr(run, monkeypatch):
    assert run("plugins", "--log-level", "nonsense").exit_code == 2
    monkeypatch.setenv("HALLWAY_LOG", "nonsense")
    assert run("plugins").exit_code == 2


class TestPlan:
    def test_says_the_order_and_the_deadlines_and_what_happens_when_a_path_is_down(self, run):
        result = run("plan", *VALID, "--set", 'signaling.chain=["http-local","cloud-ws"]', "--set", "plugins.cloud-ws.url=ws://127.0.0.1:1")
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert any(line.startswith("  1. http-local (hallway-http-local-signaling ") and "1.5 s an attempt" in line for line in lines)
        assert any(line.startswith("  2. cloud-ws ") and "mode cloud" in line for line in lines)
        assert any(line.split()[:4] == ["the", "LAN", "path", "cloud-ws"] for line in lines)

    def test_with_json_it_is_one_object(self, run):
        planned = json.loads(run("plan", "--json", *VALID, "--set", 'signaling.chain=["http-local","cloud-ws"]').stdout)
        assert [plugin["name"] for plugin in planned["signaling"]] == ["http-local"]
        assert planned["attempts"] == [{"plugin": "http-local", "mode": "local", "icePolicy": "lan", "seconds": 1.5}]
        assert planned["skipped"] == [{"role": "signaling", "name": "cloud-ws", "reason": "plugins.cloud-ws.url is not set"}]
        assert {each["down"]: each["order"] for each in planned["outages"]} == {
            "nothing": ["http-local"],
            "the WAN": ["http-local"],
            "the LAN path": [],
            "both": [],
        }

    def test_a_chain_of_which_nothing_is_left_is_status_1(self, run):
        result = run("plan", *VALID, "--set", 'signaling.chain=["cloud-ws"]')
        assert result.exit_code == 1
        assert "skipped: signaling cloud-ws" in result.stdout

    def test_a_mistake_is_status_2(self, run):
        assert run("plan", "--set", "security=opn").exit_code == 2
