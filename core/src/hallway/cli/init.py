"""``hallway init``: a new property, with this device as its admin."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hallway.cli.options import json_option, log_level_option
from hallway.cli.trust_options import RECOVERY, device_name, new_passphrase, property_name, recovery_option, state_option

if TYPE_CHECKING:
    from hallway.runtime.membership.founding import Founded


@click.command()
@state_option
@click.option("--property", "name", metavar="NAME", required=True, callback=property_name, help="What people call the site.")
@click.option("--device", metavar="ID", required=True, callback=device_name, help="This device's name, unique at the site.")
@recovery_option
@json_option
@log_level_option
def init(state: Path, name: str, device: str, recovery: Path | None, as_json: bool) -> None:
    """Make a property: its keys, this device as its first member and admin, and a recovery file.

    The recovery file and its passphrase make a new admin when this device is lost; keep them in different places, and neither on this
    device. On a terminal the passphrase is asked for; left empty, or without a terminal, it is made up and printed once.

    \b
    Example:
      hallway init --state /var/lib/hallway/trust --property "Hotel Sea View" --device desk
      hallway invite --state /var/lib/hallway/trust

    If it is interrupted, run it again.

    Exit status: 0, 2 if the command line is wrong, 1 for any other failure; then nothing was made.
    """
    from hallway.runtime.membership.founding import found

    place = recovery or state / RECOVERY
    found(state, name, device, place, new_passphrase, lambda made: _tell(made, state, name, device, place, as_json=as_json))


def _tell(made: Founded, state: Path, name: str, device: str, place: Path, *, as_json: bool) -> None:
    result = {
        "event": "initialised",
        "property": name,
        "propertyId": made.membership.property_id.hex(),
        "deviceId": device,
        "recoveryFile": str(place),
        **({"passphrase": made.passphrase} if made.is_made_up else {}),
    }
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    click.echo(f"{device} is the first device of {name}, and its admin.")
    click.echo(f"The recovery file is {place}: move it to a safe place, away from this device.")
    if made.is_made_up:
        click.echo(f"Its passphrase, shown this once: {made.passphrase}")
    folder = shlex.quote(str(state))
    click.echo(f"Let another device join: hallway invite --state {folder}")
    click.echo(f"Run this one: hallway up --state {folder}")
