"""Open mode is the seed's wire: a device written from the seed's document alone finds, dials and is dialed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hallway.protocol.packed import pack
from hallway.store import NewMessage, Store
from netlab import Lab, matching
from site_devices import end, hears, linked, says, seed_device, up

pytestmark = pytest.mark.second_lab


@pytest.mark.parametrize("how", [[], ["--trickle"]], ids=["complete", "trickled"])
async def test_a_seed_device_finds_a_hallway_posts_an_offer_and_talks_plain_json(lab: Lab, how: list[str]) -> None:
    lan = lab.lan()
    ours = await up(lan.host("host-1"), "tablet-1")
    await ours.wait_for(matching(event="ready"))
    seed = await seed_device(lan.host("host-2"), "tablet-2", "--dial", *how)

    found = await seed.wait_for(matching(event="found", peerId="tablet-1"))
    assert found["port"] == 8090
    opened = await seed.wait_for(matching(event="open", peerId="tablet-1"))
    assert opened["label"] == "data"
    await linked(ours, "tablet-2")
    message = {"type": "room-update", "data": {"roomId": "101"}}
    await seed.send_json(message)
    await hears(ours, "tablet-2", message)
    await says(ours, "tablet-2", message)
    heard = await seed.wait_for(matching(event="message", peerId="tablet-1"))
    assert json.loads(heard["text"]) == message
    await seed.kill()
    await end(ours)


@pytest.mark.parametrize("how", [[], ["--late-answer"]], ids=["answer-in-response", "answer-posted"])
async def test_hallway_finds_and_dials_a_seed_device(lab: Lab, how: list[str]) -> None:
    lan = lab.lan()
    seed = await seed_device(lan.host("host-2"), "tablet-2", "--serve", "8090", *how)
    await seed.wait_for(matching(event="ready"))
    ours = await up(lan.host("host-1"), "tablet-1")

    await linked(ours, "tablet-2")
    await says(ours, "tablet-2", ["hello", None, 1.5])
    heard = await seed.wait_for(matching(event="message", peerId="tablet-1"))
    assert json.loads(heard["text"]) == ["hello", None, 1.5]
    await seed.send_json("hello back")
    await hears(ours, "tablet-2", "hello back")
    await seed.kill()
    await end(ours)


async def test_what_waits_for_a_device_that_turns_out_to_be_the_seeds_goes_out_as_plain_json_once(lab: Lab, tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "store"))
    for number, message in enumerate(({"type": "first"}, b"no JSON", {"type": "second"})):
        await store.put(NewMessage(number.to_bytes(16, "big"), pack(message), 0), ["tablet-2"])
    await store.aclose()
    lan = lab.lan()
    ours = await up(lan.host("host-1"), "tablet-1", f"delivery.store={tmp_path / 'store'}")
    await ours.wait_for(matching(event="ready"))
    seed = await seed_device(lan.host("host-2"), "tablet-2", "--dial")
    for kind in ("first", "second"):
        heard = await seed.wait_for(matching(event="message", peerId="tablet-1"))
        assert json.loads(heard["text"]) == {"type": kind}
    letter = await ours.wait_for(matching(event="undelivered", peerId="tablet-2"))
    assert "JSON only" in letter["reason"]
    await seed.kill()
    await end(ours)
    store = await Store.open(str(tmp_path / "store"))
    assert (await store.usage()).outbox == (0, 0)
    assert [letter.body for letter in await store.dead()] == [pack(b"no JSON")]
    await store.aclose()


async def test_garbage_from_a_seed_device_is_an_error_event_and_harms_neither_its_link_nor_another(lab: Lab) -> None:
    lan = lab.lan()
    ours = await up(lan.host("host-1"), "tablet-1")
    other = await up(lan.host("host-3"), "tablet-3")
    await linked(ours, "tablet-3")
    seed = await seed_device(lan.host("host-2"), "tablet-2", "--dial")
    await linked(ours, "tablet-2")
    for garbage in ("{not json", "[" * 60_000):
        await seed.send_json({"raw": garbage})
    for _ in range(2):
        error = await ours.wait_for(matching(event="error"))
        assert error["code"] == "bad-message"
        assert "tablet-2" in error["message"]
    await seed.send_json("sense again")
    await hears(ours, "tablet-2", "sense again")
    await says(other, "tablet-1", "undisturbed")
    await hears(ours, "tablet-3", "undisturbed")
    await seed.kill()
    await end(ours, other)
