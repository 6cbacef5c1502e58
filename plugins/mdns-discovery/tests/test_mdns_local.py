from __future__ import annotations

import asyncio
import pathlib
import re

import pytest

from hallway.errors import DiscoveryUnavailable, MisuseError
from hallway.model import PeerRecord
from hallway.network import InterfacePolicy
from hallway_mdns_discovery import LocalPeerDiscovery


def record(site, name: str, port: int = 8090) -> PeerRecord:
    return PeerRecord(name, site.property_id, "tablet", (f"http://127.0.0.1:{port}",))


def local(site, advertise: PeerRecord | None = None) -> LocalPeerDiscovery:
    return LocalPeerDiscovery(site.property_id, advertise, interfaces=site.interfaces)


async def test_a_peer_is_found_and_removed(site):
    found: asyncio.Queue[PeerRecord] = asyncio.Queue()
    removed: asyncio.Queue[str] = asyncio.Queue()
    name = site.name()
    looker = local(site)
    looker.on_peer_found(found.put)
    looker.on_peer_removed(removed.put_nowait)
    async with looker, asyncio.timeout(20):
        async with local(site, record(site, name)):
            peer = await found.get()
            assert (peer.id, peer.ip, peer.port, peer.epoch) == (name, "127.0.0.1", 8090, None)
        assert await removed.get() == name


async def test_a_callback_that_fails_is_logged_and_ends_nothing(site, logged):
    found: asyncio.Queue[PeerRecord] = asyncio.Queue()
    looker = local(site)

    @looker.on_peer_found
    def broken(peer: PeerRecord) -> None:
        raise ValueError

    @looker.on_peer_found
    async def also_broken(peer: PeerRecord) -> None:
        raise ValueError

    looker.on_peer_found(found.put_nowait)
    async with looker, local(site, record(site, site.name())), asyncio.timeout(20):
        await found.get()
        await logged.until("failed")
    assert len(logged.messages) == 2


async def test_stopping_cancels_the_callbacks_that_still_run(site):
    begun, ended = asyncio.Event(), asyncio.Event()
    looker = local(site)

    @looker.on_peer_found
    async def slow(peer: PeerRecord) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with looker, local(site, record(site, site.name())), asyncio.timeout(20):
        await begun.wait()
    assert ended.is_set()


async def test_it_stops_twice_and_starts_again(site):
    looker, name = local(site), site.name()
    await looker.start()
    with pytest.raises(MisuseError):
        await looker.start()
    await looker.stop()
    await looker.aclose()
    found: asyncio.Queue[PeerRecord] = asyncio.Queue()
    looker.on_peer_found(found.put_nowait)
    async with looker, local(site, record(site, name)), asyncio.timeout(20):
        assert (await found.get()).id == name


async def test_without_an_interface_it_cannot_start_and_may_be_tried_again(site):
    looker = LocalPeerDiscovery(site.property_id, interfaces=InterfacePolicy(allow=("none",)))
    for _ in range(2):
        with pytest.raises(DiscoveryUnavailable):
            await looker.start()
    await looker.stop()


def test_a_record_without_an_endpoint_or_of_another_property_is_misuse():
    with pytest.raises(MisuseError, match="no endpoint"):
        LocalPeerDiscovery("hotel", PeerRecord("a", "hotel"))
    with pytest.raises(MisuseError, match="belongs to property 'inn'"):
        LocalPeerDiscovery("hotel", PeerRecord("a", "inn", endpoints=("http://10.0.0.1:1",)))


def test_the_example_of_the_readme_runs(monkeypatch):
    loopback = InterfacePolicy(allow=("lo*",)).addresses()
    monkeypatch.setattr(InterfacePolicy, "addresses", lambda _: loopback)
    readme = pathlib.Path(__file__).parents[1] / "README.md"
    (example,) = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    exec(compile(example, str(readme), "exec"), {"__name__": "__main__"})


async def stopped_by(site, register) -> None:
    """Look with a callback that stops the looking; return when it has stopped."""
    looker = local(site)
    done = asyncio.get_running_loop().create_future()
    register(looker, done)
    await looker.start()
    async with local(site, record(site, site.name())), asyncio.timeout(20):
        await done
    assert looker._discovery is None
    assert not looker._tasks - {task for task in looker._tasks if task.done()}
    await looker.stop()


async def test_a_callback_may_stop_the_discovery_and_goes_on(site):
    def register(looker, done):
        @looker.on_peer_found
        async def found(peer):
            await looker.stop()
            asyncio.get_running_loop().call_soon(done.set_result, peer)

    await stopped_by(site, register)


async def test_a_plain_callback_may_return_the_stopping(site):
    def register(looker, done):
        async def stop():
            await looker.stop()
            asyncio.get_running_loop().call_soon(done.set_result, None)

        looker.on_peer_found(lambda peer: stop())

    await stopped_by(site, register)


async def test_a_plain_callback_may_schedule_the_stopping(site):
    def register(looker, done):
        @looker.on_peer_found
        def found(peer):
            stopping = asyncio.create_task(looker.stop())
            stopping.add_done_callback(lambda task: done.set_result(task.result()))

    await stopped_by(site, register)


async def test_a_callback_that_waits_for_the_stopping_in_another_task_is_cancelled_and_nothing_hangs(site):
    def register(looker, done):
        @looker.on_peer_found
        async def found(peer):
            try:
                await asyncio.wait_for(looker.stop(), 20)
            finally:
                asyncio.get_running_loop().call_soon(done.set_result, None)

    await stopped_by(site, register)


async def test_stopping_in_a_callback_ends_the_other_callbacks(site):
    begun, ended = asyncio.Event(), asyncio.Event()

    def register(looker, done):
        @looker.on_peer_found
        async def slow(peer):
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        @looker.on_peer_found
        async def found(peer):
            await begun.wait()
            await looker.stop()
            assert ended.is_set()
            asyncio.get_running_loop().call_soon(done.set_result, None)

    await stopped_by(site, register)
