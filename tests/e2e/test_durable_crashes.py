"""Two devices with stores on disk, one of which dies of `kill -9` again and again while messages flow."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from faults import Device, Gone, either, start, whole

from netlab import Lab, ProcessError

ROUNDS = int(either(6, 500))
CALM = 60.0
"""Seconds in which everything must have arrived once nobody is killed any more."""


def heard_by(device: Device) -> list[dict[str, Any]]:
    return [seen.line for seen in device.seen if seen.fits({"event": "message"})]


async def speak(sender: Device, stored: list[str], enough: asyncio.Event) -> None:
    """Number messages; what the sender has said that it stored counts, whatever happens then."""
    number = 0
    while not enough.is_set():
        number += 1
        with suppress(Gone, ProcessError, AssertionError):
            result = await sender.call(command="send-to-peer", peerId="two", message=number)
            if result["ok"]:
                stored.append(result["value"]["ids"]["two"])
        await asyncio.sleep(0.005)


@pytest.mark.timeout(either(150, 4000))
async def test_what_was_stored_arrives_and_nothing_twice_whoever_is_killed(lab: Lab, tmp_path: Path) -> None:
    seed = secrets.randbelow(2**32)
    random = Random(seed)
    print(f"seed {seed}")
    lan = lab.lan()
    one, two = (Device(lan.host(f"host-{name}"), name, f"delivery.store={tmp_path / name}") for name in ("one", "two"))
    await start(one, two)
    await whole([one, two])
    stored: list[str] = []
    enough = asyncio.Event()
    speaking = asyncio.create_task(speak(one, stored, enough))
    for _ in range(ROUNDS):
        await asyncio.sleep(random.uniform(0.1, 1.0))
        victim = random.choice((one, two))
        await victim.kill()
        await victim.start()
    enough.set()
    await speaking
    await two.wait(lambda: set(stored) <= {line["id"] for line in heard_by(two)}, CALM, "everything that was stored")
    heard = heard_by(two)
    again = len(heard) - len({line["id"] for line in heard})
    print(f"{ROUNDS} kills: {len(stored)} stored, {len(heard)} heard, of which {again} were in the application's hands when it died")
    numbers = [line["message"] for line in heard]
    first = list(dict.fromkeys(numbers))
    assert first == sorted(first)
    # An inbox is handed out again from where the application had got to: what comes twice comes at once after a start.
    assert again <= 64 * ROUNDS
    for device in (one, two):
        await device.terminate()
