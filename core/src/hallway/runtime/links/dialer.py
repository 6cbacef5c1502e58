"""Making one link: an offer, carried along the signaling chain until somebody answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

import attrs

from hallway.errors import BadDescription, BadEnvelope, HallwayError, Unreachable
from hallway.interfaces import Connector
from hallway.model import Envelope, Mode, PeerRecord, Refusal, RefusalCode, same_device
from hallway.protocol.chain import STAGGER, Attempts, Try, is_near, tries
from hallway.runtime.links.carriers import Carrier
from hallway.runtime.links.race import RaceLost, race
from hallway.runtime.links.run import AttemptRun
from hallway.trust import Guard, Signal


@attrs.frozen
class ChannelMaker:
    """A channel plugin in use: its name, the kind of its descriptions, its connector."""

    plugin: str
    kind: str
    connector: Connector


MAX_DIALS = 4
"""Offers that are made and carried over the LAN at once. When a whole site starts, all of them at once would starve each other beyond their
deadlines; while one waits for its turn, the peer's own offer may make it needless. As many again go to peers that may not exist, which are
to hold up nobody: rumours of them are free, and each takes its whole deadline."""


MAX_HELPS = 3
"""How often an offer is sealed anew: a device may lack the roster, a credential and the time."""


class _KindRefused(Unreachable):
    """The peer has no channel of the kind that was offered."""


class _Helped(Unreachable):
    """The peer has refused, and said what was missing: the offer may be sealed anew."""


class Yielded(Unreachable):
    """The peer's own offer stands, or it is closing: nothing has failed."""


_YIELDING = frozenset({RefusalCode.GLARE, RefusalCode.CLOSING})


