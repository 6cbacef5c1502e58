"""The ``hallway`` command itself: its sub-commands by name, and what becomes of their errors."""

from __future__ import annotations

import click

from hallway.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "bench": Lazy("hallway.cli.bench:bench", "Measure between two of your own devices, beside the bare channel."),
    "config": Lazy("hallway.cli.config:config", "Check a configuration, or print its JSON Schema."),
    "demo": Lazy("hallway.cli.demo:demo", "Show devices of one site finding each other, on this machine alone."),
    "inbox": Lazy("hallway.cli.history:inbox", "Show what has arrived and waits for the application, and what died there."),
    "init": Lazy("hallway.cli.init:init", "Make a property, with this device as its first."),
    "invite": Lazy("hallway.cli.invite:invite", "Let another device join: show a QR code and a short code."),
    "join": Lazy("hallway.cli.join:join", "Join a property, by an invitation or a short code."),
    "members": Lazy("hallway.cli.members:members", "List the devices of the property."),
    "outbox": Lazy("hallway.cli.history:outbox", "Show what waits to be sent, for whom, and what could not be sent."),
    "plan": Lazy("hallway.cli.plan:plan", "Say what a configuration would do, also when a path is down."),
    "plugins": Lazy("hallway.cli.plugins:plugins", "List the installed plugins and whether they work."),
    "recover": Lazy("hallway.cli.recover:recover", "Make this device an admin by the recovery file."),
    "revoke": Lazy("hallway.cli.members:revoke", "Turn a device away, for good."),
    "up": Lazy("hallway.cli.up:up", "Run one device until it is told to stop."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, external=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hallway", message="hallway %(version)s")
def cli() -> None:
    """Devices of one site find each other and talk over WebRTC, with or without the internet.

    \b
    Example:
      hallway config check --config tablet-1.toml
      hallway up --config tablet-1.toml

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
