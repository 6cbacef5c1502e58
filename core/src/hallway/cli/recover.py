"""``hallway recover``: an admin again, by the recovery file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hallway.cli.options import json_option, log_level_option
from hallway.cli.trust_options import RECOVERY, device_name, known_passphrase, property_name, recovery_option, state_option


@click.command()
@state_option
@recovery_option
@click.option("--property", "name", metavar="NAME", callback=property_name, help="The site's name; for a device that is not enrolled.")
@click.option("--device", metavar="ID", callback=device_name, help="This device's name; for a device that is not enrolled.")
@json_option
@log_level_option
def recover(state: Path, recovery: Path | None, name: str | None, device: str | None, as_json: bool) -> None:
    """Make this device an admin of its property by the recovery file, when the admin is lost.

    Run it on a device that is still enrolled, while it does not run: all others learn of the new admin from it. Then turn the lost one away
    with `hallway revoke`. On a device that is not enrolled (give --property and --device) it begins anew with the same property: the others
    have to be taken in again. The passphrase is asked for on the terminal, or read from the first line of stdin.

    \b
    Example:
      hallway recover --state /var/lib/hallway/trust --recovery /media/usb/recovery.json
      hallway revoke desk --state /var/lib/hallway/trust

    Exit status: 0, 2 if the command line is wrong, 1 for any other failure; then nothing was changed.
    """
    from hallway.runtime.membership.founding import recovered

    made = recovered(state, recovery or state / RECOVERY, name, device, known_passphrase)
    leaf, current = made.chain.leaf, made.book.current
    result = {
        "event": "recovered",
        "property": made.property_name,
        "propertyId": made.property_id.hex(),
        "deviceId": leaf.name,
        "epoch": current.epoch,
        "members": [member.name for member in current.members],
    }
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    others = [member.name for member in current.members if member.sub != leaf.sub]
    click.echo(f"{leaf.name} is an admin of {made.property_name}.")
    click.echo(f"The other devices: {', '.join(others) or 'none that this device knows of; let them join with `hallway invite`'}")
