"""Calls the observer hooks. What an observer raises is logged with its name, and ends nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pluggy

from hallway.plugins.binding import call

logger = logging.getLogger(__name__)


class Observers:
    """The observer hooks of one device, each a method of the same name and arguments. None of them raises.

    The set of observers is fixed when this is made.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        hooks = ("hallway_peer_found", "hallway_peer_lost", "hallway_link_changed", "hallway_message_in", "hallway_message_out")
        # pluggy calls the last registered first; we tell them in their own order.
        self._implementations = {hook: tuple(getattr(manager.hook, hook).get_hookimpls()) for hook in hooks}

    @property
    def observes_messages(self) -> bool:
        """Whether some observer wants messages; without one, do not call for each."""
        return bool(self._implementations["hallway_message_in"] or self._implementations["hallway_message_out"])

    def hallway_peer_found(self, peer_id: str, plugin: str) -> None:
        """See `hallway.hookspecs.hallway_peer_found`."""
        self._tell("hallway_peer_found", {"peer_id": peer_id, "plugin": plugin})

    def hallway_peer_lost(self, peer_id: str, plugin: str) -> None:
        """See `hallway.hookspecs.hallway_peer_lost`."""
        self._tell("hallway_peer_lost", {"peer_id": peer_id, "plugin": plugin})

    def hallway_link_changed(self, peer_id: str, state: str, details: dict[str, Any]) -> None:
        """See `hallway.hookspecs.hallway_link_changed`. Each observer gets a copy of ``details``."""
        self._tell("hallway_link_changed", {"peer_id": peer_id, "state": state, "details": details})

    def hallway_message_in(self, peer_id: str, message_id: str, message: Any) -> None:
        """See `hallway.hookspecs.hallway_message_in`."""
        self._tell("hallway_message_in", {"peer_id": peer_id, "message_id": message_id, "message": message})

    def hallway_message_out(self, peer_id: str, message_id: str, message: Any) -> None:
        """See `hallway.hookspecs.hallway_message_out`."""
        self._tell("hallway_message_out", {"peer_id": peer_id, "message_id": message_id, "message": message})

    def _tell(self, hook: str, arguments: Mapping[str, Any]) -> None:
        for impl in self._implementations[hook]:
            own = {name: dict(value) if name == "details" else value for name, value in arguments.items()}
            try:
                call(impl, own)
            except (Exception, asyncio.CancelledError):
                # An observer does not wait, so that nobody can have cancelled it: it asked for the result of something that was.
                logger.exception("observer %s failed in %s", impl.plugin_name, hook)
