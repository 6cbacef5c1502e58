"""Conformance suites for plugin authors: one per role, each a class that holds a plugin to every promise of its interface.

Subclass the suite of your plugin's role in a test module, and pytest runs it. You give three things:

* ``provider``: the record that your hook returns.
* ``capabilities``: what your plugin does where the interface leaves a choice. Tests for what it does not do are skipped, with the
  capability as the reason. Nothing else may be skipped.
* ``site``: an asynchronous context manager that sets up one place where devices reach each other (a hub, a folder, a server, the loopback
  interface) and yields a function which makes your plugin's object for one device. Each test has a site, and devices with new names, of its
  own; the suite makes, starts, pairs and closes them, both ways round.

A complete example, for a channel plugin called ``tin-can``::

    from collections.abc import AsyncIterator, Callable
    from contextlib import asynccontextmanager

    from hallway.interfaces import Connector
    from hallway.model import DeviceInfo
    from hallway.testing.conformance import ChannelCapabilities, ChannelConformance, context
    from hallway_tin_can.config import TinCanConfig
    from hallway_tin_can.plugin import hallway_channel


    class TestTinCan(ChannelConformance):
        provider = next(iter(hallway_channel()))
        capabilities = ChannelCapabilities(max_message=65536)

        @asynccontextmanager
        async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Connector]]:
            yield lambda device: self.provider.factory(TinCanConfig(), context(device))

``SignalingConformance`` and ``DiscoveryConformance`` work alike. With ``hinderable`` in the capabilities the class also has a
``hindrance``: an asynchronous context manager inside which `start` cannot work, to see that it can be called again.
To test two implementations of one kind against each other, let ``site`` make one for the first device and the other for the second.

**Nothing is dropped in silence.** The last test of each suite compares what pytest collected with what the suite has. It fails if a test
or a fixture of the suite was overridden, deleted or set to None; skips and expected failures that no capability explains are failures;
and a run from which tests of a suite were taken out does not start (choosing with ``-k``, ``-m``, ``--deselect`` or node ids is fine).
If your plugin cannot keep a promise, say so, and the reason is printed at the end of every run::

    exempt = {"test_messages_arrive_once_and_in_order": "a carrier pigeon may overtake another"}

An exempt test is replaced by the class's own method of that name, or left out if it has none.

``ControlConformance`` is for whoever makes a `hallway.interfaces.ControlBus`, which is no plugin's: its ``site`` yields a `ControlPair`.

A class whose name pytest does not take for a test class is not seen at all: call it ``Test...``.

This package needs pytest and pytest-asyncio, in either mode of the latter. Warnings should be errors (``filterwarnings = ["error"]``), so
that sockets which nobody closed and coroutines which nobody awaited count.
"""

# ruff: noqa: E402 - asserts are explained only in modules that are imported after this
from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("suite", "leftovers", "bench", "channel", "signaling", "discovery", "control"))
)

from hallway.testing.conformance.bench import context
from hallway.testing.conformance.capabilities import ChannelCapabilities, DiscoveryCapabilities, SignalingCapabilities
from hallway.testing.conformance.channel import ChannelConformance
from hallway.testing.conformance.control import ControlConformance, ControlPair
from hallway.testing.conformance.discovery import DiscoveryConformance
from hallway.testing.conformance.signaling import SignalingConformance

__all__ = [
    "ChannelCapabilities",
    "ChannelConformance",
    "ControlConformance",
    "ControlPair",
    "DiscoveryCapabilities",
    "DiscoveryConformance",
    "SignalingCapabilities",
    "SignalingConformance",
    "context",
]