class Dialer:
    """Carries offers along the signaling chain; of the channel plugins, the first whose kind the peer takes is used."""

    def __init__(self, carriers: Sequence[Carrier], makers: Sequence[ChannelMaker], guard: Guard) -> None:
        self._carriers = {carrier.name: carrier for carrier in carriers}
        self._chain = [carrier.entry for carrier in carriers]
        self._makers = makers
        self._guard = guard
        self._turns = {doubtful: asyncio.Semaphore(MAX_DIALS) for doubtful in (False, True)}

    def awaits_better(self, record: PeerRecord) -> bool:
        """Whether a plugin of another mode, which is earlier in the chain than those that reach the peer, may see it in a moment.

        One that is up may, and one that is still coming up for the first time.
        """
        hopeful = [carrier for carrier in self._carriers.values() if carrier.is_up or not carrier.settled.is_set()]
        first = next((carrier for carrier in hopeful if carrier.entry.endpoints(record)), None)
        return first is not None and first.entry.mode is not hopeful[0].entry.mode

    def is_near(self, record: PeerRecord) -> bool:
        """Whether a plugin whose channels stay on the LAN may reach the peer."""
        return is_near(self._chain, record)

    async def reach(self, run: AttemptRun, record: PeerRecord, *, near: bool = False, doubtful: bool = False) -> None:
        """Give ``run`` a channel to the peer.

        ``near``: only over plugins whose channels stay on the LAN. ``doubtful``: there may be no such peer.

        Raises:
            Yielded: there will be no channel, and that is as it should be.
            Unreachable: no plugin of the chain got through; the message has every reason.

        """
        attempts = Attempts()
        for each in tries(self._chain, record, attempts, near=near):
            for maker in self._makers:
                try:
                    async with self._turns[doubtful] if each.entry.mode is Mode.LOCAL else nullcontext():
                        await self._try(run, each, maker)
                except Yielded:
                    raise
                except _KindRefused as error:
                    attempts.failed(each.entry.plugin, str(error))
                except HallwayError as error:
                    attempts.failed(each.entry.plugin, str(error))
                    break
                else:
                    return
        raise Unreachable(f"{record.device_id} cannot be reached ({attempts})", hint="see that both devices are on one network")

    async def _try(self, run: AttemptRun, each: Try, maker: ChannelMaker) -> None:
        run.begun = True
        run.signaling = each.entry.plugin
        if run.dialing is None or run.channel_plugin != maker.plugin or run.policy is not each.entry.ice_policy:
            run.channel_plugin, run.policy = maker.plugin, each.entry.ice_policy
            await self._offer(run, maker)
        await self._accept(run, await self._exchange(run, each))

    async def _offer(self, run: AttemptRun, maker: ChannelMaker) -> None:
        if run.dialing is not None:
            await run.dialing.aclose()
        run.dialing = None
        run.dialing = await maker.connector.dial(run.policy)

    async def _exchange(self, run: AttemptRun, each: Try) -> Signal:
        """Have the offer answered. If the guards need it, it is sealed anew."""
        deadline = asyncio.get_running_loop().time() + each.patience
        for _ in range(MAX_HELPS):
            try:
                return await self._post(run, each, deadline)
            except _Helped:
                continue
        return await self._post(run, each, deadline)

    async def _post(self, run: AttemptRun, each: Try, deadline: float) -> Signal:
        """Post the offer to all endpoints of the peer, staggered; the first answer counts."""
        assert run.dialing is not None
        run.expect_answer()
        envelope = self._guard.seal(run.peer_id, run.dialing.offer, time.time())
        ask = partial(self._ask, run, self._carriers[each.entry.plugin], envelope=envelope, deadline=deadline)
        try:
            return await race([partial(ask, endpoint) for endpoint in each.endpoints], STAGGER)
        except RaceLost as lost:
            # What the peer itself has said tells more than an address at which nobody answered.
            told = next((error for error in lost.errors if isinstance(error, Yielded | _KindRefused | _Helped)), None)
            raise told or Unreachable(str(lost), hint=lost.errors[-1].hint) from lost

    async def _ask(self, run: AttemptRun, carrier: Carrier, endpoint: str, *, envelope: Envelope, deadline: float) -> Signal:
        """Post the offer to one endpoint; the answer comes in the response, or later by itself."""
        reply = await carrier.signaling.request(endpoint, envelope, deadline)
        if isinstance(reply, Refusal):
            run.refused = reply.code
            helped = await self._help(run.peer_id, carrier, endpoint, reply, deadline)
            raise _Helped(f"{run.peer_id} wants the offer otherwise") if helped else _refused(run.peer_id, reply)
        if reply.kind != "answer":
            return await run.wait_late_answer(deadline)
        signal = self._guard.open(reply, carrier.origin(endpoint), time.time())
        if isinstance(signal, Refusal) and signal.body and await self._hand_over(run.peer_id, carrier, endpoint, signal, deadline):
            raise _Helped(f"{run.peer_id} has got what its answer lacked")
        if not isinstance(signal, Signal):
            reason = signal.message if isinstance(signal, Refusal) else "it is none"
            raise BadEnvelope(f"{run.peer_id} sent an answer that cannot be read: {reason}")
        return signal

    async def _help(self, peer_id: str, carrier: Carrier, endpoint: str, refusal: Refusal, deadline: float) -> bool:
        """Take in what the peer wants us to know, or give it what it lacks; whether the offer may be sealed anew."""
        if self._guard.helped(refusal, time.time()):
            return True
        return not refusal.body and await self._hand_over(peer_id, carrier, endpoint, refusal, deadline)

    async def _hand_over(self, peer_id: str, carrier: Carrier, endpoint: str, refusal: Refusal, deadline: float) -> bool:
        lacking = self._guard.hand_over(peer_id, refusal, time.time())
        return lacking is not None and isinstance(await carrier.signaling.request(endpoint, lacking, deadline), Envelope)

    async def _accept(self, run: AttemptRun, signal: Signal) -> None:
        if not same_device(signal.sender, run.peer_id) or signal.description is None:
            raise BadDescription(f"the answer is from {signal.sender}, not from {run.peer_id}")
        assert run.dialing is not None
        answer = attrs.evolve(signal.description, candidates=signal.description.candidates + run.take_early())
        run.speaks_hallway = signal.mark is not None
        try:
            run.attach(await run.dialing.accept(answer))
        except BadDescription:
            dialing, run.dialing = run.dialing, None
            await dialing.aclose()
            raise


def _refused(peer_id: str, refusal: Refusal) -> Unreachable:
    text = f"{peer_id} refused: {refusal.message} ({refusal.code.value})"
    if refusal.code in _YIELDING:
        return Yielded(text)
    return _KindRefused(text) if refusal.code is RefusalCode.UNSUPPORTED_KIND else Unreachable(text)
