"""When this end offers: at first sight, after a failure, and from a distant path to look for the LAN."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from hallway.protocol.attempt import Attempt, Role
from hallway.protocol.effects import Dial, Effect
from hallway.protocol.redial import Redial
from hallway.protocol.slots import Slots
from hallway.protocol.states import State, Transition, after
from hallway.protocol.upgrade import Upgrade


@attrs.define
class Dials(Slots):
    """The state of a link and its own offers. ``random`` returns 0 to 1 (1 excluded)."""

    random: Callable[[], float]
    state: State = attrs.field(default=State.IDLE, kw_only=True)
    near: bool = attrs.field(default=False, kw_only=True)
    """Whether there is a way to the peer over the LAN."""
    _since: float | None = attrs.field(default=None, kw_only=True)
    _left: str | None = attrs.field(default=None, kw_only=True)
    """The epoch of the peer that said bye: it is not to be dialed until another one shows up."""
    _redial: Redial = attrs.field(init=False)
    _upgrade: Upgrade = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._redial = Redial(self.random)
        self._upgrade = Upgrade(self.random)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.state is State.CLOSED

    @property
    def _is_wanted(self) -> bool:
        """Whether there is a peer to dial: it is in sight, and not in the life in which it said bye."""
        return self.record is not None and (self._left is None or self.record.epoch != self._left)

    def noticed(self, now: float) -> None:
        """The peer was seen for the first time, but is not to be dialed yet: from here on the time to a link counts."""
        if self._since is None and self.current is None:
            self._since = now

    def _change(self, transition: Transition) -> None:
        self.state = after(self.state, transition)

    def _settle(self) -> None:
        """Go to where a link is that has no attempt under way any more."""
        if self.state is State.DIALING and not any(self.attempts()):
            self._change(Transition.GIVE_UP if self._redial.at is None else Transition.FAIL)

    def _dial_soon(self, now: float) -> list[Effect]:
        """Dial now, or as soon as a dial may follow the last one."""
        if self._redial.may_dial(now):
            return self._dial_now(now)
        self._change(Transition.PLAN)
        return []

    def _dial_now(self, now: float) -> list[Effect]:
        self._redial.cancel()
        if self.record is None or self.closed or self.current is not None or self.dial is not None:
            return []
        self._redial.dialed(now)
        self._change(Transition.ATTEMPT)
        self.dial = self._begin(Role.OFFERER)
        return [Dial(self.dial.id, self.record)]

    def _plan_redial(self, now: float) -> None:
        # What is planned already stands, however many offers of strangers fail meanwhile.
        if self.closed or self.dial is not None or self._redial.at is not None or self._upgrade.at is not None:
            return
        if self.current is None and self._is_wanted:
            self._redial.failed(now)
        elif self.current is not None and self._is_upgradable(self.current):
            self._upgrade.failed(now)

    def _is_upgradable(self, current: Attempt) -> bool:
        return self.near and current.distant and current.epoch is not None

    def _look_for_lan(self, current: Attempt, now: float, *, news: bool) -> None:
        if self._is_upgradable(current) and self.dial is None:
            self._upgrade.wanted(now, news=news)

    def _dial_near(self) -> list[Effect]:
        self._upgrade.looked()
        if not self.near or self.record is None or self.current is None or self.dial is not None or self.incoming is not None:
            return []
        self._change(Transition.ATTEMPT)
        self.dial = self._begin(Role.OFFERER)
        return [Dial(self.dial.id, self.record, near=True)]
