from __future__ import annotations

import asyncio
import gc
import math
import warnings

import pytest
from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from hallway.errors import ClosedError, DiscoveryUnavailable, MisuseError
from hallway.model import DeviceInfo, Gone
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_mdns_discovery import MdnsDiscovery
from hallway_mdns_discovery._dns import DNSOutgoing, DNSQuestion
from hallway_mdns_discovery._records import SERVICE_TYPE
from hallway_mdns_discovery.config import MdnsConfig


async def test_two_devices_find_each_other(site):
    one, two = site.name(), site.name()
    _, first = await site.device(one, 8090, epoch="e1")
    _, second = await site.device(two, 8091, epoch="e2")
    seen = await first.sees(two)
    assert (seen.id, seen.ip, seen.port, seen.epoch, seen.device_type) == (two, "127.0.0.1", 8091, "e2", "tablet")
    assert (await second.sees(one)).port == 8090


async def test_a_device_that_does_not_advertise_finds_others(site):
    looker, watcher = site.make(site.name()), site.watcher()
    await looker.start(watcher)
    name = site.name()
    await site.device(name)
    await watcher.sees(name)


async def test_a_new_port_is_reported(site):
    name = site.name()
    _, watcher = await site.device(site.name())
    discovery, _ = await site.device(name, 8091)
    await watcher.sees(name)
    for port in (8092, 8091, 8092):
        await discovery.advertise((f"http://127.0.0.1:{port}",))
        await watcher.until(lambda peers, port=port: peers[name].port == port)


async def test_a_restart_is_seen_as_a_new_epoch_without_a_gap(site):
    name = site.name()
    _, watcher = await site.device(site.name())
    before, _ = await site.device(name, 8091, epoch="before")
    await watcher.sees(name)
    await kill(before)
    await site.device(name, 8092, epoch="after")
    await watcher.until(lambda peers: peers[name].epoch == "after")
    assert Gone(name) not in watcher.sightings


async def kill(discovery: MdnsDiscovery) -> None:
    """End a device as a power cut does: without a goodbye."""
    assert discovery._advertiser is not None
    if discovery._advertiser._held is not None:
        discovery._advertiser._zeroconf.registry.async_remove(discovery._advertiser._held)
        discovery._advertiser._held = None
    await discovery.aclose()


async def test_a_goodbye_is_reported(site):
    name = site.name()
    _, watcher = await site.device(site.name())
    discovery, _ = await site.device(name)
    await watcher.sees(name)
    await discovery.aclose()
    await watcher.until(lambda peers: name not in peers)


async def test_a_withdrawn_advertisement_is_reported_and_may_come_again(site):
    name = site.name()
    _, watcher = await site.device(site.name())
    discovery, _ = await site.device(name)
    await watcher.sees(name)
    await discovery.advertise(())
    await watcher.until(lambda peers: name not in peers)
    await discovery.advertise(("http://127.0.0.1:8093",))
    assert (await watcher.sees(name)).port == 8093


@pytest.mark.attack("A17")
async def test_a_spoofed_goodbye_is_put_right(site, monkeypatch):
    name = site.name()
    instance = f"{name}.{SERVICE_TYPE}"
    looker, watcher = await site.device(site.name())
    await site.device(name)
    await watcher.sees(name)
    spoofer = AsyncZeroconf(interfaces=["127.0.0.1"])
    await spoofer.zeroconf.async_wait_for_start()
    info = ServiceInfo(SERVICE_TYPE, f"{name}.{SERVICE_TYPE}", 1, properties={}, server=f"{name}.local.")
    browser, heard = looker._browser, asyncio.Event()
    bye = browser._table.bye
    monkeypatch.setattr(browser._table, "bye", lambda *said: heard.set() or bye(*said))
    spoofer.zeroconf.async_send(spoofer.zeroconf.generate_service_broadcast(info, 0))
    async with asyncio.timeout(20):
        await heard.wait()
        while name not in watcher.peers or browser._table.is_leaving(instance):
            await asyncio.sleep(0.01)
    await spoofer.async_close()


async def test_devices_of_other_properties_are_not_reported(site):
    stranger, friend = site.name(), site.name()
    _, watcher = await site.device(site.name())
    _, other = await site.device(stranger, property_id="elsewhere-" + site.property_id)
    await site.device(friend)
    await watcher.sees(friend)
    await site.device(site.name(), property_id="elsewhere-" + site.property_id)
    await other.until(lambda peers: len(peers) == 1)
    assert set(watcher.peers) == {friend}


async def test_a_device_does_not_report_itself(site):
    name, friend = site.name(), site.name()
    _, watcher = await site.device(name.upper())
    _, other = await site.device(friend)
    await other.sees(name.upper())
    await watcher.sees(friend)
    assert set(watcher.peers) == {friend}


async def test_many_devices_on_one_machine_find_each_other(site):
    names = {site.name() for _ in range(6)}
    devices = await asyncio.gather(*(site.device(name) for name in names))
    for (_, watcher), own in zip(devices, names, strict=True):
        await watcher.until(lambda peers, own=own: set(peers) == names - {own})


async def test_a_device_of_the_seed_is_found(site):
    name = site.name()
    _, watcher = await site.device(site.name())
    responder = AsyncZeroconf(interfaces=["127.0.0.1"])
    properties = {"deviceId": name, "propertyId": site.property_id, "deviceType": "desk"}
    info = ServiceInfo(SERVICE_TYPE, f"{name}.{SERVICE_TYPE}", 8090, properties=properties, parsed_addresses=["127.0.0.1"])
    await (await responder.async_register_service(info, cooperating_responders=True))
    seen = await watcher.sees(name)
    assert (seen.epoch, seen.device_type, seen.port) == (None, "desk", 8090)
    await responder.async_close()
    await watcher.until(lambda peers: name not in peers)


