"""What was seen already, and the challenges that stand in for a clock. Bounded, and no member can use up another's share."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict

from hallway.errors import Untrusted
from hallway.trust.keys import Random
from hallway.trust.reasons import Reason, refused

MEMORY = 300.0
"""Seconds for which a message is remembered: longer than the time check would let it in again."""
MAX_SEEN = 16 * 1024
MAX_SEEN_OF_ONE = 320
"""A fault that lets signaling pass and no channel has a peer redial for as long as it lasts: what it sends in `MEMORY` seconds fits, or the
peer would be locked out when the fault is over. So does what 50 of them send."""
CHALLENGE_BYTES = 16
CHALLENGE_LIFE = 30.0
"""Seconds in which a challenge must come back."""
MAX_CHALLENGES = 128
"""Challenges that are out at once, one for each peer."""
MAX_OPENED = 4096
"""Envelopes whose very bytes are remembered; that of longest ago is forgotten first."""


class Repeated(Untrusted):
    """These very bytes have come before, and it took no look at a signature to tell."""

    def __init__(self) -> None:
        super().__init__(Reason.REPLAY.value, "this very envelope has come before")


class Opened:
    """The envelopes that could be opened: who has recorded one, and knows no secret, makes this device open it once.

    It spares work and is no bound of trust: `ReplayCache` is, since a member can seal one message in many ways.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, kind: str, body: bytes) -> None:
        """Remember an envelope that came as ``kind``. Raises `Repeated` if it was there before."""
        key = hashlib.sha256(kind.encode() + b"\0" + body).digest()
        if key in self._seen:
            raise Repeated
        self._seen[key] = None
        if len(self._seen) > MAX_OPENED:
            self._seen.popitem(last=False)


class ReplayCache:
    """The messages of the last five minutes, by who sent them and their session id.

    What lies further off, in the past or (the clock was set back) in the future, is forgotten: the time check refuses it.
    """

    def __init__(self) -> None:
        self._seen: defaultdict[str, dict[bytes, float]] = defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def note(self, sender: str, session: bytes, now: float) -> None:
        """Remember a message.

        Raises:
            Untrusted: it was there before (``replay``), or there is no room for the sender (``full``).

        """
        self._forget(sender, now)
        own = self._seen[sender]
        if session in own:
            raise refused(Reason.REPLAY, "this very message has come before")
        if self._count >= MAX_SEEN:
            self._forget_all(now)
        if len(own) >= MAX_SEEN_OF_ONE or self._count >= MAX_SEEN:
            self._drop_empty(sender)
            raise refused(Reason.FULL, "the sender has sent as many messages as are remembered")
        own[session] = now
        self._count += 1

    def _forget(self, sender: str, now: float) -> None:
        own = self._seen[sender]
        for session in [session for session, at in own.items() if abs(now - at) > MEMORY]:
            del own[session]
            self._count -= 1

    def _forget_all(self, now: float) -> None:
        for sender in list(self._seen):
            self._forget(sender, now)
            self._drop_empty(sender)

    def _drop_empty(self, sender: str) -> None:
        if not self._seen[sender]:
            del self._seen[sender]


class Challenges:
    """What this device has asked its peers to sign, since their clocks and its own differ. Each is good for one message."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._out: dict[str, tuple[bytes, float]] = {}

    def give(self, peer: str, now: float) -> bytes:
        """A challenge for ``peer``: the one that is out still, or a new one.

        Raises:
            Untrusted: too many are out (``full``).

        """
        self._out = {one: (value, at) for one, (value, at) in self._out.items() if 0 <= now - at < CHALLENGE_LIFE}
        if peer in self._out:
            return self._out[peer][0]
        if len(self._out) >= MAX_CHALLENGES:
            raise refused(Reason.FULL, "too many challenges are out")
        value = self._random(CHALLENGE_BYTES)
        self._out[peer] = (value, now)
        return value

    def redeem(self, peer: str, value: bytes, now: float) -> None:
        """Take a challenge back. Raises `Untrusted` (``challenge``) if it is not the one that is out for ``peer``."""
        given = self._out.get(peer)
        if given is None or given[0] != value or not 0 <= now - given[1] < CHALLENGE_LIFE:
            raise refused(Reason.CHALLENGE, "the message answers no challenge of this device")
        del self._out[peer]
