"""How channels open, carry frames in order, acknowledge them, and end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hallway.protocol.frames import Frame
from hallway.testing.link_rig.network import Network
from hallway.testing.link_rig.values import Pipe

if TYPE_CHECKING:
    from hallway.testing.link_rig.end import End

RETRY = 0.25
"""Seconds after which what met a partition is sent again."""


class Channels:
    """The channels of all devices."""

    def __init__(self, network: Network) -> None:
        self._network, self._schedule = network, network.schedule

    def connect(self, pipe: Pipe, *, distant: bool) -> None:
        """Both descriptions are known: the channel opens at each end in its own time, or not at all.

        ``distant``: it may go over more than the LAN; it does where the LAN does not work, and now and then where it does.
        """
        pipe.dead |= self._network.happens(self._network.weather.stillborn)
        pipe.tells = self._network.random.random() < 0.7
        pipe.distant = distant and (self._is_blocked(pipe, distant=False) or self._network.random.random() < 0.5)
        self._schedule.later(self._network.delay(distant=distant), partial(self._establish, pipe))

    def _is_blocked(self, pipe: Pipe, *, distant: bool) -> bool:
        one, other = (end.device for end in pipe.ends)
        return self._network.blocked(one, other, distant=distant) or self._network.blocked(other, one, distant=distant)

    def _establish(self, pipe: Pipe) -> None:
        if pipe.dead or pipe.closed:
            return
        if self._is_blocked(pipe, distant=pipe.distant) or any(end.device.stalled_until > self._schedule.now for end in pipe.ends):
            self._schedule.later(RETRY, partial(self._establish, pipe))
            return
        pipe.established = True
        for end in pipe.ends:
            self._schedule.tell(end.device, self._network.delay(), partial(self._open, pipe, end))

    def _open(self, pipe: Pipe, end: End) -> None:
        if end not in pipe.closed and not pipe.dead:
            pipe.opened.add(end)
            end.opened(pipe)
            end.read(pipe)

    def send(self, pipe: Pipe, sender: End, frame: Frame | None) -> None:
        """Carry a frame, or the news of a close, in order."""
        target = pipe.other(sender)
        flow = pipe.flows[target]
        at = self._schedule.now + self._network.delay(distant=pipe.distant)
        flow.frames.append((max(at, flow.frames[-1][0]) if flow.frames else at, frame))
        self._schedule.later(flow.frames[-1][0] - self._schedule.now, partial(self._arrive, pipe, target))

    def _arrive(self, pipe: Pipe, target: End) -> None:
        flow, sender = pipe.flows[target], pipe.other(target)
        if pipe.dead or target in pipe.closed or not flow.frames:
            return
        if not self._hears(pipe, target):
            if not flow.retrying:
                flow.retrying = True
                self._schedule.later(RETRY, partial(self._retry, pipe, target))
            return
        answers = not self._network.blocked(target.device, sender.device, distant=pipe.distant)
        while flow.frames and flow.frames[0][0] <= self._schedule.now:
            flow.inbox.append(flow.frames.popleft()[1])
            if answers:
                flow.acks.append(self._schedule.now + self._network.delay(distant=pipe.distant))
            else:
                flow.lost_acks = True
        target.read(pipe)

    def _hears(self, pipe: Pipe, target: End) -> bool:
        sender = pipe.other(target)
        stalled = target.device.stalled_until > self._schedule.now
        return not stalled and not self._network.blocked(sender.device, target.device, distant=pipe.distant)

    def _retry(self, pipe: Pipe, target: End) -> None:
        pipe.flows[target].retrying = False
        self._arrive(pipe, target)

    def acknowledged(self, pipe: Pipe, sender: End) -> bool:
        """Whether more of what ``sender`` has sent is known to have arrived since it was asked last."""
        target = pipe.other(sender)
        flow, progress = pipe.flows[target], False
        if pipe.dead:
            return False
        while flow.acks and flow.acks[0] <= self._schedule.now:
            flow.acks.popleft()
            progress = True
        again = flow.lost_acks and target not in pipe.closed
        if again and not self._is_blocked(pipe, distant=pipe.distant) and self._hears(pipe, target):
            flow.lost_acks = False
            progress = True
        return progress

    def close(self, pipe: Pipe, end: End) -> None:
        """One end closes; the other is told after all that was sent, unless it is not. Closing twice does nothing."""
        if end in pipe.closed:
            return
        pipe.closed.add(end)
        if pipe.established and not self._network.happens(self._network.weather.silent):
            self.send(pipe, end, None)
