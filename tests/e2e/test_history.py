"""What waits for a device that is away, as an operator sees it, and a second try for what has expired meanwhile."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from faults import Device, start, whole

from netlab import Lab

pytestmark = pytest.mark.second_lab

PATIENCE = 30.0


async def outbox(store: Path, *words: str) -> Any:
    command = (sys.executable, "-m", "hallway.cli", "outbox", *words, "--store", str(store), "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


async def test_what_waits_for_a_device_that_is_away_is_seen_and_what_expired_is_sent_again(lab: Lab, tmp_path: Path) -> None:
    lan = lab.lan()
    one, two = (Device(lan.host(f"host-{name}"), name, f"delivery.store={tmp_path / name}") for name in ("one", "two"))
    store = tmp_path / "one"
    await start(one, two)
    await whole([one, two])
    await two.terminate()
    await one.until(event="peer-disconnected")
    for number, ttl in ((1, 0.1), (2, 3600), (3, None)):
        assert (await one.call(command="send-to-peer", peerId="two", message=number, ttl=ttl))["ok"]
    async with asyncio.timeout(PATIENCE):
        while not (found := await outbox(store, "--messages"))["letters"]:
            pass
    assert found["running"] is True
    assert [(each["peerId"], each["messages"]) for each in found["peers"]] == [("two", 2)]
    assert [each["preview"] for each in found["messages"]] == ["2", "3"]
    assert [(each["peerId"], each["reason"], each["preview"]) for each in found["letters"]] == [("two", "expired", "1")]

    await one.terminate()
    ended = await outbox(store, "--messages")
    assert ended["running"] is False
    assert [each["id"] for each in ended["messages"]] == [each["id"] for each in found["messages"]]

    await start(one, two)
    await two.until(event="message", message=3)
    assert (await outbox(store, "retry", str(ended["letters"][0]["letter"])))["retried"] == 1
    await two.until(event="message", message=1)
    assert [seen.line["message"] for seen in two.seen if seen.fits({"event": "message"})] == [2, 3, 1]
    await one.until(event="delivered", id=ended["letters"][0]["id"])
    assert (await outbox(store))["peers"] == []
    for device in (one, two):
        await device.terminate()
