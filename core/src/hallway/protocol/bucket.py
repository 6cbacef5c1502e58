"""How often something may happen, in the caller's own seconds: a clock that is set back blocks nobody."""

from __future__ import annotations

from collections.abc import Iterable


class Bucket:
    """A token bucket, full at first: ``rate`` tokens a second, ``burst`` at most."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until a token is there: 0 means now. Takes nothing."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def take(self, now: float) -> bool:
        """Take one token, or nothing if there is none."""
        if self.wait(now):
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """Put a token back that was taken for nothing."""
        self._tokens = min(self._burst, self._tokens + 1.0)


class PeerBuckets:
    """A bucket for each linked peer, made when it first asks. Ids are compared without case."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._of: dict[str, Bucket] = {}

    def take(self, peer_id: str, now: float) -> bool:
        """Take one token of that peer's, or nothing if there is none."""
        key = peer_id.lower()
        if key not in self._of:
            self._of[key] = Bucket(self._rate, self._burst, now)
        return self._of[key].take(now)

    def keep(self, peer_ids: Iterable[str]) -> None:
        """Forget all peers but these: whoever is linked anew has a full bucket."""
        for key in self._of.keys() - {peer_id.lower() for peer_id in peer_ids}:
            del self._of[key]
