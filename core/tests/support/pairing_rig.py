"""An admin and joiners that pair without a network: what each has on its disk survives a crash, nothing else does."""

from __future__ import annotations

import ipaddress
import random

from sealed_site import NOW

from hallway.errors import Untrusted
from hallway.trust import admin
from hallway.trust.credential import Subject
from hallway.trust.joining import Joiner, Ticket
from hallway.trust.keys import DeviceKeys, SigningKey
from hallway.trust.membership import Membership
from hallway.trust.pairing import Application, Reply, Window
from hallway.trust.pairing_wire import No

PLACES = ((ipaddress.ip_address("10.0.0.7"), 8090),)


class Inviter:
    """The device that invites: its membership is on disk, its window is not."""

    def __init__(self, seed: int = 1, *, yes: bool = True) -> None:
        self.random = random.Random(seed).randbytes
        keys = DeviceKeys.generate(self.random)
        self.membership = admin.found(keys, "Sea View", "desk", SigningKey.generate(self.random), NOW, self.random)
        self.yes = yes
        self.events: list[object] = []
        self.crash_after = ""
        self.open()

    def open(self, now: float = 0.0, **options: bool) -> Window:
        self.window = Window(self.membership.keys.identity.public, PLACES, self.random, now, **options)
        return self.window

    def post(self, body: bytes, now: float = 1.0) -> bytes | No:
        outcome = self.window.handle(body, now)
        if isinstance(outcome, Application):
            outcome = self._apply(outcome)
        self.events += self.window.events
        self.window.events.clear()
        return outcome.body if isinstance(outcome, Reply) else outcome

    def _apply(self, application: Application) -> Reply | No:
        who = application.applicant
        if not (application.admitted or self.yes):
            return self.window.ask()
        try:
            taken = admin.admit(self.membership, Subject(who.identity, who.sealing, who.name), NOW, self.random)
        except Untrusted as error:
            return self.window.deny(No(error.reason))
        self.membership.learn(taken.roster, NOW)
        return self.window.grant(taken.content(self.membership))

    @property
    def names(self) -> list[str]:
        return [member.name for member in self.membership.book.current.members]


class Newcomer:
    """The device that joins: its keys and, once it has one, its membership are on disk."""

    def __init__(self, name: str, seed: int = 2) -> None:
        self.name = name
        self.random = random.Random(seed).randbytes
        self.keys = DeviceKeys.generate(self.random)
        self.membership: Membership | None = None

    def joiner(self, ticket: Ticket) -> Joiner:
        return Joiner(self.keys, self.name, ticket, self.random)

    def join(self, inviter: Inviter, ticket: Ticket, now: float = 1.0) -> No | None:
        """Go through all the messages; why it was turned away, or None."""
        joiner = self.joiner(ticket)
        second = inviter.post(joiner.first, now)
        if isinstance(second, No):
            return second
        fourth = inviter.post(joiner.third(second), now)
        if isinstance(fourth, No):
            return fourth
        self.membership = joiner.joined(fourth, NOW)
        inviter.post(joiner.done(), now)
        return None


def by_code(inviter: Inviter) -> Ticket:
    return Ticket.of_code(inviter.window.code)


def by_invitation(inviter: Inviter) -> Ticket:
    return Ticket.of_invitation(inviter.window.invitation)


def wrong_code(inviter: Inviter) -> Ticket:
    return Ticket.of_code(f"{(int(inviter.window.code) + 1) % 10**8:08}")
