"""The suites bite: plugins in memory with one fault each fail in the tests that stand for the promise they break."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import asyncio
from contextlib import asynccontextmanager
from unittest.mock import patch
from hallway.model import *
from hallway.testing.conformance import *
from hallway.testing.memory import MemoryConfig, channel, control, discovery, hub, plugin, signaling
from hallway.testing.memory.channel import MemoryChannel, MemoryConnector
from hallway.testing.memory.control import MemoryBus
from hallway.testing.memory.hub import Hub
from hallway.testing.memory.signaling import MemorySignaling

class Broken:
    @asynccontextmanager
    async def site(self):
        target, name, value = self.fault
        with patch.object(target, name, value):
            yield lambda device: self.provider.factory(MemoryConfig(hub="teeth"), context(device))

class Channels(Broken, ChannelConformance):
    provider = plugin.hallway_channel()[0]
    capabilities = ChannelCapabilities(max_message=256 * 1024, sends_now=True, tells_acknowledged=True)

class Carriers(Broken, SignalingConformance):
    provider = plugin.hallway_signaling()[0]
    capabilities = SignalingCapabilities(knows_addresses=False)

class Discoveries(Broken, DiscoveryConformance):
    provider = plugin.hallway_discovery()[0]
    capabilities = DiscoveryCapabilities()

class Buses(ControlConformance):
    @asynccontextmanager
    async def site(self):
        target, name, value = self.fault
        hub = Hub()
        near, far = MemoryBus(hub, "near"), MemoryBus(hub, "far")

        async def link():
            near.link("far")

        async def unlink():
            near.unlink("far")

        await link()
        with patch.object(target, name, value):
            yield ControlPair("near", near, "far", far, link, unlink)
            await near.aclose()
            await far.aclose()

take, opened, receive, dial = MemoryChannel.take, MemoryChannel.opened, MemoryChannel.receive, MemoryConnector.dial
send_now = MemoryChannel.send_now
outcome, browse = MemorySignaling._outcome, Hub.browse

def newest_first(self, message, size):
    take(self, message, size)
    self._inbox.rotate(1)

def text_only(self, message, size):
    take(self, message if isinstance(message, str) else message.decode("latin-1"), size)

def never_now(self, message):
    return False

def always_now(self, message):
    self._check_alive()
    self._hand_over(message)
    return True

def overtakes(self, message):
    self._in_line, line = 0, self._in_line
    try:
        return send_now(self, message)
    finally:
        self._in_line = line

def shortens(self, message):
    return send_now(self, message[: self.max_message])

def silent(self, message):
    return not self._closed and not self._ended and send_now(self, message)

async def hands_out_after_closing(self):
    return self._inbox.popleft() if self._inbox else await receive(self)

async def forgets_a_task(self, policy):
    asyncio.get_running_loop().create_task(asyncio.sleep(60), name="forgotten")
    return await dial(self, policy)

async def opens_always(self, deadline):
    return None

acked_by_reader = property(lambda self: self._other._taken_bytes - self._other._waiting_bytes)
under_way = property(lambda self: self._other._waiting_bytes)
of_the_peer = property(lambda self: self._taken_bytes)

def talkative(self, handling, endpoint):
    answer = outcome(self, handling, endpoint)
    return Refusal(RefusalCode.INTERNAL, answer.message) if isinstance(answer, Refusal) else answer

def shows_everybody(self, device_id, property_id, browser):
    browse(self, device_id, property_id, browser)
    for record in self.records.values():
        browser.report(Seen(record))

def shows_ghosts(self, device_id, property_id, browser):
    browse(self, device_id, property_id, browser)
    browser.report(Gone("ghost"))

async def tells_everybody_again(self):
    for record in list(self.hub.records.values()):
        self.hub.advertise(record)

async def is_there_in_any_case(self):
    device = self.device
    self.hub.advertise(PeerRecord(device.device_id, device.property_id, endpoints=("memory://here",)))


def serves_anew(self, kind, handler):
    self._handlers[kind] = handler
"""

