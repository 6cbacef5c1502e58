"""What one attempt holds while it lives: its offer, its channel, its tasks."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hallway.errors import DeadlineExceeded
from hallway.interfaces import Channel, Dialing
from hallway.model import Candidate, Description, DeviceInfo, Envelope, IcePolicy, Path, Refusal, RefusalCode
from hallway.protocol.frames import Bye, Hello, LinkFrame
from hallway.runtime.links.outgoing import Outgoing
from hallway.trust import Guard, Signal

SECTION = "guard"
"""The section of HELLO that belongs to the guard."""

MAX_EARLY_CANDIDATES = 32
DRAIN_SECONDS = 1.0
"""How long a graceful close may deliver what was sent."""


class AttemptRun:
    """The I/O side of one `protocol.attempt.Attempt`. It is closed exactly once, by its link's driver."""

    def __init__(self, attempt_id: int, peer_id: str) -> None:
        loop = asyncio.get_running_loop()
        self.id = attempt_id
        self.peer_id = peer_id
        self.signaling = ""
        self.channel_plugin = ""
        self.policy = IcePolicy.LAN
        self.speaks_hallway = False
        self.begun = False
        """Whether its offer is on the way: until then it waits for its turn."""
        self.previous: AttemptRun | None = None
        """The attempt whose channel the link has moved from to this one, until that has faded."""
        self.hello: Hello | None = None
        """The peer's HELLO, once the guard has admitted it."""
        self.faded = asyncio.Event()
        """Set once nothing that comes over its channel counts any more."""
        self.refused: RefusalCode | None = None
        """How the peer has refused the offer, if it has."""
        self.dialing: Dialing | None = None
        self.channel: Channel | None = None
        self.outgoing: Outgoing | None = None
        self.task: asyncio.Task[None] | None = None
        self.offer: Description | None = None
        """The offer of the peer that it answers."""
        self.reference = ""
        """The guard's name for that offer."""
        self.address: str | None = None
        """The network address from which that came."""
        self.deciding: asyncio.Task[None] | None = None
        self.verdict: asyncio.Future[Refusal | None] = loop.create_future()
        self.reply: asyncio.Future[Envelope | Refusal] = loop.create_future()
        self.requests = 0
        """How many requests wait for the reply."""
        self.late_answer: asyncio.Future[Signal] = loop.create_future()
        self._early: list[Candidate] = []

    @property
    def path(self) -> Path | None:
        """Between which addresses its channel passes messages, if there is one that can tell."""
        return self.channel.path if self.channel is not None else None

    def take_early(self) -> tuple[Candidate, ...]:
        """The candidates that came before there was a channel to take them."""
        early, self._early = tuple(self._early), []
        return early

    async def add_candidate(self, candidate: Candidate) -> None:
        """Give a trickled candidate to the channel, or keep it until there is one."""
        if self.channel is not None:
            await self.channel.add_candidate(candidate)
        elif len(self._early) < MAX_EARLY_CANDIDATES:
            self._early.append(candidate)

    def attach(self, channel: Channel) -> None:
        """From here on the attempt has a channel."""
        self.channel = channel
        self.dialing = None
        self.outgoing = Outgoing(channel, self.peer_id, plain=not self.speaks_hallway)

    def send(self, frame: LinkFrame) -> None:
        """Send a control frame; a `Bye` goes last."""
        assert self.outgoing is not None
        if isinstance(frame, Bye):
            self.outgoing.finish(frame)
        else:
            self.outgoing.frame(frame)

    def succeed(self, previous: AttemptRun) -> None:
        """Take over the messages that wait for the channel that the link had before, and read after those that come over it."""
        if previous.outgoing is not None and self.outgoing is not None:
            previous.outgoing.hand_over(self.outgoing)
        if self.speaks_hallway:
            self.previous = previous

    async def turn(self) -> None:
        """Wait until the channel may be read: not before the one that the link had before has faded."""
        if self.previous is not None:
            await self.previous.faded.wait()
            self.previous = None

    def greet(self, device: DeviceInfo, guard: Guard, sections: dict[str, Any], *, moves: bool) -> None:
        """Send our HELLO, with these ``sections`` beside the guard's."""
        assert self.channel is not None
        assert self.outgoing is not None
        section = guard.hello(self.peer_id, self.channel.binding, time.time())
        sections = {SECTION: section, **sections}
        self.outgoing.frame(Hello(device.device_id, self.peer_id, device.epoch, sections=sections, moves=moves, chunks=True, lone=True))

    def objection(self, guard: Guard, hello: Hello) -> str | None:
        """What the guard has against the peer's HELLO; None lets the peer in."""
        assert self.channel is not None
        return guard.admit(hello.sender, hello.sections.get(SECTION), self.channel.binding, time.time())

    def admit(self, hello: Hello) -> None:
        """The guard lets the peer in, which has said this HELLO."""
        self.hello = hello
        if hello.chunks and self.outgoing is not None:
            self.outgoing.allow_chunks()
        if hello.lone and self.outgoing is not None:
            self.outgoing.allow_lone()

    async def aclose(self, *, graceful: bool, moved: bool = False) -> None:
        """Stop the attempt's work and release what it holds; ``graceful`` delivers what was sent before.

        ``moved``: the link goes on over another channel. The other end may need a moment to notice, and must not take the link for lost:
        this one stays until it has `faded`.
        """
        if moved:
            # The link bounds it.
            await self.faded.wait()
        deadline = asyncio.get_running_loop().time() + (DRAIN_SECONDS if graceful else 0.0)
        if graceful and self.channel is not None:
            await self._drain(deadline)
            # The channel is read until it is closed: what the peer sent meanwhile still counts.
            await self.channel.aclose(deadline)
        await self._stop_task()
        if self.dialing is not None:
            await self.dialing.aclose()
        if self.channel is not None:
            await self.channel.aclose(deadline)

    async def _drain(self, deadline: float) -> None:
        if self.outgoing is None:
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self.outgoing.drained()
        except TimeoutError:
            return

    async def _stop_task(self) -> None:
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
            await asyncio.wait([self.task])

    def expect_answer(self) -> None:
        """Forget an answer that came by itself and was of no use."""
        if self.late_answer.done():
            self.late_answer = asyncio.get_running_loop().create_future()

    async def wait_late_answer(self, deadline: float) -> Signal:
        """The answer that the peer posts by itself.

        Raises:
            DeadlineExceeded: it did not.

        """
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(self.late_answer)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{self.peer_id} took the offer and sent no answer") from error
