"""How a device comes by peers that its discovery does not see: from linked peers, and from where they were last."""

from __future__ import annotations

import json

import pytest

from hallway import create_peer, load_config
from hallway.events import PeerConnected, PeerDisconnected, PeerFound
from hallway.model import PeerRecord
from hallway.protocol.frames import Request, Response, decode, encode
from hallway.runtime.introductions import HEARD_BURST
from hallway.runtime.memory import AddressMemory

FACTS = {"type": "tablet", "epoch": "e7"}


def introduction(*peers: tuple[str, str], own: str = "memory://stranger") -> Request:
    told = [{"id": name, "endpoints": [endpoint], **FACTS} for name, endpoint in peers]
    return Request(1, "introduce", {"endpoints": [own], **FACTS, "peers": told})


async def tell(channel, request: Request) -> None:

    await channel.send(encode(request))


class TestIntroductions:
    async def test_a_peer_that_a_linked_one_tells_of_is_found_and_dialed(self, device, stranger, events):
        friend = stranger("friend")
        friend.listen()
        channel = await stranger().link("tablet-1")
        await tell(channel, introduction(("friend", "memory://friend")))
        while (found := await events.first(PeerFound)).peer_id != "friend":
            pass
        assert found.discovery == "introduced"
        await friend.greet(await friend.channels.get(), "tablet-1")
        while (await events.first(PeerConnected)).peer_id != "friend":
            pass

    async def test_a_peer_that_tells_where_it_is_can_be_dialed_when_its_link_breaks(self, device, stranger, events):
        one = stranger()
        one.listen()
        channel = await one.link("tablet-1")
        await tell(channel, introduction())
        while (await events.first(PeerFound)).peer_id != "stranger":
            pass
        await channel.aclose()
        await events.first(PeerDisconnected)
        await one.greet(await one.channels.get(), "tablet-1")
        assert (await events.first(PeerConnected)).peer_id == "stranger"

    async def test_a_linked_peer_is_told_of_us_and_of_the_others(self, device, stranger):
        first = stranger("first")
        first.arrive()
        await first.greet(await first.channels.get(), "tablet-1")
        second = stranger("second")
        channel = await second.link("tablet-1")

        told = decode(await channel.receive())
        assert told.kind == "introduce"
        assert told.body["endpoints"] == ["memory://tablet-1"]
        assert [peer["id"] for peer in told.body["peers"]] == ["first"]

    async def test_introductions_are_heard_at_a_bounded_rate(self, device, stranger):
        one = stranger()
        channel = await one.link("tablet-1")
        answers = []
        for number in range(int(HEARD_BURST) + 1):
            await tell(channel, introduction((f"made-up-{number}", "memory://nobody")))
            while not isinstance(frame := await one.heard(channel), Response):
                pass
            answers.append(frame.error and frame.error[0])
        assert answers == [None] * int(HEARD_BURST) + ["busy"]

    async def test_a_linked_peer_is_told_again_once_the_link_has_moved(self, device, stranger):
        one = stranger()
        told = decode(await (await one.link("tablet-1")).receive())
        again = decode(await (await one.link("tablet-1")).receive())
        assert (again.kind, again.body) == (told.kind, told.body)

    async def test_what_is_heard_of_a_peer_whose_link_is_down_already_counts_for_nothing(self, device):
        await device._node._introductions._hear("ghost", introduction(("friend", "memory://friend")).body)
        assert device.status()["peers"] == []

    @pytest.mark.parametrize("body", [None, 3, {"peers": "x"}, {"peers": [{"id": "tablet-1", "endpoints": ["memory://liar"]}]}], ids=str)
    async def test_garbage_and_news_of_ourselves_change_nothing(self, device, stranger, events, body):
        one = stranger()
        channel = await one.link("tablet-1")
        await tell(channel, Request(1, "introduce", body))

        while not isinstance(frame := await one.heard(channel), Response):
            pass
        assert frame.error is None
        assert [peer["peerId"] for peer in device.status()["peers"]] == ["stranger"]


class TestAddressMemory:
    def config(self, tmp_path, name: str) -> object:
        settings = [
            "security=open",
            "device.id=tablet-1",
            "device.property=property-123",
            "discovery.chain=[]",
            *(f'{role}.chain=["memory"]' for role in ("signaling", "channel")),
            f"plugins.memory.hub={json.dumps(name)}",
            f"discovery.last_good={json.dumps(str(tmp_path / 'deep' / 'peers.json'))}",
        ]
        return load_config(overrides=settings, environ={})

    async def test_where_a_peer_was_is_known_after_a_restart(self, tmp_path, request, stranger, watch):
        one = stranger()
        one.listen()
        config = self.config(tmp_path, request.node.name)
        async with create_peer(config) as device:
            seen = watch(device)
            await tell(await one.link("tablet-1"), introduction())
            await seen.first(PeerFound)
        assert "memory://stranger" in (tmp_path / "deep" / "peers.json").read_text()
        device = create_peer(config)
        seen = watch(device)
        async with device:
            assert await seen.first(PeerFound) == PeerFound("stranger", "last-good")
            await one.greet(await one.channels.get(), "tablet-1")
            await seen.first(PeerConnected)

    @pytest.mark.parametrize(
        "text", ["", "{", '{"version": 1, "property": "another", "peers": []}', "x" * 300_000], ids=lambda text: text[:9]
    )
    async def test_a_file_that_is_of_no_use_is_told_and_written_anew(self, tmp_path, caplog, text):
        path = tmp_path / "peers.json"
        path.write_text(text)
        memory = AddressMemory("hotel-1", str(path), lambda *_: None)
        memory._read(path)
        memory.works(PeerRecord("tablet-2", "hotel-1", endpoints=("http://10.0.0.7:8090",)), "10.0.0.7")
        memory.save()
        assert "will be written anew" in caplog.text
        assert "10.0.0.7" in path.read_text()
        assert [each.name for each in tmp_path.iterdir()] == ["peers.json"]

    async def test_a_file_that_cannot_be_written_is_told_and_nothing_else(self, tmp_path, caplog):
        path = tmp_path / "file" / "peers.json"
        path.parent.write_text("no folder")
        memory = AddressMemory("hotel-1", str(path), lambda *_: None)
        memory.works(PeerRecord("tablet-2", "hotel-1", endpoints=("http://10.0.0.7:8090",)), None)
        memory.save()
        assert "cannot be written" in caplog.text
        assert "name a file in a folder that this device may write to" in caplog.text