REFRESH = "discovery.MemoryDiscovery, 'refresh'"
FAULTS = [
    ("Channels", "MemoryChannel, 'take', newest_first", "test_messages_arrive_once_and_in_order"),
    ("Channels", "MemoryChannel, 'take', text_only", "test_text_and_bytes_are_kept_apart_and_unchanged"),
    ("Channels", "channel, 'MAX_MESSAGE', 300_000", "test_a_message_of_the_largest_size_passes"),
    ("Channels", "channel, 'HIGH_WATER', 1 << 40", "test_a_sender_waits_for_a_reader_and_goes_on"),
    ("Channels", "channel, 'HIGH_WATER', 1 << 40", "test_many_senders_at_once_pile_up_no_more_than_one"),
    ("Channels", "MemoryChannel, 'receive', hands_out_after_closing", "test_a_closed_end_refuses_to_send_and_receive"),
    ("Channels", "MemoryChannel, 'send_now', never_now", "test_an_idle_channel_sends_now_exactly_if_that_is_declared"),
    ("Channels", "MemoryChannel, 'send_now', always_now", "test_a_channel_that_is_not_open_yet_sends_nothing_now"),
    ("Channels", "MemoryChannel, 'take', newest_first", "test_what_is_sent_now_arrives_once_unchanged_and_in_order"),
    ("Channels", "MemoryChannel, 'send_now', always_now", "test_a_crowded_channel_sends_nothing_now_until_there_is_room"),
    ("Channels", "MemoryChannel, 'send_now', overtakes", "test_nobody_who_waits_to_send_is_overtaken"),
    ("Channels", "MemoryChannel, 'send_now', overtakes", "test_it_keeps_the_order_of_calls_with_send"),
    ("Channels", "MemoryChannel, 'send_now', shortens", "test_one_byte_more_is_refused_now_too_and_nothing_sent"),
    ("Channels", "MemoryChannel, 'send_now', silent", "test_a_closed_end_refuses_to_send_now"),
    ("Channels", "MemoryChannel, 'send_now', silent", "test_sending_now_to_a_peer_that_has_closed_says_so"),
    ("Channels", "MemoryConnector, 'dial', forgets_a_task", "test_an_offer_that_is_given_up_leaves_nothing"),
    ("Channels", "MemoryChannel, 'opened', opens_always", "test_a_channel_that_does_not_open_in_time_says_so"),
    ("Channels", "MemoryChannel, 'binding', Binding('a', 'b')", "test_a_binding_is_there_exactly_if_it_is_declared"),
    ("Channels", "MemoryChannel, 'acknowledged_bytes', acked_by_reader", "test_a_reader_that_does_not_read_holds_back_no_acknowledgement"),
    ("Channels", "MemoryChannel, 'acknowledged_bytes', under_way", "test_acknowledged_bytes_grow_to_all_that_was_sent_and_never_fall"),
    ("Channels", "MemoryChannel, 'acknowledged_bytes', of_the_peer", "test_only_what_was_sent_is_acknowledged"),
    ("Channels", "MemoryChannel, 'acknowledged_bytes', None", "test_acknowledged_bytes_are_told_exactly_if_they_are_declared"),
    ("Channels", "MemoryChannel, 'path', Path('::1', '::1')", "test_a_path_is_there_exactly_if_it_is_declared_and_the_channel_is_open"),
    ("Carriers", "signaling, 'Origin', lambda _: Origin('somebody')", "test_the_origin_names_the_plugin"),
    ("Carriers", "MemorySignaling, '_outcome', talkative", "test_a_refusal_arrives_with_its_code_and_message"),
    ("Carriers", "signaling, 'MAX_RESPONSE', 1 << 40", "test_a_response_that_is_too_large_is_not_handed_out"),
    ("Carriers", "signaling, 'MAX_REQUEST', 1 << 40", "test_a_request_that_is_too_large_costs_its_sender_only"),
    ("Discoveries", "Hub, 'browse', shows_everybody", "test_devices_of_another_property_are_not_reported"),
    ("Discoveries", "Hub, 'browse', shows_ghosts", "test_devices_find_each_other"),
    ("Discoveries", f"{REFRESH}, tells_everybody_again", "test_a_refresh_loses_nobody_and_reports_nobody_again"),
    ("Discoveries", f"{REFRESH}, is_there_in_any_case", "test_a_refresh_makes_nobody_known_that_does_not_advertise"),
    ("Discoveries", f"{REFRESH}, is_there_in_any_case", "test_a_closed_discovery_refreshes_nothing"),
    ("Buses", "control, 'MAX_CONTROL_REQUESTS', 17", "test_more_than_sixteen_at_once_are_refused_as_busy"),
    ("Buses", "control, 'MAX_CONTROL_REQUESTS', 15", "test_requests_arrive_in_the_order_of_the_calls"),
    ("Buses", "control, 'MAX_CONTROL_BODY', 1 << 17", "test_the_largest_body_passes_and_a_larger_one_does_not"),
    ("Buses", "MemoryBus, 'serve', serves_anew", "test_a_kind_is_served_once"),
]


def test_every_broken_promise_is_noticed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    classes = [f"class TestFault{n:02}({role}):\n    fault = ({fault})\n" for n, (role, fault, _) in enumerate(FAULTS)]
    choice = " or ".join(f"(TestFault{n:02} and {test})" for n, (_, _, test) in enumerate(FAULTS))
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(HEAD + "\n".join(classes))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess("-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider", "-q", "-rfE", "-k", choice)

    red = {line.split("::", 1)[1].split("[")[0].split(" ")[0] for line in result.outlines if line.startswith(("FAILED", "ERROR "))}
    assert red == {f"TestFault{n:02}::{test}" for n, (_, _, test) in enumerate(FAULTS)}
