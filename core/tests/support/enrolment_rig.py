"""Two devices of one process that enrol, over a carrier that loses what it likes."""

from __future__ import annotations

import ipaddress

from hallway.errors import BadEnvelope, DeadlineExceeded
from hallway.model import Origin, Refusal, RefusalCode
from hallway.runtime.control.commands import Commands
from hallway.runtime.membership import founding
from hallway.runtime.membership.invitations import Invitations
from hallway.runtime.membership.joining import Joining, device_keys
from hallway.runtime.membership.registrar import Registrar
from hallway.trust.invitation import Invitation
from hallway.trust.joining import Ticket
from hallway.trust.state import TrustState

PLACE = (ipaddress.ip_address("10.0.0.1"), 8090)


class Carrier:
    """Hands requests to the window; ``lose`` says what becomes of each: "request", "answer", "limit" (it is told
    to come again), "garbled" (the answer cannot be read) or "" (nothing is lost)."""

    def __init__(self, window, lose=lambda: ""):
        self.window = window
        self.lose = lose
        self.bodies = []
        self.answers = []

    async def request(self, endpoint, envelope, deadline):
        lost = self.lose()
        self.bodies.append(envelope.body)
        if lost == "request":
            raise DeadlineExceeded("lost")
        if lost == "limit":
            return Refusal(RefusalCode.RATE_LIMITED, "too many requests")
        answer = await self.window.handle(envelope, Origin("http-local", "10.0.0.2"))
        self.answers.append(answer)
        if lost == "answer":
            raise DeadlineExceeded("lost")
        if lost == "garbled":
            raise BadEnvelope("garbled")
        return answer


class Desk:
    """An admin with its window."""

    def __init__(self, folder, tasks):
        self.state = TrustState(folder)
        founding.found(folder, "Sea View", "desk", folder / "recovery.json", lambda: "a passphrase")
        self.registrar = Registrar(self.state, self.state.load())
        self.commands = Commands()
        self.window = Invitations(self.registrar, lambda: ("http://10.0.0.1:8090", "wss://elsewhere.example.org"), tasks)
        self.window.serve(self.commands)
        self.registrar.serve(self.commands)
        self.shown = {}

    async def invite(self, **options):
        self.shown = await self.commands.run({"command": "invite", **options})
        return self.shown

    async def news(self):
        return await self.commands.run({"command": "invite-news", "window": self.shown["window"]})

    @property
    def ticket(self):
        return Ticket.of_invitation(Invitation.parse(self.shown["invitation"]))

    @property
    def names(self):
        return [member.name for member in self.state.load().book.current.members]


async def join(carrier, folder, ticket, name="tablet-1"):
    state = TrustState(folder)
    return await Joining.of(carrier, [PLACE], device_keys(state), name, ticket).run(state, lambda: None)
