"""What a link holds: the peer's record and at most three attempts. It answers questions and decides nothing."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from hallway.model import PeerRecord
from hallway.protocol.attempt import Attempt, Phase, Role
from hallway.protocol.frames import VERSION, Frame, Hello
from hallway.protocol.negotiation import Verdict, glare


@attrs.define
class Slots:
    """``dial`` is our offer, ``incoming`` theirs, ``current`` the attempt whose channel is the open one."""

    own_id: str
    peer_id: str
    record: PeerRecord | None = attrs.field(default=None, kw_only=True)
    dial: Attempt | None = attrs.field(default=None, kw_only=True)
    incoming: Attempt | None = attrs.field(default=None, kw_only=True)
    current: Attempt | None = attrs.field(default=None, kw_only=True)
    yielding: bool = attrs.field(default=False, kw_only=True)
    """Whether our last offer to this peer failed."""
    _last_id: int = attrs.field(default=0, kw_only=True)

    @property
    def forgettable(self) -> bool:
        """Whether nothing is known of the peer and nothing is under way."""
        return self.record is None and not any(self.attempts())

    def attempts(self) -> Iterator[Attempt]:
        """Those that exist now."""
        return (attempt for attempt in (self.current, self.dial, self.incoming) if attempt is not None)

    def find(self, attempt_id: int) -> Attempt | None:
        """The attempt of that id, if it exists now."""
        for attempt in (self.current, self.dial, self.incoming):
            if attempt is not None and attempt.id == attempt_id:
                return attempt
        return None

    def _begin(self, role: Role, phase: Phase = Phase.SIGNALING, deadline: float | None = None) -> Attempt:
        self._last_id += 1
        return Attempt(self._last_id, role, phase, deadline)

    def _contests(self, epoch: str | None) -> bool:
        """Whether an offer of that epoch speaks against an open link that nothing else speaks against: two devices may have one id."""
        known = (self.current.epoch if self.current is not None else None, self.record.epoch if self.record is not None else None)
        return epoch is not None and None not in known and epoch not in known

    def _is_settled_against(self, epoch: str | None) -> bool:
        """Whether a stranger has nothing to hope for: only the peer itself, at a new address, names the epoch of the open link."""
        if self.incoming is not None and not self.incoming.stranger:
            return True
        return self.current is not None and (epoch is None or epoch != self.current.epoch)

    def _verdict(self, incoming: Attempt, *, unsent: bool) -> Verdict:
        if incoming.stranger:
            return Verdict.BOTH
        if self.dial is None or unsent:
            return Verdict.ANSWER
        greeting = self.dial.phase is Phase.GREETING
        return glare(self.own_id, self.peer_id, speaks_hallway=incoming.epoch is not None, yielding=self.yielding, greeting=greeting)

    def _objection(self, frame: Frame) -> str | None:
        """What is wrong with the first frame of the peer, as a clause; None if it is the HELLO that it should be."""
        if not isinstance(frame, Hello):
            return "the peer's first frame was no HELLO"
        if frame.to.lower() != self.own_id.lower() or frame.sender.lower() != self.peer_id.lower():
            return f"the HELLO is from {frame.sender} to {frame.to}"
        return None if VERSION in frame.versions else f"the peer speaks versions {frame.versions}, we {VERSION}"
