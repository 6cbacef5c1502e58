"""Why attempts failed, told once and not at their rate: which path, which step, why, and what to try."""

from __future__ import annotations

import asyncio
import logging

from hallway.errors import RemoteViolation
from hallway.events import ErrorHappened
from hallway.model import IcePolicy, RefusalCode
from hallway.protocol.attempt import Phase
from hallway.protocol.bucket import Bucket
from hallway.protocol.throttle import Throttle
from hallway.runtime.links.run import AttemptRun
from hallway.runtime.publishing.publisher import Publisher

logger = logging.getLogger(__name__)

REPEAT_SECONDS = 60.0
"""How long the same failure of the same peer is not told again."""

RATE, BURST = 0.5, 32.0
"""Failures that are told per second, and at once: whoever makes peers up must not fill the log under their names."""

CODE = "attempt-failed"
STEPS = {
    Phase.SIGNALING: (
        "no answer to the offer",
        "see that both devices run and are on one network; the peer's firewall must let TCP 8090 to 8099 in",
    ),
    Phase.CONNECTING: (
        "offer and answer passed, but no channel opened",
        "UDP between the two is blocked or lost: look at their firewalls, and switch client isolation off at the access point",
    ),
    Phase.GREETING: ("the channel opened, but the peer was not admitted", "see that both run versions of hallway that go together"),
}
"""By the phase in which an attempt failed: what that means, and what to do next."""
DISTANT_HINT = "see that both devices run and reach the signal server"
FORBIDDEN_HINT = (
    "that device runs and can be reached, and does not take this one: if they are enrolled, see with `hallway members` on an admin "
    "whether both belong, and that their clocks are right"
)
VIOLATION_HINT = "see which version that device runs, and whether it is what it says to be; nothing of this device is lost"


class Reports:
    """Tells of failed attempts, and of links that a peer has made impossible, as `ErrorHappened`, and in the log."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._throttle = Throttle(REPEAT_SECONDS)
        self._bucket = Bucket(RATE, BURST, asyncio.get_running_loop().time())

    def failed(self, run: AttemptRun, phase: Phase, reason: str, now: float) -> None:
        """An attempt came to nothing."""
        meaning, hint = STEPS.get(phase, ("it ended", ""))
        if phase is Phase.SIGNALING and run.policy is IcePolicy.WAN:
            hint = DISTANT_HINT
        if phase is Phase.SIGNALING and run.refused is RefusalCode.FORBIDDEN:
            hint = FORBIDDEN_HINT
        way = f" over {run.signaling}" if run.signaling else ""
        if phase is not Phase.SIGNALING and run.channel_plugin:
            way += f" and {run.channel_plugin} ({'any path' if run.policy is IcePolicy.WAN else 'LAN only'})"
        text = f"{run.peer_id} was not reached{way}: {meaning}: {reason}"
        key = (run.peer_id.lower(), phase, run.signaling)
        if not self._bucket.wait(now) and self._throttle.lets(key, now):
            self._bucket.take(now)
            logger.warning("%s", text)
            self._publisher.publish(ErrorHappened(CODE, text, hint))
        else:
            logger.debug("%s", text)

    def violated(self, peer_id: str, reason: str, now: float) -> None:
        """A peer has broken the rules of an open link, which was closed for it."""
        text = f"the link to {peer_id} was closed, since {peer_id} broke the protocol: {reason}"
        if not self._bucket.wait(now) and self._throttle.lets((peer_id.lower(), reason), now):
            self._bucket.take(now)
            logger.warning("%s", text)
            self._publisher.publish(ErrorHappened(RemoteViolation.code, text, VIOLATION_HINT))
        else:
            logger.debug("%s", text)

    def forget(self, peer_id: str) -> None:
        """The peer is linked: what fails from now on is news."""
        self._throttle.forget(lambda key: key[0] == peer_id.lower() and isinstance(key[1], Phase))
