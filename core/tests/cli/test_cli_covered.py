"""No command shows a password that is in a configuration, whether it is right or has a mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hallway.cli.main import cli

pytestmark = pytest.mark.attack("A26")

PASSWORD = "turn-password"
CONFIG = f"""
security = "open"
[device]
id = "a"
property = "p"
[plugins.aiortc]
ice_servers = [{{ urls = "turn:203.0.113.9", username = "hotel", credential = "{PASSWORD}" }}]
"""
SLIPS = {
    "right": ("", ""),
    "a list": (f'"{PASSWORD}"', f'["{PASSWORD}"]'),
    "no end": (f'"{PASSWORD}"', f'"{PASSWORD}'),
    "no quotes": (f'"{PASSWORD}"', PASSWORD),
    "another key": ("credential", "credental"),
    "no user": ('username = "hotel", ', ""),
    "no table": ("[{", f'["{PASSWORD}", {{'),
    "twice": ("ice_servers", f'ice_servers = ["{PASSWORD}"]\nice_servers'),
}


@pytest.mark.parametrize("command", [("config", "check"), ("config", "check", "--json"), ("plan",), ("plan", "--json")])
@pytest.mark.parametrize("slip", SLIPS)
def test_in_a_file(tmp_path: Path, command: tuple[str, ...], slip: str) -> None:
    path = tmp_path / "device.toml"
    path.write_text(CONFIG.replace(*SLIPS[slip], 1) if slip != "right" else CONFIG)
    result = CliRunner().invoke(cli, [*command, "--config", str(path)], catch_exceptions=False)
    assert result.output
    assert (result.exit_code == 2) is (slip != "right")
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    "setting",
    [
        f'ice_servers=[{{urls="turn:203.0.113.9", username="hotel", credential="{PASSWORD}"}}]',
        f'ice_servers=[{{urls="turn:203.0.113.9", username="hotel", credential="{PASSWORD}"',
        f"ice_servers.credential={PASSWORD}",
        f"credential={PASSWORD}",
    ],
)
def test_on_the_command_line(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "device.toml"
    path.write_text(CONFIG)
    words = ["config", "check", "--config", str(path), "--set", f"plugins.aiortc.{setting}"]
    assert PASSWORD not in CliRunner().invoke(cli, words, catch_exceptions=False).output
