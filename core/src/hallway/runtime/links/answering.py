"""The offers of one peer: each is decided once, however often it arrives, and over however many addresses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from hallway.errors import BadDescription, HallwayError
from hallway.model import Description, Envelope, IcePolicy, Refusal, RefusalCode
from hallway.protocol.effects import Effect
from hallway.protocol.link import Link
from hallway.runtime.links.run import AttemptRun
from hallway.runtime.links.services import Services
from hallway.trust import Signal

logger = logging.getLogger(__name__)

REFUSALS = {
    RefusalCode.GLARE: "this device's own offer to you stands",
    RefusalCode.CLOSING: "this device is closing",
    RefusalCode.FORBIDDEN: "the device of that name is known at another address",
}
"""What a refusal says to people."""


def refusal(code: RefusalCode) -> Refusal:
    """The refusal of that code."""
    return Refusal(code, REFUSALS.get(code, "not now"))


class Answering:
    """Turns the offers of a peer into attempts of its link, and into answers.

    ``runs`` are the attempts of the link, which its driver shares; ``carry_out`` takes the link's effects; ``converse`` reads and
    writes the channel of an attempt until it ends.
    """

    def __init__(
        self,
        link: Link,
        services: Services,
        runs: dict[int, AttemptRun],
        carry_out: Callable[[list[Effect]], None],
        converse: Callable[[AttemptRun], Coroutine[Any, Any, None]],
    ) -> None:
        self._link = link
        self._services = services
        self._runs = runs
        self._carry_out = carry_out
        self._converse = converse
        self._now = asyncio.get_running_loop().time

    async def offered(self, signal: Signal, carrier: str, policy: IcePolicy, address: str | None) -> Envelope | Refusal:
        """Decide on an offer, which came from the network address ``address``, and return our answer, or why there is none."""
        assert signal.description is not None
        run = self._twin(signal.description) or self._begin(signal, signal.description, carrier, policy, address)
        run.requests += 1
        try:
            return await asyncio.shield(run.reply)
        except asyncio.CancelledError:
            await self._withdrawn(run)
            raise
        finally:
            run.requests -= 1

    def _twin(self, offer: Description) -> AttemptRun | None:
        """The attempt that this very offer has led to already: it came twice, or over two addresses of ours."""
        return next((run for run in self._runs.values() if run.offer == offer), None)

    def _begin(self, signal: Signal, offer: Description, carrier: str, policy: IcePolicy, address: str | None) -> AttemptRun:
        epoch = signal.mark.epoch if signal.mark is not None else None
        attempt_id, effects = self._link.offered(self._now(), epoch=epoch, stranger=self._is_stranger(address), unsent=self._is_unsent())
        run = self._runs[attempt_id] = AttemptRun(attempt_id, self._link.peer_id)
        run.signaling, run.policy, run.speaks_hallway, run.offer, run.address = carrier, policy, epoch is not None, offer, address
        run.reference = signal.reference
        run.deciding = self._services.tasks.start(self._decide(run, offer), f"answer {run.peer_id} {run.id}")
        self._carry_out(effects)
        return run

    def _is_stranger(self, address: str | None) -> bool:
        """Whether ``address`` is none of those where the peer is known to be; carriers without addresses know no strangers."""
        hosts = self._link.record.hosts if self._link.record is not None else frozenset()
        return address is not None and bool(hosts) and address not in hosts

    def _is_unsent(self) -> bool:
        dial = self._link.dial
        return dial is not None and not self._runs[dial.id].begun

    async def _withdrawn(self, run: AttemptRun) -> None:
        """A requester has gone; without another one that waits for the same answer the attempt is over."""
        if run.requests > 1 or run.reply.done():
            return
        if run.deciding is not None:
            run.deciding.cancel()
            await asyncio.wait([run.deciding])
        self._fail(run, "the peer has withdrawn its offer")

    async def _decide(self, run: AttemptRun, offer: Description) -> None:
        try:
            reply = await run.verdict or await self._answer(run, offer)
        except asyncio.CancelledError:
            if not run.reply.done():
                run.reply.set_result(refusal(RefusalCode.CLOSING))
            raise
        except Exception:
            logger.exception("the offer of %s could not be answered", run.peer_id)
            reply = self._refuse(run, RefusalCode.INTERNAL, "this device could not answer")
        if not run.reply.done():
            run.reply.set_result(reply)

    async def _answer(self, run: AttemptRun, offer: Description) -> Envelope | Refusal:
        maker = next((maker for maker in self._services.makers if maker.kind == offer.kind), None)
        if maker is None:
            return self._refuse(run, RefusalCode.UNSUPPORTED_KIND, f"this device has no channel of the kind {offer.kind!r}")
        try:
            description, channel = await maker.connector.answer(offer, run.policy)
        except BadDescription as error:
            return self._refuse(run, RefusalCode.BAD_DESCRIPTION, str(error))
        except HallwayError as error:
            return self._refuse(run, RefusalCode.BUSY, str(error))
        run.channel_plugin = maker.plugin
        run.attach(channel)
        for candidate in run.take_early():
            await channel.add_candidate(candidate)
        if run.id not in self._runs:
            await channel.aclose()
            return refusal(RefusalCode.GLARE)
        try:
            answer = self._services.guard.seal(run.peer_id, description, time.time(), reference=run.reference)
        except HallwayError as error:
            return self._refuse(run, RefusalCode.INTERNAL, str(error))
        run.task = self._services.tasks.start(self._converse(run), f"converse {run.peer_id} {run.id}")
        return answer

    def _refuse(self, run: AttemptRun, code: RefusalCode, message: str) -> Refusal:
        # The requester is told, and whoever sends garbage under made-up names must not fill our log.
        self._fail(run, message)
        return Refusal(code, message)

    def _fail(self, run: AttemptRun, reason: str) -> None:
        self._carry_out(self._link.failed(run.id, reason, self._now(), expected=True))
