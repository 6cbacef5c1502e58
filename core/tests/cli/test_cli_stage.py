"""The processes of the demo, when starting them is broken off."""

from __future__ import annotations

import asyncio

import pytest

from hallway.cli.child import Child
from hallway.cli.demo_stage import Stage


async def test_starting_that_is_cancelled_is_over_when_every_device_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = [], []
    all_begun = asyncio.Event()

    async def start(name: str, *_: object) -> Child:
        begun.append(name)
        if len(begun) == 3:
            all_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            # Each takes longer to end than the one before.
            for _turn in range(20 * begun.index(name)):
                await asyncio.sleep(0)
            ended.append(name)
        raise AssertionError("nothing wakes it but its cancellation")

    monkeypatch.setattr(Child, "start", start)
    stage = Stage(3, ["lo"], "error", cloud=False)
    starting = asyncio.create_task(stage.start_devices())
    await all_begun.wait()
    starting.cancel()
    await asyncio.wait([starting])
    assert ended == begun
