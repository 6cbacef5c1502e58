"""What keeps an open link: its signs of life, and the way from one channel to another."""

from __future__ import annotations

import attrs

from hallway.protocol.attempt import Attempt
from hallway.protocol.dials import Dials
from hallway.protocol.effects import Drop, Effect, Moved, SendFrame
from hallway.protocol.fading import Fading
from hallway.protocol.frames import MOVED, Bye
from hallway.protocol.heartbeat import Timing
from hallway.protocol.negotiation import ended
from hallway.protocol.states import State, Transition
from hallway.protocol.vitals import Vitals

NOTHING_TO_CARRY_ON = "the link that it was to carry on has gone down"


@attrs.define
class Upkeep(Dials):
    """The link while a channel is open."""

    timing: Timing = attrs.field(factory=Timing)
    _vitals: Vitals | None = None
    _fading: Fading = attrs.field(factory=Fading)

    def proved(self, attempt_id: int, now: float) -> list[Effect]:
        """The channel of the attempt tells that something which we sent has arrived at the peer."""
        if self._vitals is not None and self._vitals.attempt == attempt_id:
            self._vitals.proved(now)
            self._follow_vitals()
        return []

    def doubt(self, now: float) -> list[Effect]:
        """There is evidence that the open channel's path is dead: the peer is asked, and has `SUSPICION` seconds to answer."""
        if self._vitals is not None:
            self._vitals.doubt(now)
        return []

    def pause(self, attempt_id: int, now: float, *, paused: bool) -> list[Effect]:
        """The channel of the attempt, which the link has or has moved from, is not read at this end (or is again).

        Silence proves nothing meanwhile, and we go on showing that we live.
        """
        if attempt_id == self._fading.attempt:
            self._fading.pause(now, paused=paused)
        if self._vitals is not None and self._vitals.attempt == attempt_id:
            self._pause_vitals(now, paused=paused)
        return []

    def _move(self, previous: Attempt, attempt: Attempt, now: float) -> list[Effect]:
        effects: list[Effect] = [SendFrame(previous.id, Bye(MOVED))] if previous.epoch is not None else []
        effects += [Moved(attempt.id), Drop(previous.id, "the link has moved", graceful=True)]
        self._fading.begin(previous.id, now)
        if previous.left:
            return effects + self._end_fading(now)
        self._pause_vitals(now, paused=True)
        return effects

    def _end_fading(self, now: float) -> list[Effect]:
        """From here on the new channel is read."""
        self._pause_vitals(now, paused=False)
        return self._fading.end()

    def _pause_vitals(self, now: float, *, paused: bool) -> None:
        if self._vitals is not None:
            self._vitals.pause(now, paused=paused)
            self._follow_vitals()

    def _end_moving(self) -> list[Effect]:
        """End what was to carry on the link that has gone down: the peer would not see the gap."""
        effects: list[Effect] = []
        if self.dial is not None and self.dial.moves:
            effects += ended(self.dial, NOTHING_TO_CARRY_ON)
            self.dial = None
        if self.incoming is not None and self.incoming.moves:
            effects += ended(self.incoming, NOTHING_TO_CARRY_ON)
            self.incoming = None
        return effects

    def _follow_vitals(self) -> None:
        assert self._vitals is not None
        if self.state is State.OPEN and self._vitals.suspected:
            self._change(Transition.DOUBT)
        elif self.state is State.SUSPECT and not self._vitals.suspected:
            self._change(Transition.PROVE)
