"""Why a channel has ended, as hallway's errors."""

from __future__ import annotations

from enum import Enum

import attrs

from hallway.errors import ChannelClosed, RemoteViolation, Unreachable


class EndedBy(Enum):
    """Whose doing the end of a channel was."""

    PEER = "the peer closed the channel"
    NETWORK = "the network lost the peer"
    VIOLATION = "the peer broke the protocol"
    ERROR = "the channel failed"


@attrs.frozen
class End:
    """Why a channel has ended; ``detail`` is a clause."""

    by: EndedBy
    detail: str = ""

    def error(self) -> ChannelClosed:
        """A fresh error to raise; a violation is its cause too, so that callers can tell it from a lost network."""
        text = f"{self.by.value}: {self.detail}" if self.detail else self.by.value
        error = ChannelClosed(text)
        if self.by is EndedBy.VIOLATION:
            error.__cause__ = RemoteViolation(self.detail)
        return error


def no_address() -> Unreachable:
    """There is nothing to make a candidate of."""
    return Unreachable("no allowed interface has a usable address", hint="look at [network] interfaces and deny in the configuration")
