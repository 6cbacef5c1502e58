"""``hallway members`` and ``hallway revoke``: who belongs, and who does not any more."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import click

from hallway.cli.options import json_option, log_level_option
from hallway.cli.trust_options import state_option


@click.command()
@state_option
@json_option
@log_level_option
def members(state: Path, as_json: bool) -> None:
    """List the devices of the property, as this device knows them. Works while the device runs and while it does not.

    \b
    Example:
      hallway members --state /var/lib/hallway/trust

    Exit status: 0, 2 if the command line is wrong, 1 if the folder cannot be read.
    """
    found = asyncio.run(_ask(state, {"command": "members"}))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    count = len(found["members"])
    heard = "" if found["isAdmin"] else ", as far as this device has heard"
    click.echo(f"{found['property']}: {count} {'device' if count == 1 else 'devices'}, epoch {found['epoch']}{heard}")
    for member in found["members"]:
        mark = "  (this device)" if member["deviceId"] == found["deviceId"] else ""
        click.echo(f"  {member['deviceId']}  {member['role']}{mark}")
    if found["revoked"]:
        click.echo(f"{len(found['revoked'])} revoked:")
    for one in found["revoked"]:
        click.echo(f"  {one['deviceId'] or one['keyId']}  {time.strftime('%Y-%m-%d %H:%M', time.localtime(one['at']))}")


@click.command()
@click.argument("device")
@state_option
@json_option
@log_level_option
def revoke(device: str, state: Path, as_json: bool) -> None:
    """Turn DEVICE away: it does not belong to the property any more, and every other device is told so when it is met. DEVICE is its name,
    or its key id (`hallway members --json` has both).

    Run it on an admin, while the device runs or while it does not. It is for good: the device can join again with new keys only. A device
    that has met nobody since still trusts the one that was turned away.

    \b
    Example:
      hallway revoke tablet-3 --state /var/lib/hallway/trust

    Exit status: 0, 2 if the command line is wrong, 1 for any other failure, such as that this device is no admin; then nothing was changed.
    """
    result = asyncio.run(_ask(state, {"command": "revoke", "deviceId": device}))
    if as_json:
        click.echo(json.dumps({"event": "revoked", **result}))
        return
    when = "the others learn of it at once" if result["running"] else "the others learn of it when this device runs"
    click.echo(f"{result['deviceId']} is revoked; {when}.")


async def _ask(state: Path, command: dict[str, Any]) -> dict[str, Any]:
    from hallway.cli.trust_reach import reached

    async with reached(state) as (ask, running):
        return {**await ask(command), "running": running}
