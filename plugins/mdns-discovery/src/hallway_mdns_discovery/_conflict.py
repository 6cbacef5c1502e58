"""Two devices of one name: who keeps it, and how the operator learns of it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Container
from typing import Self

import attrs

from hallway_mdns_discovery._answers import Answers

log = logging.getLogger(__name__)

SIGNS = 3
SIGNS_FADE = 10.0
"""Seconds: so many signs within them, and whoever speaks in our name is taken for no device."""


@attrs.frozen
class Rival:
    """Another device that uses our name, as its records show it."""

    address: str
    port: int
    text: bytes

    @classmethod
    def among(cls, answers: Answers, instance: str, own: Container[tuple[str, int] | bytes]) -> Self | None:
        """The device in a response that speaks in the name of ``instance`` with a TXT or SRV record that is not among our ``own``."""
        service, text = answers.live_service(instance), answers.live_text(instance)
        alien_text = text is not None and text.text not in own
        alien_service = service is not None and (service.server_key, service.port) not in own
        if not (alien_text or alien_service):
            return None
        addresses = answers.live_addresses(service.server_key) if service is not None else []
        return cls(
            address=str(addresses[0]) if addresses else "an unknown address",
            port=service.port if service is not None else 0,
            text=text.text if text is not None else b"",
        )

    def outranks(self, text: bytes, port: int) -> bool:
        """Whether it keeps the name: the later records win, as in RFC 6762 section 8.2."""
        return (self.text, self.port) > (text, port)

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.address} port {self.port}" if self.port else self.address


class Credit:
    """Whether what speaks in our name is a device. Pure; ``now`` is in seconds.

    A device that holds a name answers for it, and its records do not change from packet to packet. Giving way to what does not even do that
    would let one packet a minute hide this device.
    """

    def __init__(self) -> None:
        self._text = b""
        self._port = 0
        self._signs: deque[float] = deque(maxlen=SIGNS)

    def hear(self, rival: Rival, now: float) -> None:
        """Take in a packet of a rival; a part of its records may be missing."""
        changed = (self._text and rival.text and rival.text != self._text) or (self._port and rival.port and rival.port != self._port)
        self._text, self._port = rival.text or self._text, rival.port or self._port
        if changed:
            self._signs.append(now)

    def undefended(self, now: float) -> None:
        """A rival to which the name was left did not answer for it."""
        self._signs.append(now)

    def is_lost(self, now: float) -> bool:
        """Whether to keep the name whatever is said."""
        return len(self._signs) == SIGNS and now - self._signs[0] < SIGNS_FADE


class Conflict:
    """Tells the operator once of each rival, and again only after it was another one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: object = None

    def lost(self, rival: Rival, delay: float) -> None:
        """The name is taken; it is tried again in ``delay`` seconds."""
        self._tell(
            key=(rival.address, False),
            text=f"another device, at {rival}, has the name {self._name}: others do not see this one, which tries again in {delay:.0f} s",
        )

    def won(self, rival: Rival) -> None:
        """The name is ours, and another device uses it too."""
        self._tell(key=(rival.text, rival.port, True), text=f"another device, at {rival}, uses the name {self._name} of this one")

    def forged(self, rival: Rival) -> None:
        """The name is ours, and what else uses it behaves like no device."""
        self._tell(key="forged", text=f"somebody, at {rival} and elsewhere, claims the name {self._name} of this device again and again")

    def _tell(self, *, key: object, text: str) -> None:
        told, self._told = self._told, key
        level = logging.DEBUG if told == self._told else logging.WARNING
        log.log(level, "%s; give one of them another [device] id, or stop one if both run on one machine", text)
