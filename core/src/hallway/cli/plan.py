"""``hallway plan``: what a configuration would do, and what it would do when things fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs
import click

from hallway.cli.options import config_options, json_option, log_level_option
from hallway.config import load_config
from hallway.plugins.manager import Loaded, Registry, load_plugins
from hallway.plugins.roles import ROLES
from hallway.protocol.chain import ChainEntry
from hallway.protocol.forecast import Forecast, forecasts


@click.command()
@config_options
@json_option
@log_level_option
def plan(config_path: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what a configuration would load, in which order and with which deadlines, and what happens when a path is down.

    Nothing is started and nothing is sent.

    \b
    Example:
      hallway plan --config tablet-1.toml

    Exit status: 2 if there is a mistake in the configuration, 1 if no signaling or no channel plugin is left, else 0.
    """
    config = load_config(config_path, overrides=overrides)
    registry = load_plugins(config)
    entries = [ChainEntry.of(loaded.provider) for loaded in registry.signaling]
    futures = forecasts(entries)
    click.echo(
        json.dumps(_as_json(registry, entries, futures), ensure_ascii=False) if as_json else "\n".join(_as_text(registry, entries, futures))
    )
    raise SystemExit(0 if registry.signaling and registry.channel else 1)


def _as_json(registry: Registry, entries: list[ChainEntry], futures: list[Forecast]) -> dict[str, Any]:
    return {
        **{role: [_plugin(loaded) for loaded in getattr(registry, role)] for role in ROLES},
        "attempts": [
            {"plugin": entry.plugin, "mode": entry.mode.value, "icePolicy": entry.ice_policy.value, "seconds": entry.patience}
            for entry in entries
        ],
        "skipped": [attrs.asdict(skipped) for skipped in registry.skipped],
        "problems": [str(problem) for problem in registry.problems],
        "outages": [{"down": future.down, "mode": future.mode.value, "order": list(future.order)} for future in futures],
    }


def _plugin(loaded: Loaded[Any]) -> dict[str, str]:
    return {"name": loaded.name, "distribution": loaded.distribution, "version": loaded.version}


def _as_text(registry: Registry, entries: list[ChainEntry], futures: list[Forecast]) -> Iterator[str]:
    yield from _chains(registry, entries)
    yield from (f"skipped: {each.role} {each.name}, {each.reason}" for each in registry.skipped)
    yield from (f"broken: {problem}" for problem in registry.problems)
    yield ""
    yield "If this is down     new links are signaled by"
    for future in futures:
        order = ", then ".join(future.order) or "nothing; it keeps trying, and open links on the LAN live on"
        yield f"  {future.down:<18}{order} (signaling mode {future.mode.value})"


def _chains(registry: Registry, entries: list[ChainEntry]) -> Iterator[str]:
    yield f"discovery, all at once: {', '.join(map(_named, registry.discovery)) or 'none'}"
    yield "signaling, in this order for each peer:"
    for number, (loaded, entry) in enumerate(zip(registry.signaling, entries, strict=True), 1):
        servers = "no ICE server" if entry.ice_policy.value == "lan" else "ICE servers, gathering at most 1 s"
        yield f"  {number}. {_named(loaded)}: {entry.patience:g} s an attempt, mode {entry.mode.value}, {servers}"
    yield f"channel, the first that both ends have: {', '.join(map(_named, registry.channel))}"


def _named(loaded: Loaded[Any]) -> str:
    return f"{loaded.name} ({loaded.distribution} {loaded.version})"