@pytest.mark.attack("A17")
async def test_a_flood_of_fake_devices_is_bounded_and_hides_no_known_peer(site):
    name = site.name()
    discovery, watcher = await site.device(site.name())
    friend, _ = await site.device(name, 8091)
    await watcher.sees(name)
    assert discovery._multicast is not None
    zeroconf = discovery._multicast.zeroconf
    protocol = zeroconf.engine.protocols[0]
    for n in range(10_000):
        info = ServiceInfo(
            SERVICE_TYPE,
            f"fake{n}.{SERVICE_TYPE}",
            8090,
            properties={"deviceId": f"fake{n}", "propertyId": site.property_id},
            server=f"fake{n}.local.",
            host_ttl=4500,
            parsed_addresses=["127.0.0.9"],
        )
        protocol.datagram_received(zeroconf.generate_service_broadcast(info, None).packets()[0], ("127.0.0.9", 5353))
    assert len(watcher.peers) <= 256
    assert Gone(name) not in watcher.sightings
    await friend.advertise(("http://127.0.0.1:8095",))
    await watcher.until(lambda peers: peers[name].port == 8095)
    assert len(watcher.peers) <= 256


async def test_a_bare_pointer_is_resolved_by_asking(site):
    name = site.name()
    looker, watcher = await site.device(site.name())
    _, other = await site.device(site.name())
    await other.sees(looker._context.device.device_id)
    looker._browser._browse_at = math.inf
    responder = AsyncZeroconf(interfaces=["127.0.0.1"])
    await responder.zeroconf.async_wait_for_start()
    properties = {"deviceId": name, "propertyId": site.property_id}
    info = ServiceInfo(SERVICE_TYPE, f"{name}.{SERVICE_TYPE}", 8090, properties=properties, parsed_addresses=["127.0.0.1"])
    info.set_server_if_missing()
    responder.zeroconf.registry.async_add(info)
    pointer = DNSOutgoing(0x8400)
    pointer.add_answer_at_time(info.dns_pointer(), 0)
    responder.zeroconf.async_send(pointer)
    assert (await watcher.sees(name)).port == 8090
    await responder.async_close()


async def test_no_interface_is_reported_as_unavailable(site):
    context = PluginContext(DeviceInfo("x", "p"), InterfacePolicy(allow=("none",)), Resolver())
    discovery = MdnsDiscovery(MdnsConfig(), context)
    with pytest.raises(DiscoveryUnavailable, match="no allowed network interface"):
        await discovery.start(site.watcher())
    await discovery.aclose()


async def test_a_failed_start_may_be_tried_again(site, monkeypatch):
    discovery, watcher, name = site.make(site.name()), site.watcher(), site.name()
    with monkeypatch.context() as patch:
        patch.setattr(InterfacePolicy, "addresses", lambda _: ())
        with pytest.raises(DiscoveryUnavailable):
            await discovery.start(watcher)
    await discovery.advertise(("http://127.0.0.1:8090",))
    await discovery.start(watcher)
    await site.device(name)
    await watcher.sees(name)


async def test_closing_twice_is_silent_and_final(site):
    discovery, watcher = await site.device(site.name())
    await discovery.aclose()
    await discovery.aclose()
    with pytest.raises(ClosedError):
        await discovery.start(watcher)


async def test_closing_before_the_start_is_silent(site):
    await site.make(site.name()).aclose()


async def test_starting_twice_is_misuse_and_harms_nothing(site):
    discovery, watcher = await site.device(site.name())
    with pytest.raises(MisuseError):
        await discovery.start(watcher)
    name = site.name()
    await site.device(name)
    await watcher.sees(name)


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancelled_start_leaves_nothing_running(site, steps: int):
    discovery = site.make(site.name())
    start = asyncio.create_task(discovery.start(site.watcher()))
    for _ in range(steps):
        await asyncio.sleep(0)
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    await discovery.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


async def test_closing_interrupts_a_start(site):
    discovery = site.make(site.name())
    start = asyncio.create_task(discovery.start(site.watcher()))
    await asyncio.sleep(0)
    await discovery.aclose()
    with pytest.raises((ClosedError, DiscoveryUnavailable)):
        await start


async def test_a_cancelled_close_still_says_goodbye_and_closes(site):
    name = site.name()
    _, watcher = await site.device(site.name())
    discovery, _ = await site.device(name)
    await watcher.sees(name)
    closing = asyncio.create_task(discovery.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await watcher.until(lambda peers: name not in peers)


async def test_no_answer_follows_a_goodbye(site):
    name = site.name()
    discovery, _ = await site.device(name)
    _, watcher = await site.device(site.name())
    await watcher.sees(name)
    zeroconf = discovery._multicast.zeroconf
    question = DNSOutgoing(0)
    question.add_question(DNSQuestion(SERVICE_TYPE, 12, 1))
    question.add_question(DNSQuestion(f"{site.name()}.local.", 1, 1))
    zeroconf.engine.protocols[0].datagram_received(question.packets()[0], ("127.0.0.1", 5353))
    assert zeroconf.out_queue.queue or zeroconf.out_delay_queue.queue
    await discovery.aclose()
    assert not zeroconf.out_queue.queue
    assert not zeroconf.out_delay_queue.queue
    await watcher.until(lambda peers: name not in peers)


async def test_moving_to_other_interfaces_keeps_finding(site):
    name, late = site.name(), site.name()
    discovery, watcher = await site.device(name)
    _, other = await site.device(site.name())
    await other.sees(name)
    addresses = site.interfaces.addresses()
    await discovery._move(addresses[:1])
    await site.device(late)
    await watcher.sees(late)
