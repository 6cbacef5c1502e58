"""The window of enrolment while a device runs: its endpoint, its pace, and the commands by which a person sees and steers it."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from hallway.errors import BusyError, HallwayError, SignalingUnavailable, Untrusted
from hallway.model import Envelope, Origin, Refusal, RefusalCode
from hallway.runtime.control.commands import BadCommand, Commands
from hallway.runtime.membership.registrar import Registrar
from hallway.runtime.tasks import TaskSet
from hallway.trust import pairing_wire
from hallway.trust.credential import Subject
from hallway.trust.invitation import Place, code_text, usable
from hallway.trust.pairing import Application, Asking, Attempted, Closed, Closing, Enrolled, Event, Reply, TurnedAway, Window
from hallway.trust.pairing_wire import No
from hallway.trust.reasons import Reason

logger = logging.getLogger(__name__)

TICK = 0.25
"""Seconds between two moments at which answers leave: how long the key exchange took is not to be seen."""
LOOK = 0.5
"""Seconds between two looks at the clock while a window is open."""
NEWS_SECONDS = 1.0
"""How long a command that asks for news waits for some."""
UNWATCHED = 15.0
"""Seconds after which a window closes that nobody looks at any more."""

_CODES = {
    No.CLOSED: RefusalCode.NOT_FOUND,
    No.BUSY: RefusalCode.OCCUPIED,
    No.FORM: RefusalCode.BAD_REQUEST,
    No.FAILED: RefusalCode.INTERNAL,
}
_DENIED = {Reason.NAME: No.NAME, Reason.REVOKED: No.REVOKED, Reason.SIZE: No.FULL}

Json = dict[str, Any]


class Invitations:
    """At most one window at a time.

    Args:
        registrar: takes in whom the window lets through.
        listen: the URLs at which this device is reached now.
        tasks: own what runs on when a request is given up.

    """

    def __init__(self, registrar: Registrar, listen: Callable[[], tuple[str, ...]], tasks: TaskSet) -> None:
        self._registrar = registrar
        self._listen = listen
        self._tasks = tasks
        self._window: Window | None = None
        self._id = ""
        self._yes = False
        self._watched = 0.0
        self._news = asyncio.Event()
        self._one = asyncio.Lock()

    def serve(self, commands: Commands) -> None:
        """Answer the commands "invite", "invite-news", "invite-answer" and "invite-close"."""
        commands.serve("invite", self._open)
        commands.serve("invite-news", self._tell)
        commands.serve("invite-answer", self._answer)
        commands.serve("invite-close", self._close)

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """Answer a joiner, at the next tick. A request that is given up is decided all the same."""
        if self._window is None or self._window.closed is not None:
            return refusal(No.CLOSED)
        answer: asyncio.Future[Reply | No] = asyncio.get_running_loop().create_future()
        self._tasks.start(self._decide(envelope.body, answer), "pairing")
        outcome = await answer
        await asyncio.sleep(until_tick(self._now()))
        if isinstance(outcome, Reply):
            return Envelope(pairing_wire.KIND, pairing_wire.CONTENT_TYPE, outcome.body)
        return refusal(outcome)

    async def _decide(self, body: bytes, answer: asyncio.Future[Reply | No]) -> None:
        outcome: Reply | No = No.FAILED
        try:
            async with self._one:
                outcome = await self._outcome(body)
        finally:
            self._news.set()
            if not answer.done():
                answer.set_result(outcome)

    async def _outcome(self, body: bytes) -> Reply | No:
        window = self._window
        if window is None:
            return No.CLOSED
        outcome = window.handle(body, self._now())
        return await self._apply(window, outcome) if isinstance(outcome, Application) else outcome

    async def _apply(self, window: Window, application: Application) -> Reply | No:
        who = application.applicant
        if self._is_taken(who.name, who.sub):
            return window.deny(No.NAME)
        if not (application.admitted or self._yes):
            return window.ask()
        try:
            return window.grant(await self._registrar.admit(Subject(who.identity, who.sealing, who.name)))
        except Untrusted as error:
            logger.warning("%s cannot join: %s", who.name, error)
            return window.deny(_DENIED.get(Reason(error.reason), No.FAILED))
        except HallwayError as error:
            logger.warning("%s cannot join: %s. %s", who.name, error, error.hint)
            return No.FAILED

    def _is_taken(self, name: str, sub: str) -> bool:
        member = self._registrar.membership.book.current.member(name)
        return member is not None and member.sub != sub

    async def _open(self, command: Json) -> Json:
        """Open a window: ``yes`` admits whoever has the code, ``code`` false leaves the code out."""
        yes, code = command.get("yes", False), command.get("code", True)
        if not isinstance(yes, bool) or not isinstance(code, bool):
            raise BadCommand("'yes' and 'code' are true or false")
        self._registrar.require_able()
        if self._window is not None and self._window.closed is None:
            raise BusyError("an invitation of this device is open already", hint="use it, or end the `hallway invite` that shows it")
        places = self._places()
        own = self._registrar.membership
        self._window = window = Window(own.keys.identity.public, places, os.urandom, self._now(), with_code=code)
        self._id, self._yes, self._watched = secrets.token_hex(8), yes, self._now()
        self._news.clear()
        self._tasks.start(self._watch(window), "invitation")
        return {
            "window": self._id,
            "invitation": window.invitation.text(),
            "code": code_text(window.code) if code else None,
            "expires": int(time.time() + window.expires - window.opened),
            "hosts": [_host(place) for place in window.invitation.places],
            "property": own.property_name,
        }

    def _places(self) -> tuple[Place, ...]:
        urls = [urlsplit(url) for url in self._listen()]
        places = [(ipaddress.ip_address(url.hostname), url.port) for url in urls if url.scheme == "http" and url.hostname and url.port]
        found = usable(places)
        if not found:
            raise SignalingUnavailable(
                "this device has no address on a LAN at which another one could reach it",
                hint="connect it, and see that http-local is in [signaling].chain and up (`hallway plan`)",
            )
        return found

    async def _watch(self, window: Window) -> None:
        while window.closed is None:
            await asyncio.sleep(LOOK)
            # Not while a device is being written down: it is to get what makes it a member.
            async with self._one:
                now = self._now()
                window.tick(now)
                if now - self._watched > UNWATCHED:
                    window.close(Closing.STOPPED)
            if window.events:
                self._news.set()

    async def _tell(self, command: Json) -> Json:
        """What has happened since the last time; waits for it a moment."""
        window = self._current(command)
        self._watched = self._now()
        if not window.events and window.closed is None:
            self._news.clear()
            try:
                async with asyncio.timeout(NEWS_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass
        events, window.events = window.events, []
        return {"events": [event_json(event) for event in events], "open": window.closed is None}

    async def _answer(self, command: Json) -> Json:
        """What the person says about the joiner with the key ``keyId``."""
        key, admit = command.get("keyId"), command.get("admit")
        if not isinstance(key, str) or not isinstance(admit, bool):
            raise BadCommand("invite-answer needs 'keyId' (a text) and 'admit' (true or false)")
        window = self._current(command)
        known = window.answer(key, admit=admit)
        self._news.set()
        return {"waited": known}

    async def _close(self, command: Json) -> Json:
        window = self._current(command)
        async with self._one:
            window.close(Closing.STOPPED)
        self._news.set()
        return {}

    def _current(self, command: Json) -> Window:
        if self._window is None or command.get("window") != self._id:
            raise BadCommand("there is no such window", hint="open one with the command invite")
        return self._window

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def until_tick(now: float) -> float:
    """Seconds until the next moment at which answers leave."""
    return TICK - now % TICK


def refusal(no: No) -> Refusal:
    """How a joiner is turned away: by one word."""
    return Refusal(_CODES.get(no, RefusalCode.FORBIDDEN), no.value)


def event_json(event: Event) -> Json:
    """An event as ``hallway invite --json`` prints it."""
    match event:
        case Attempted(way, outcome, left):
            return {"event": "attempt", "way": way, "outcome": outcome.value, "left": left}
        case Asking(who):
            return {"event": "asking", "deviceId": who.name, "keyId": who.sub, "check": who.check, "way": who.way}
        case TurnedAway(who, reason):
            return {"event": "turned-away", "deviceId": who.name, "keyId": who.sub, "check": who.check, "reason": reason.value}
        case Enrolled(who):
            return {"event": "enrolled", "deviceId": who.name, "keyId": who.sub, "check": who.check, "way": who.way}
        case Closed(reason):
            return {"event": "closed", "reason": reason.value}


def _host(place: Place) -> str:
    ip, port = place
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
