"""The order in which signaling plugins are tried for one peer. Each attempt has its own deadline and leaves its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self
from urllib.parse import urlsplit

import attrs

from hallway.model import IcePolicy, Mode, PeerRecord

LAN_PATIENCE = 1.5
"""Seconds that the LAN path has in one attempt."""
CLOUD_PATIENCE = 30.0
"""Seconds that a cloud path has in one attempt."""
NEAR_CLOUD_PATIENCE = 5.0
"""Seconds that it has for a peer to which there is a way over the LAN as well: that is to be tried again soon."""
MAX_ENDPOINTS = 4
"""Endpoints of one peer that one plugin tries in one attempt."""
STAGGER = 0.2
"""Seconds that an endpoint has alone before the next one is tried beside it (RFC 8305 section 5): what a dead address costs."""


class SignalingFacts(Protocol):
    """The part of `hallway.plugins.SignalingProvider` that decides how it is tried."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def mode(self) -> Mode: ...  # noqa: D102
    @property
    def ice_policy(self) -> IcePolicy: ...  # noqa: D102
    @property
    def schemes(self) -> frozenset[str]: ...  # noqa: D102


@attrs.frozen
class ChainEntry:
    """What the chain needs to know of one signaling plugin."""

    plugin: str
    mode: Mode
    ice_policy: IcePolicy
    schemes: frozenset[str]

    @classmethod
    def of(cls, provider: SignalingFacts) -> Self:
        """The entry of a plugin's provider record."""
        return cls(provider.name, provider.mode, provider.ice_policy, provider.schemes)

    @property
    def patience(self) -> float:
        """Seconds for one attempt."""
        return LAN_PATIENCE if self.mode is Mode.LOCAL else CLOUD_PATIENCE

    def endpoints(self, record: PeerRecord) -> tuple[str, ...]:
        """Those of the peer's endpoints that this plugin takes."""
        mine = [endpoint for endpoint in record.endpoints if urlsplit(endpoint).scheme in self.schemes]
        return tuple(mine[:MAX_ENDPOINTS])


@attrs.frozen
class Try:
    """One plugin's turn: its ``endpoints`` are raced, each `STAGGER` seconds after the one before or as soon as that has failed."""

    entry: ChainEntry
    endpoints: tuple[str, ...]
    patience: float
    """Seconds for all of them together."""


@attrs.define
class Attempts:
    """Why each plugin failed, in the order of the chain. One reason per plugin: the last."""

    reasons: dict[str, str] = attrs.field(factory=dict)
    order: tuple[str, ...] = ()
    """The names of the chain: a plugin that cannot reach the peer leaves its reason before the others have their turn."""

    def failed(self, plugin: str, reason: str) -> None:
        """Record that ``plugin`` did not get through."""
        self.reasons[plugin] = reason

    def __str__(self) -> str:
        """One line for logs and errors."""
        plugins = [*(plugin for plugin in self.order if plugin in self.reasons), *(each for each in self.reasons if each not in self.order)]
        return "; ".join(f"{plugin}: {self.reasons[plugin]}" for plugin in plugins) or "nothing was tried"


def is_near(chain: Sequence[ChainEntry], record: PeerRecord) -> bool:
    """Whether a plugin whose channels stay on the LAN may reach the peer."""
    return any(entry.ice_policy is IcePolicy.LAN and entry.endpoints(record) for entry in chain)


def tries(chain: Sequence[ChainEntry], record: PeerRecord, attempts: Attempts, *, near: bool = False) -> list[Try]:
    """The turns to take for one peer, in order; plugins that cannot reach it leave their reason in ``attempts`` at once.

    ``near``: only those whose channels stay on the LAN.
    """
    planned: list[Try] = []
    attempts.order = tuple(entry.plugin for entry in chain)
    has_near = is_near(chain, record)
    for entry in chain:
        if near and entry.ice_policy is not IcePolicy.LAN:
            continue
        if endpoints := entry.endpoints(record):
            distant = entry.ice_policy is not IcePolicy.LAN
            planned.append(Try(entry, endpoints, min(entry.patience, NEAR_CLOUD_PATIENCE) if has_near and distant else entry.patience))
        else:
            attempts.failed(entry.plugin, "the peer has no endpoint for it")
    return planned
