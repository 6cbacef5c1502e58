"""What keeps an eye on one open channel between hallways: its heartbeat, and the frames that are the link's own business."""

from __future__ import annotations

import attrs

from hallway.protocol.effects import Control, Effect, ForDelivery, Held, SendFrame, Suspected
from hallway.protocol.frames import Frame, Pause, Ping, Pong, Request, Response, Resume
from hallway.protocol.heartbeat import Heartbeat, Pulse
from hallway.protocol.parcels import Ack, Gap, Nak, Parcels


def content(frame: Frame) -> list[Effect]:
    """What a frame holds for the control bus or the delivery layer."""
    match frame:
        case Request() | Response():
            return [Control(frame)]
        case Parcels() | Ack() | Gap() | Nak():
            return [ForDelivery(frame)]
    return []


@attrs.define
class Vitals:
    """The signs of life of the channel of ``attempt``."""

    attempt: int
    _heartbeat: Heartbeat
    _paused: bool = False
    _pings: int = 0

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called."""
        return self._heartbeat.deadline

    @property
    def suspected(self) -> bool:
        """Whether nothing has proved for a while that what we send arrives."""
        return self._heartbeat.suspected

    @property
    def doubted(self) -> bool:
        """Whether there is evidence against the channel, and no proof since."""
        return self._heartbeat.doubted

    def is_sound(self, now: float) -> bool:
        """Whether nothing speaks against the channel, and something spoke for it lately: a slow path may be suspected now and then."""
        return not self.doubted and now - self._heartbeat.proved_at < 2 * self._heartbeat.timing.suspect_after

    def received(self, frame: Frame, now: float) -> list[Effect]:
        """Take a frame that came over the channel."""
        match frame:
            case Ping(number):
                return [SendFrame(self.attempt, Pong(number))]
            case Pong():
                self._heartbeat.proved(now)
            case Pause() | Resume():
                return [Held(isinstance(frame, Pause))]
            case _:
                return content(frame)
        return []

    def proved(self, now: float) -> None:
        """Something that we sent has arrived."""
        self._heartbeat.proved(now)

    def doubt(self, now: float) -> None:
        """There is evidence that the path is dead."""
        self._heartbeat.doubt(now)

    def pause(self, now: float, *, paused: bool) -> None:
        """The channel is not read at this end (or is again): the peer's answers wait, and their absence proves nothing."""
        self._paused = paused
        if not paused:
            self._heartbeat.proved(now)

    def tick(self, now: float) -> tuple[list[Effect], bool]:
        """What is to be done at ``now``, and whether the peer counts as dead."""
        effects: list[Effect] = []
        while (pulse := self._heartbeat.tick(now)) is not None:
            if self._paused:
                self._heartbeat.proved(now)
                return [self._ping()], False
            match pulse:
                case Pulse.DEAD:
                    return effects, True
                case Pulse.SUSPECT:
                    effects.append(Suspected())
                case Pulse.ASK:
                    effects.append(self._ping())
        return effects, False

    def _ping(self) -> Effect:
        self._pings += 1
        return SendFrame(self.attempt, Ping(self._pings))
