"""The ``hallway`` command itself: its sub-commands by name, and what becomes of their errors."""

from __future__ import annotations

import click

from hallway.cli.lazy import Lazy, LazyGroup

ENROL, RUN, LOOK = "Enrol devices", "Run a device", "Look and mend"

COMMANDS = {
    "init": Lazy("hallway.cli.init:init", "Make a property, with this device as its first.", ENROL),
    "invite": Lazy("hallway.cli.invite:invite", "Let another device join: show a QR code and a short code.", ENROL),
    "join": Lazy("hallway.cli.join:join", "Join a property, by an invitation or a short code.", ENROL),
    "members": Lazy("hallway.cli.members:members", "List the devices of the property.", ENROL),
    "revoke": Lazy("hallway.cli.members:revoke", "Turn a device away, for good.", ENROL),
    "recover": Lazy("hallway.cli.recover:recover", "Make this device an admin by the recovery file.", ENROL),
    "up": Lazy("hallway.cli.up:up", "Run one device until it is told to stop.", RUN),
    "demo": Lazy("hallway.cli.demo:demo", "Show devices of one site finding each other, on this machine alone.", RUN),
    "config": Lazy("hallway.cli.config:config", "Check a configuration, or print its JSON Schema.", LOOK),
    "plan": Lazy("hallway.cli.plan:plan", "Say what a configuration would do, also when a path is down.", LOOK),
    "plugins": Lazy("hallway.cli.plugins:plugins", "List the installed plugins and whether they work.", LOOK),
    "outbox": Lazy("hallway.cli.history:outbox", "Show what waits to be sent, for whom, and what could not be sent.", LOOK),
    "inbox": Lazy("hallway.cli.history:inbox", "Show what waits for the application, and what it could not take.", LOOK),
    "bench": Lazy("hallway.cli.bench:bench", "Measure between two of your own devices, beside the bare channel.", LOOK),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, external=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hallway", message="hallway %(version)s")
def cli() -> None:
    """Devices of one site find each other and talk over WebRTC, with or without the internet.

    \b
    Example:
      hallway demo                                        see it on this machine
      hallway init --state DIR --property "Hotel Sea View" --device desk
      hallway invite --state DIR                          let another device join
      hallway up --state DIR                              run this device

    Every command tells more with --help.

    Exit status: 2 if the command line or the configuration is wrong, 1 for any other failure.
    """
    _leave_no_core()


def _leave_no_core() -> None:
    """A core dump would have the keys of the device in it, in a file that nobody watches."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main() -> None:
    """The entry point."""
    cli(prog_name="hallway")
