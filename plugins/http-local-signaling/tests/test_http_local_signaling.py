"""The carrier as a whole: two devices on one machine."""

import asyncio
import ipaddress
import subprocess
import sys

import attrs
import pytest

from hallway.errors import ClosedError, SignalingUnavailable, Unreachable
from hallway.model import DeviceInfo, Envelope, IcePolicy, Mode, Origin, Refusal, RefusalCode
from hallway.network import InterfaceAddress, InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_http_local_signaling import HttpLocalConfig, HttpLocalSignaling
from hallway_http_local_signaling.connection import LocalAddresses
from hallway_http_local_signaling.plugin import hallway_signaling

LOOPBACK = InterfacePolicy(allow=("lo*",))
OFFER = Envelope("offer", "application/json", b'{"an":"offer"}')


def make(device_id="tablet-1", port=0, interfaces=LOOPBACK, watch=2.0):
    context = PluginContext(DeviceInfo(device_id, "property-123"), interfaces, Resolver())
    return HttpLocalSignaling(HttpLocalConfig(port=port), context, watch=watch)


@pytest.fixture
async def pair(wire):
    """Two carriers that are up, their hosts, and where the second one listens."""
    one, other = make(), make("tablet-2")
    hosts = wire.host(), wire.host()
    before = asyncio.all_tasks()
    await asyncio.gather(one.start(hosts[0]), other.start(hosts[1]))
    yield one, other, hosts, (await hosts[1].listens.get())[0]
    await asyncio.gather(one.aclose(), other.aclose())
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


def soon():
    return asyncio.get_running_loop().time() + 10


def seen(policy_addresses):
    return tuple(InterfaceAddress("eth0", 2, ipaddress.ip_address(address), ipaddress.ip_network(address)) for address in policy_addresses)


@attrs.frozen
class Moving(InterfacePolicy):
    """A policy whose addresses the test changes."""

    now: list[str] = attrs.field(factory=list)

    def addresses(self):
        return seen(self.now)


async def test_an_offer_gets_its_answer(pair, wire):
    one, _, hosts, url = pair

    assert await one.request(url, OFFER, soon()) == wire.answer
    assert hosts[1].seen == [(OFFER, Origin("http-local", "127.0.0.1"))]


async def test_a_refusal_crosses_unchanged(pair):
    one, _, hosts, url = pair
    hosts[1].outcome = Refusal(RefusalCode.WRONG_PROPERTY, "another property")

    assert await one.request(url, OFFER, soon()) == hosts[1].outcome


async def test_requests_run_at_once(pair, wire):
    one, _, _, url = pair

    assert await asyncio.gather(*(one.request(url, OFFER, soon()) for _ in range(20))) == [wire.answer] * 20


async def test_giving_up_cancels_the_work_at_the_other_end(pair):
    one, _, hosts, url = pair
    hosts[1].hold = asyncio.Event()
    request = asyncio.create_task(one.request(url, OFFER, soon()))
    await hosts[1].begun.wait()
    request.cancel()

    await hosts[1].cancelled.wait()


async def test_closing_ends_both_directions(pair):
    one, other, hosts, url = pair
    hosts[1].hold = asyncio.Event()
    request = asyncio.create_task(one.request(url, OFFER, soon()))
    await hosts[1].begun.wait()
    await other.aclose()

    with pytest.raises(Unreachable):
        await request
    with pytest.raises(ClosedError):
        await other.request(url, OFFER, soon())
    with pytest.raises(ClosedError):
        await other.start(hosts[1])
    await other.aclose()


async def test_a_restarted_peer_is_reached_again(pair, wire):
    one, other, _, url = pair
    await one.request(url, OFFER, soon())
    await other.aclose()
    again = make("tablet-2", int(url.rpartition(":")[2]))
    await again.start(wire.host())

    assert await one.request(url, OFFER, soon()) == wire.answer
    await again.aclose()


async def test_it_listens_on_the_addresses_of_the_policy_lan_first(wire):
    host = wire.host()
    carrier = make(interfaces=Moving(now=["10.0.0.7", "fd00::7"]))
    await carrier.start(host)
    first, second = await host.listens.get()
    await carrier.aclose()

    port = first.removeprefix("http://10.0.0.7:")
    assert int(port) > 0
    assert second == f"http://[fd00::7]:{port}"


