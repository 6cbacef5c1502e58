"""What happens in the demo, in order: each act changes something, then every device speaks to all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING

import attrs

from hallway.plugins.loader import installed

if TYPE_CHECKING:
    from hallway.cli.demo_stage import Stage

LAN, CLOUD = "http-local", "cloud-ws"
NEEDED_FOR_CLOUD = {("hallway.signaling", CLOUD), ("hallway.commands", "signal-server")}
"""The entry points without which there can be no cloud."""
NO_CLOUD = "The acts with a signal server are left out: hallway-cloud-ws-signaling is not installed."


class Touched(Enum):
    """Whose links an act may change."""

    ALL = "all"
    LAST = "last"
    NONE = "none"


@attrs.frozen
class Act:
    """One act.

    ``{last}`` in the title is the last device's name. ``change`` makes the change; then every link must be there, those of the last device
    signaled by ``last_by``, and no link may have changed but those of ``touched``.
    """

    title: str
    change: Callable[[Stage], Awaitable[None]]
    touched: Touched
    last_by: str = LAN


async def _begin(stage: Stage) -> None:
    await stage.start_devices()


async def _leave_the_lan(stage: Stage) -> None:
    await stage.start_server()
    await stage.restart_last("discovery.chain=[]", f'signaling.chain=["{CLOUD}"]')


async def _stop_the_server(stage: Stage) -> None:
    await stage.stop_server()


async def _return(stage: Stage) -> None:
    await stage.restart_last()


BEGIN = Act("the devices find each other on the LAN, without any server", _begin, Touched.ALL)
RETURN = Act("{last} is restarted: linked on the LAN again", _return, Touched.LAST)
CLOUD_ACTS = (
    BEGIN,
    Act("a signal server starts, {last} is restarted with its LAN path stopped: the cloud takes over", _leave_the_lan, Touched.LAST, CLOUD),
    Act("the signal server is stopped: no link notices", _stop_the_server, Touched.NONE, CLOUD),
    attrs.evolve(RETURN, title="{last} is restarted with its LAN path: linked on the LAN again, without the server"),
)
LAN_ACTS = (BEGIN, RETURN)


def has_cloud() -> bool:
    """Whether this installation can show the cloud's acts."""
    return {(item.group, item.name) for item in installed(groups=[group for group, _ in NEEDED_FOR_CLOUD])} >= NEEDED_FOR_CLOUD
