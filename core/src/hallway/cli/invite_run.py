"""One window of enrolment, as the person or the program in front of it sees it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import signal
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import segno

from hallway.cli.json_lines import read_lines
from hallway.cli.options import is_at_terminal
from hallway.cli.reach import Ask
from hallway.cli.trust_reach import inviting
from hallway.errors import NetworkError

Json = dict[str, Any]

CLOSINGS = {
    "enrolled": "Done.",
    "attempts": "Closed: three attempts have failed. If nobody mistyped the code, somebody on this network tries to get in.",
    "expired": "Closed: the five minutes are over.",
    "stopped": "Closed: nobody has joined.",
}
OUTCOMES = {
    "wrong": "Somebody tried a wrong code.",
    "given-up": "Somebody began to join, and fell silent.",
}
REASONS = {
    "name": "another device has that name",
    "revoked": "its key was revoked",
    "full": "the property is full",
    "declined": "you said no",
    "session": "it has fallen silent",
}


async def run(state: Path, port: int | None, interfaces: Sequence[str], *, yes: bool, code: bool, as_json: bool) -> bool:
    """Show an invitation until it is used, over or not wanted any more; whether a device was enrolled."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, me.cancel)
    screen: _Screen | None = None
    try:
        async with inviting(state, port, interfaces) as (ask, _):
            screen = _Screen(ask, await ask({"command": "invite", "yes": yes, "code": code}), as_json=as_json)
            try:
                return await screen.run()
            finally:
                await screen.aclose()
    except asyncio.CancelledError:
        if screen is None:
            return False
        screen.stop()
        return screen.enrolled


class _Screen:
    def __init__(self, ask: Ask, opened: Json, *, as_json: bool) -> None:
        self.enrolled = False
        self._unlocked_ask = ask
        self._one = asyncio.Lock()
        self._window = opened.pop("window")
        self._opened = opened
        self._as_json = as_json
        self._asked = ""
        self._reading: asyncio.Task[None] | None = None

    async def run(self) -> bool:
        """Show what happens until the window is closed."""
        self._show()
        is_open = True
        while is_open:
            news = await self._ask("invite-news")
            is_open = news["open"]
            for event in news["events"]:
                self._tell(event)
        return self.enrolled

    def stop(self) -> None:
        """Say that the window is not wanted any more, if nobody has come in by it."""
        if not self.enrolled:
            self._tell({"event": "closed", "reason": "stopped"})

    async def aclose(self) -> None:
        """Close the window, if it is open, and read no more."""
        # A device that has ended has closed it, and takes no answer.
        with contextlib.suppress(NetworkError):
            await self._ask("invite-close")
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(NetworkError, asyncio.CancelledError):
                await self._reading

    async def _ask(self, command: str, **fields: Any) -> Any:
        async with self._one:
            return await self._unlocked_ask({"command": command, "window": self._window, **fields})

    def _show(self) -> None:
        if self._as_json:
            _print({"event": "invitation", **self._opened})
            return
        code, hosts = self._opened["code"], self._opened["hosts"]
        until = time.strftime("%H:%M:%S", time.localtime(self._opened["expires"]))
        click.echo(f"One device may join {self._opened['property']} until {until}. On that device, with a folder and a name of its own:")
        click.echo("  hallway join --state DIR --device NAME --invitation -      (then paste the text below, which is in the QR code too)")
        if code is not None:
            click.echo(f"  hallway join --state DIR --device NAME --code {code} --host {hosts[0]}")
        click.echo(f"\n{self._opened['invitation']}\n")
        if code is not None:
            click.echo(f"or the code {code} at {' or '.join(hosts)}")
        _draw(self._opened["invitation"])

    def _tell(self, event: Json) -> None:
        self.enrolled = self.enrolled or event["event"] == "enrolled"
        asks = event["event"] == "asking"
        if asks:
            _forget_what_was_typed()
        if self._as_json:
            _print(event)
        elif (text := _sentence(event)) is not None:
            click.echo(text)
        if asks:
            self._asked = event["keyId"]
            self._listen()

    def _listen(self) -> None:
        """Read what the person answers, unless that is so already. Whoever ended stdin before is heard, or found missing, anew."""
        if self._reading is not None and self._reading.done():
            self._reading.result()
            self._reading = None
        self._reading = self._reading or asyncio.create_task(self._read(), name="answers")

    async def _read(self) -> None:
        if sys.stdin is not None:
            async for line in read_lines(0):
                word = line.decode(errors="replace").strip().strip('"').lower()
                if word in {"y", "yes", "n", "no"}:
                    await self._answer(admit=word.startswith("y"))
                elif word:
                    click.echo("Answer yes or no.", err=True)
        click.echo("Nobody is here to answer: give --yes to admit whoever has the code.", err=True)
        await self._answer(admit=False)

    async def _answer(self, *, admit: bool) -> None:
        if self._asked:
            asked, self._asked = self._asked, ""
            await self._ask("invite-answer", keyId=asked, admit=admit)


def _sentence(event: Json) -> str | None:
    match event["event"]:
        case "attempt":
            text = OUTCOMES.get(event["outcome"])
            return text and f"{text} {_left(event['left'])} left."
        case "asking":
            return f"{event['deviceId']} wants to join, and must show {event['check']}. Does it, and shall it? [yes/no]"
        case "turned-away":
            return f"{event['deviceId']} ({event['check']}) was not taken in: {REASONS.get(event['reason'], event['reason'])}."
        case "enrolled":
            return f"{event['deviceId']} is enrolled. It shows {event['check']}."
    return CLOSINGS[event["reason"]]


def _left(attempts: int) -> str:
    return "1 attempt is" if attempts == 1 else f"{attempts or 'no'} attempts are"


def _draw(text: str) -> None:
    """The QR code comes last and in colours of its own: whole on a small terminal, and dark on light whatever the terminal's colours."""
    drawing = io.StringIO()
    segno.make(text, error="l").terminal(drawing, compact=True, border=2)
    for line in drawing.getvalue().splitlines():
        click.secho(line, fg="bright_white", bg="black")


def _forget_what_was_typed() -> None:
    """Nobody at a terminal has answered a question before it was put."""
    if is_at_terminal():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _print(event: Json) -> None:
    click.echo(json.dumps(event, ensure_ascii=False))
