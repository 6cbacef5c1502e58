"""Who tells whom of whom, how often, and what is made of it."""

from __future__ import annotations

import asyncio

import pytest

from hallway.model import Gone, Seen
from hallway_peer_relay_signaling import _messages as messages


class Listener:
    """A peer without the plugin that notes what it is told."""

    def __init__(self, bus) -> None:
        self.bus = bus
        self.news: asyncio.Queue[messages.News] = asyncio.Queue()
        self.refuse: Exception | None = None
        self.refused = asyncio.Event()
        bus.serve(messages.NEWS, self)

    async def __call__(self, _, body):
        if self.refuse is not None:
            self.refused.set()
            raise self.refuse
        self.news.put_nowait(messages.read_news(body))

    async def told(self) -> list[str]:
        """The next telling: the names in it."""
        async with asyncio.timeout(10):
            return [peer.device_id for peer in (await self.news.get()).peers]


async def introduce(bus, peer, session="s1", epoch="e1", *peers):
    news = messages.News(session, "tablet", epoch, peers)
    await bus.request(peer, messages.NEWS, messages.write_news(news), asyncio.get_running_loop().time() + 10)


async def test_both_ends_see_each_other_with_type_and_epoch(site):
    _, b, c = await site.three()
    assert (c.host.records["b"].device_type, c.host.records["b"].epoch) == ("tablet", "e1")
    assert (c.host.records["b"].property_id, b.host.records["c"].endpoints) == ("house", ("peer-relay:a/c",))


async def test_a_relay_sees_nobody_through_those_whom_it_relays_for(site):
    a, _, _ = await site.three()
    assert a.host.sightings == []


async def test_a_peer_is_gone_when_the_relay_loses_it(site):
    _, b, c = await site.three()
    b.bus.unlink("a")
    await c.sees()
    await b.sees()
    assert c.host.sightings[-1] == Gone("b")


async def test_a_peer_is_gone_when_the_relay_is(site):
    a, b, c = await site.three()
    await a.bus.aclose()
    await c.sees()
    await b.sees()


async def test_a_second_relay_is_one_more_endpoint_and_takes_over(site):
    a, b, c = await site.three()
    await site.device("d", "b", "c")
    while len(c.host.records["b"].endpoints) < 2:
        await asyncio.sleep(0.005)
    assert c.host.records["b"].endpoints == ("peer-relay:a/b", "peer-relay:d/b")
    await a.aclose()
    assert c.host.records["b"].endpoints == ("peer-relay:d/b",)
    assert await c.ask("peer-relay:d/b") == b.host.outcome
    assert not [sighting for sighting in c.host.sightings if isinstance(sighting, Gone)]


async def test_a_link_to_a_reported_peer_changes_nothing_and_neither_does_its_loss(site):
    _, b, c = await site.three()
    before = list(c.host.sightings)
    c.bus.link("b")
    c.bus.unlink("b")
    assert (c.host.sightings, set(b.host.records)) == (before, {"c"})


async def test_a_directly_linked_peer_is_reported_once_its_link_breaks(site):
    a = await site.device("a")
    b = await site.device("b", "a")
    c = await site.device("c", "b", "a")
    witness = Listener(site.bare("w", "a"))
    while await witness.told() != ["b", "c"]:
        pass
    assert b.host.sightings == c.host.sightings == a.host.sightings == []
    c.bus.unlink("b")
    await c.sees("b")
    await b.sees("c")


async def test_a_device_that_restarts_is_told_with_its_new_epoch(site):
    _, b, c = await site.three()
    await b.aclose()
    await c.sees()
    await site.device("b", "a", epoch="e2")
    await c.sees("b")
    assert c.host.records["b"].epoch == "e2"


async def test_the_first_telling_comes_at_once_and_the_next_ones_are_gathered(site):
    await site.device("a", news_interval=0.3)
    listener = Listener(site.bare("w", "a"))
    assert await listener.told() == []
    for name in ("b", "c", "d"):
        await introduce(site.bare(name, "a"), "a")
    assert await listener.told() == ["b", "c", "d"]
    assert listener.news.empty()


async def test_only_peers_that_have_spoken_are_told_of_and_nobody_of_itself(site):
    await site.device("a")
    site.bare("plain", "a")
    listener = Listener(site.bare("w", "a"))
    assert await listener.told() == []
    await introduce(listener.bus, "a")
    await introduce(site.bare("b", "a"), "a")
    assert await listener.told() == ["b"]


async def test_a_peer_that_did_not_listen_is_told_again(site):
    await site.device("a")
    bus = site.bare("w")
    listener = Listener(bus)
    listener.refuse = ZeroDivisionError("busy with something else")
    bus.link("a")
    await listener.refused.wait()
    listener.refuse = None
    assert await listener.told() == []


async def test_a_peer_with_a_new_session_is_told_again(site):
    """Its end of the link was new, or it has restarted, and ours did not notice."""
    await site.device("a")
    listener = Listener(site.bare("w", "a"))
    await introduce(listener.bus, "a", "s1")
    await listener.told()
    await introduce(listener.bus, "a", "s1")
    await introduce(listener.bus, "a", "s2")
    await listener.told()
    assert listener.news.empty()


async def test_news_may_come_before_the_link_is_noticed(site, monkeypatch):
    """The bus may hand in a request before it calls its watchers."""
    a = await site.device("a")
    bus = site.bare("b")
    monkeypatch.setattr(a.bus, "_listeners", [])
    bus.link("a")
    await introduce(bus, "a")
    listener = Listener(site.bare("w", "a"))
    await introduce(listener.bus, "a")
    while await listener.told() != ["b"]:
        pass


@pytest.mark.parametrize("head_start", [0.05])
async def test_a_peer_that_is_linked_within_the_head_start_is_not_reported(site, head_start):
    a = await site.device("a")
    c = await site.device("c", "a", head_start=head_start)
    b = await site.device("b", "a", head_start=head_start)
    listener = Listener(site.bare("w", "a"))
    while await listener.told() != ["b", "c"]:
        pass
    c.bus.link("b")
    assert c.host.sightings == b.host.sightings == []
    d = await site.device("d", "a")
    await c.sees("d")
    assert [sighting.record.device_id for sighting in c.host.sightings if isinstance(sighting, Seen)] == ["d"]
    await d.sees("b", "c")
    assert a.host.sightings == []