async def test_a_change_of_address_is_told_without_a_new_port(wire):
    host = wire.host()
    policy = Moving(now=["10.0.0.7"])
    carrier = make(interfaces=policy, watch=0.01)
    await carrier.start(host)
    before = await host.listens.get()
    policy.now[:] = ["10.0.0.8"]
    after = await host.listens.get()
    await carrier.aclose()

    assert after == (before[0].replace("10.0.0.7", "10.0.0.8"),)


def test_only_allowed_addresses_of_ours_and_loopback_are_served():
    policy = Moving(now=["10.0.0.7"])
    local = LocalAddresses(policy)

    assert local.allow("10.0.0.7", 0.0)
    assert local.allow("127.0.0.1", 0.0)
    assert local.allow("::1", 0.0)
    assert not local.allow("172.17.0.1", 0.0)
    policy.now[:] = ["10.0.0.8"]
    assert local.allow("10.0.0.8", 1.0)
    assert not local.allow("10.0.0.7", 1.0)


def test_an_address_that_has_just_come_is_served_at_once():
    policy = Moving(now=["10.0.0.7"])
    local = LocalAddresses(policy)

    assert local.allow("10.0.0.7", 0.0)
    policy.now[:] = ["10.0.0.8"]
    assert not local.allow("10.0.0.8", 0.04)
    assert local.allow("10.0.0.8", 0.06)


async def test_it_does_not_start_while_all_ports_are_taken_and_still_makes_requests(wire, all_taken, pair):
    carrier = make(port=all_taken)
    with pytest.raises(SignalingUnavailable, match=str(all_taken)):
        await carrier.start(wire.host())

    assert await carrier.request(pair[3], OFFER, soon()) == wire.answer
    await carrier.aclose()


async def test_a_cancelled_start_leaves_nothing(wire):
    before = asyncio.all_tasks()
    carrier = make()
    host = wire.host()
    start = asyncio.create_task(carrier.start(host))
    url = (await host.listens.get())[0]
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start

    assert asyncio.all_tasks() == before
    other = make()
    with pytest.raises(Unreachable):
        await other.request(url, OFFER, soon())
    await other.aclose()
    await carrier.aclose()


def test_the_hook_offers_one_provider():
    (provider,) = hallway_signaling()

    assert (provider.name, provider.mode, provider.ice_policy, provider.schemes) == ("http-local", Mode.LOCAL, IcePolicy.LAN, {"http"})
    assert provider.config_class().port == 8090


async def test_the_factory_makes_the_carrier():
    (provider,) = hallway_signaling()
    carrier = provider.factory(HttpLocalConfig(), PluginContext(DeviceInfo("tablet-1", "p"), LOOPBACK, Resolver()))

    assert isinstance(carrier, HttpLocalSignaling)
    await carrier.aclose()


def test_reading_the_hooks_imports_no_aiohttp():
    code = "import sys, hallway_http_local_signaling.plugin as p; p.hallway_signaling(); print('aiohttp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@attrs.frozen
class Unreadable(InterfacePolicy):
    """A machine that may not tell its addresses."""

    broken: list[str] = attrs.field(factory=lambda: ["no netlink"])

    def addresses(self):
        if self.broken:
            raise OSError(self.broken[0])
        return seen(["10.0.0.7"])


async def test_addresses_that_cannot_be_read_at_the_start_are_no_signaling_and_may_be_tried_again(wire):
    policy, before = Unreadable(), asyncio.all_tasks()
    carrier = make(interfaces=policy)
    with pytest.raises(SignalingUnavailable, match="no netlink"):
        await carrier.start(wire.host())
    assert asyncio.all_tasks() == before
    policy.broken.clear()
    await carrier.start(wire.host())
    await carrier.aclose()


def test_addresses_that_cannot_be_read_now_leave_the_last_ones_served():
    policy = Unreadable(broken=[])
    local = LocalAddresses(policy)
    assert local.allow("10.0.0.7", 0.0)
    policy.broken.append("no netlink")
    assert local.allow("10.0.0.7", 2.0)
    assert not local.allow("10.0.0.8", 2.0)
