"""From the chains of the configuration to the plugins of a device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs

from hallway.errors import PluginError
from hallway.model import Sighting
from hallway.plugins import PluginContext
from hallway.plugins.manager import Loaded, Registry
from hallway.runtime.discoveries import Finder
from hallway.runtime.links.carriers import Carrier, Handler, SignalingChain
from hallway.runtime.links.dialer import ChannelMaker

logger = logging.getLogger(__name__)

Made = TypeVar("Made")


@attrs.frozen
class Chains:
    """What could be made of each chain, in its order, and what could not, and why."""

    finders: tuple[Finder, ...]
    signaling: SignalingChain
    makers: tuple[ChannelMaker, ...]
    problems: tuple[PluginError, ...]


def make_chains(
    registry: Registry, context: PluginContext, *, sighted: Callable[[str, Sighting], None], handler: Handler, changed: Callable[[], None]
) -> Chains:
    """Make every plugin of every chain. One that cannot be made is left out, if the device can do without it.

    ``sighted`` takes what discovery sees, ``handler`` what signaling brings in; ``changed`` is told when signaling comes up or goes down.

    Raises:
        PluginError: no plugin of a chain that a device cannot do without could be made.

    """
    problems = list(registry.problems)

    def each(chain: Iterable[Loaded[Any]], wrap: Callable[[Any, Any], Made]) -> tuple[Made, ...]:
        made = []
        for loaded in chain:
            try:
                made.append(wrap(loaded.provider, registry.make(loaded, context)))
            except PluginError as problem:
                logger.warning("%s", problem)
                problems.append(problem)
        return tuple(made)

    finders = each(registry.discovery, lambda provider, discovery: Finder(provider.name, discovery, sighted))
    carriers = each(
        registry.signaling,
        lambda provider, signaling: Carrier(provider, signaling, handler=handler, reporter=sighted, on_change=changed),
    )
    makers = each(registry.channel, lambda provider, connector: ChannelMaker(provider.name, provider.kind, connector))
    if problems and not (carriers and makers):
        raise problems[0]
    return Chains(finders, SignalingChain(carriers), makers, tuple(problems))
