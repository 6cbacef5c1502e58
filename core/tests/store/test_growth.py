"""What is queued is on disk, not in memory."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

GROWING = Path(__file__).parent / "support" / "growing.py"
COUNT = 200_000
MOST_KIB = 4096


@pytest.mark.timeout(180)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
async def test_two_hundred_thousand_queued_messages_do_not_grow_the_process(tmp_path: Path) -> None:
    arguments = [str(GROWING), str(tmp_path / "hallway.db"), str(COUNT)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    queued, grown = map(int, output.split())
    assert queued == COUNT
    assert grown < MOST_KIB
