"""Child processes of the demo and the benchmarks end with the command that started them."""

import asyncio
import os

import pytest

from hallway.cli.child import Child


async def test_a_start_that_is_cancelled_leaves_no_process_behind(monkeypatch):
    created = []
    create = asyncio.create_subprocess_exec

    async def slowly(*command, **options):
        created.append(await create(*command, **options))
        begun.set()
        await go_on.wait()
        return created[0]

    begun, go_on = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    starting = asyncio.ensure_future(Child.start("device-1", ["security=open"]))
    await begun.wait()
    starting.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert created[0].returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(created[0].pid, 0)
