"""``hallway outbox`` and ``hallway inbox``: what waits, what died, and a second try for it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from typing import TYPE_CHECKING, Any

import attrs
import click

from hallway.cli.options import config_options, is_at_terminal, json_option, log_level_option

if TYPE_CHECKING:
    from hallway.cli.history_reach import Place
    from hallway.cli.reach import Ask

ACTIONS = ("list", "retry", "drop")
LIMIT = 100
STORE_VARIABLE = "HALLWAY_DELIVERY__STORE"


@attrs.frozen
class _Request:
    """What was asked for on the command line."""

    box: str
    place: Place
    peer: str | None
    letters: tuple[int, ...]
    everything: bool
    messages: bool
    limit: int
    given: str
    """The options with which this store is named."""

    def command(self, ending: str = "", **fields: Any) -> dict[str, Any]:
        """A command about this box and peer."""
        return {"command": f"{self.box}{ending}", "peerId": self.peer, **fields}

    @property
    def chosen(self) -> dict[str, Any]:
        """Which dead letters."""
        return {"all": True} if self.everything else {"letters": list(self.letters)}


def _history(box: str, text: str) -> click.Command:
    """The command for one box."""

    @click.command(name=box, help=text)
    @click.argument("action", type=click.Choice(ACTIONS), default="list")
    @click.argument("letters", metavar="[LETTER]...", type=click.IntRange(min=1), nargs=-1)
    @click.option("--store", metavar="PATH", type=click.Path(), help="The store; needs no configuration then.")
    @click.option("--peer", metavar="PEER", help="Only what has to do with this peer.")
    @click.option("--messages", is_flag=True, help="List the messages that wait, one by one.")
    @click.option(
        "--limit", metavar="COUNT", type=click.IntRange(min=0), default=LIMIT, show_default=True, help="How many to list; 0: all."
    )
    @click.option("--all", "everything", is_flag=True, help="Retry or drop every dead letter.")
    @click.option("--yes", is_flag=True, help="Do not ask before dropping.")
    @config_options
    @json_option
    @log_level_option
    def command(action: str, as_json: bool, yes: bool, **options: Any) -> None:
        request = _request(box, action, **options)
        if action == "drop" and is_at_terminal() and not yes:
            result = asyncio.run(_change(request, "drop", **asyncio.run(_sure(request))))
        else:
            result = asyncio.run(_list(request) if action == "list" else _change(request, action))
        if as_json:
            click.echo(json.dumps(result))
        else:
            _tell(request, action, result)
        raise SystemExit(1 if result.get("left") else 0)

    return command


def _request(
    box: str, action: str, *, letters: tuple[int, ...], everything: bool, store: str | None, peer: str | None, **rest: Any
) -> _Request:
    if action == "list" and (letters or everything):
        raise click.UsageError("LETTER and --all go with retry and drop.")
    if action != "list" and bool(letters) == everything:
        raise click.UsageError(f"Say which: {action} LETTER..., or {action} --all.")
    from hallway.cli.history_reach import find

    path, overrides = rest.pop("config_path"), rest.pop("overrides")
    if path is None and store is None and not overrides and STORE_VARIABLE not in os.environ:
        raise click.UsageError("Say whose: --config FILE, or --store PATH.")
    given = [word for option, value in (("--config", path), ("--store", store)) if value is not None for word in (option, value)]
    given += [word for override in overrides for word in ("--set", override)]
    return _Request(box, find(path, overrides, store), peer, letters, everything, given=shlex.join(given), **rest)


async def _list(request: _Request) -> dict[str, Any]:
    from hallway.cli.history_reach import reached

    async with reached(request.place) as (ask, running):
        sums = await ask(request.command())
        found = {"store": request.place.store, "running": running, "peers": sums["peers"]}
        if request.messages:
            found["messages"] = await _pages(request, ask, "messages")
        return {**found, "letters": await _pages(request, ask, "letters"), "lettersTotal": sums["letters"]}


async def _pages(request: _Request, ask: Ask, what: str) -> list[Any]:
    """The first so many, or all."""
    from hallway.runtime.delivery.history import PAGE

    found: list[Any] = []
    after: Any = None
    while not request.limit or len(found) < request.limit:
        most = min(PAGE, request.limit - len(found)) if request.limit else PAGE
        page = await ask(request.command(f"-{what}", after=after, most=most))
        found += page[what]
        after = page["next"]
        if after is None:
            break
    return found


async def _change(request: _Request, action: str, **fields: Any) -> dict[str, Any]:
    from hallway.cli.history_reach import reached

    async with reached(request.place) as (ask, running):
        value = await ask(request.command(f"-{action}", **request.chosen, **fields))
    return {"store": request.place.store, "running": running, **value}


async def _sure(request: _Request) -> dict[str, Any]:
    """Ask whoever sits there; only what was there when they were asked is meant. The device is not kept waiting meanwhile."""
    from hallway.cli.history_reach import reached

    count, last = len(request.letters), None
    if request.everything:
        async with reached(request.place) as (ask, _):
            sums = await ask(request.command())
        count, last = sums["letters"], sums["lastLetter"]
    await asyncio.to_thread(click.confirm, f"Drop {_count(count)} for good?", abort=True, err=True)
    return {} if last is None else {"upto": last}


def _tell(request: _Request, action: str, result: dict[str, Any]) -> None:
    if action == "list":
        from hallway.cli.history_view import show

        show(request.box, result, request.given)
    elif action == "drop":
        click.echo(f"Dropped {_count(result['dropped'])}.")
    else:
        when = {
            ("outbox", True): "sent again as soon as their peers are linked",
            ("inbox", True): "handed to the application again",
            ("outbox", False): "sent again when the device runs",
            ("inbox", False): "handed to the application when the device runs",
        }[request.box, result["running"]]
        click.echo(f"Retried {_count(result['retried'])}: {when}.")
        if result["left"]:
            left = _count(result["left"])
            click.echo(f"{left} left where they are: too much waits for their peers already. Try again when that is through.")


def _count(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number} dead letters"


outbox = _history(
    "outbox",
    """Show what waits to be sent and what could not be sent; retry or drop what could not.

    Works while the device runs and while it does not. Dead letters are messages that were given up: their time to live was over, or the
    peer could not use them. "retry" sends them again at once if the device runs, "drop" forgets them for good.

    \b
    Example:
      hallway outbox --config tablet-1.toml
      hallway outbox --config tablet-1.toml --messages --peer desk
      hallway outbox retry 3 4 --config tablet-1.toml
      hallway outbox drop --all --store /var/lib/hallway/tablet-1.db

    Exit status: 0, 2 if the command line or the configuration is wrong, 1 if something could not be retried or the store cannot be used.
    """,
)
inbox = _history(
    "inbox",
    """Show what has arrived and the application does not have yet, and what it could not take; retry or drop that.

    Works while the device runs and while it does not. Dead letters are messages at which the application failed three times. "retry" hands
    them to it again at once if the device runs, "drop" forgets them for good.

    \b
    Example:
      hallway inbox --config tablet-1.toml
      hallway inbox retry --all --config tablet-1.toml

    Exit status: 0, 2 if the command line or the configuration is wrong, 1 if something could not be retried or the store cannot be used.
    """,
)
