"""``hallway join``: enrol this device."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hallway.cli.options import json_option, log_level_option
from hallway.cli.trust_options import device_name, state_option, unlisted

if TYPE_CHECKING:
    from hallway.runtime.membership.enrolling import Enrolled
    from hallway.trust.invitation import Place
    from hallway.trust.joining import Ticket

DEFAULT_PORT = 8090


@click.command()
@state_option
@click.option("--device", metavar="ID", required=True, callback=device_name, help="This device's name, unique at the site.")
@click.option("--invitation", metavar="TEXT", help="What the QR code of `hallway invite` says, HW1:..., or -: ask for it.")
@click.option("--code", metavar="CODE", help="The short code that `hallway invite` shows, such as 1234-5678, or -.")
@click.option("--host", metavar="ADDR:PORT", help="Where the device is that shows the code, such as 192.168.1.20:8090.")
@click.option("--interface", "interfaces", metavar="GLOB", multiple=True, default=("*",), help="Which network interfaces to use.")
@json_option
@log_level_option
def join(
    state: Path, device: str, invitation: str | None, code: str | None, host: str | None, interfaces: Sequence[str], as_json: bool
) -> None:
    """Enrol this device, by the whole invitation or by the short code, with no server and no internet.

    Both devices show the same four characters; compare them. If it is interrupted, run it again: it goes on where it was.

    Every user of this machine can read its command lines. With - in place of the invitation or the code it is asked for on the terminal,
    or read from the first line of stdin.

    \b
    Example:
      hallway join --state /var/lib/hallway/trust --device tablet-1 --invitation -
      hallway join --state /var/lib/hallway/trust --device tablet-1 --code 1234-5678 --host 192.168.1.20:8090

    Exit status: 0 once the device is enrolled, 2 if the command line is wrong, 1 for any other failure.
    """
    if (invitation is None) == (code is None) or (code is None) != (host is None):
        raise click.UsageError("Give either --invitation TEXT, or --code CODE and --host ADDR:PORT.")
    from hallway.runtime.membership.enrolling import enrol
    from hallway.trust.invitation import Invitation

    ticket, places = _ticket(unlisted(invitation, "Invitation", Invitation.is_cut_off), unlisted(code, "Code"), host)
    try:
        made = asyncio.run(enrol(state, device, ticket, places, interfaces, lambda event: _tell(event, places, as_json=as_json)))
    except KeyboardInterrupt:
        click.echo("Interrupted. Run the same command again: it goes on where it was.", err=True)
        raise SystemExit(1) from None
    _tell_end(state, made, as_json=as_json)


def _ticket(invitation: str | None, code: str | None, host: str | None) -> tuple[Ticket, tuple[Place, ...]]:
    from hallway.trust.invitation import Invitation, read_code
    from hallway.trust.joining import Ticket

    if invitation is not None:
        read = Invitation.parse(invitation)
        return Ticket.of_invitation(read), read.places
    return Ticket.of_code(read_code(code or "")), (_place(host or ""),)


def _place(host: str) -> Place:
    import ipaddress

    text, port = (host, "") if host.count(":") > 1 and not host.startswith("[") else _parts(host)
    try:
        number = int(port or DEFAULT_PORT)
        if not 0 < number < 65536:
            raise ValueError("no port")
        return ipaddress.ip_address(text.strip("[]")), number
    except ValueError:
        raise click.BadParameter("it must be an address and a port, such as 192.168.1.20:8090", param_hint="--host") from None


def _shown(place: Place) -> str:
    ip, port = place
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


def _parts(host: str) -> tuple[str, str]:
    text, colon, port = host.rpartition(":")
    return (text, port) if colon and not host.endswith("]") else (host, "")


def _tell(event: dict[str, str], places: Sequence[Place], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event))
    elif event["event"] == "joining":
        click.echo(f"This device shows {event['check']}; the other device must show the same.")
        click.echo(f"Looking for the other device at {' or '.join(_shown(place) for place in places)}.")
    else:
        click.echo("Waiting for the person at the other device, who is asked there.")


def _tell_end(state: Path, made: Enrolled, *, as_json: bool) -> None:
    own = made.membership
    leaf, names = own.chain.leaf, [member.name for member in own.book.current.members]
    if as_json:
        result = {
            "event": "enrolled",
            "deviceId": leaf.name,
            "property": own.property_name,
            "propertyId": own.property_id.hex(),
            "keyId": leaf.sub,
            "check": made.check,
            "members": names,
            "already": made.already,
        }
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    already = "was enrolled already" if made.already else "is enrolled"
    others = "one other device" if len(names) == 2 else f"{len(names) - 1} other devices"
    click.echo(f"{leaf.name} {already} in {own.property_name}, with {others}.")
    click.echo(f"Run it: hallway up --state {shlex.quote(str(state))}")
