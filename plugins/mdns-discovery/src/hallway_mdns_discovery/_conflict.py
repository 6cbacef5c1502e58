"""Two devices of one name: who keeps it, and how the operator learns of it."""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Self

import attrs

from hallway_mdns_discovery._answers import Answers

log = logging.getLogger(__name__)


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


class Conflict:
    """Tells the operator once of each rival, and again only after it was another one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: tuple[str, bool] | None = None

    def lost(self, rival: Rival, delay: float) -> None:
        """The name is taken; it is tried again in ``delay`` seconds."""
        self._tell(
            rival,
            won=False,
            text=f"another device, at {rival}, has the name {self._name}: others do not see this one, which tries again in {delay:.0f} s",
        )

    def won(self, rival: Rival) -> None:
        """The name is ours, and another device uses it too."""
        self._tell(rival, won=True, text=f"another device, at {rival}, uses the name {self._name} of this one")

    def _tell(self, rival: Rival, *, won: bool, text: str) -> None:
        told, self._told = self._told, (rival.address, won)
        level = logging.DEBUG if told == self._told else logging.WARNING
        log.log(level, "%s; give one of them another [device] id, or stop one if both run on one machine", text)
