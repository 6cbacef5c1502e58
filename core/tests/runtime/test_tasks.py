from __future__ import annotations

import asyncio
import logging

import pytest

from hallway.runtime.tasks import TaskSet


@pytest.fixture
def crashes():
    return []


@pytest.fixture
def tasks(crashes):
    return TaskSet(lambda name, error: crashes.append((name, str(error))))


async def crash(text: str = "broken") -> None:
    raise ValueError(text)


async def test_a_crash_is_told_with_the_name_of_its_task_and_logged(tasks, crashes, caplog):
    await asyncio.wait([tasks.start(crash(), "some work")])
    await asyncio.sleep(0)
    assert crashes == [("some work", "broken")]
    assert "task some work crashed" in caplog.text


async def test_a_crash_leaves_other_tasks_alone(tasks, crashes):
    finished = asyncio.Event()

    async def finish() -> None:
        finished.set()

    tasks.start(crash(), "one")
    tasks.start(finish(), "two")
    await finished.wait()
    await tasks.aclose()
    assert crashes == [("one", "broken")]


async def test_the_end_and_the_cancellation_of_a_task_are_no_crash(tasks, crashes, caplog):
    caplog.set_level(logging.DEBUG)
    waiting = tasks.start(asyncio.Event().wait(), "waiting")
    waiting.cancel()
    await asyncio.wait([waiting, tasks.start(asyncio.sleep(0), "short")])
    await tasks.aclose()
    assert crashes == []
    assert "crashed" not in caplog.text


async def test_closing_cancels_and_waits_until_all_have_cleaned_up(tasks):
    cleaned = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)

    for number in range(3):
        tasks.start(work(number), f"work {number}")
    await asyncio.sleep(0)
    await tasks.aclose()
    assert sorted(cleaned) == [0, 1, 2]


async def test_closing_waits_for_tasks_that_others_start_while_they_end(tasks):
    late = []

    async def last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            late.append("ended")

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tasks.start(last(), "late")
            await asyncio.sleep(0)

    tasks.start(work(), "work")
    await asyncio.sleep(0)
    await tasks.aclose()
    assert late == ["ended"]


async def test_a_task_that_fails_while_it_is_cancelled_is_told(tasks, crashes):
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("on the way out")

    tasks.start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    await tasks.aclose()
    await asyncio.sleep(0)
    assert crashes == [("stubborn", "on the way out")]


async def test_closing_twice_or_empty_is_silent(tasks):
    await tasks.aclose()
    await tasks.aclose()


async def test_a_task_of_the_set_may_close_it(tasks):
    done = asyncio.Event()

    async def close() -> None:
        await tasks.aclose()
        done.set()

    tasks.start(asyncio.Event().wait(), "waiting")
    closing = tasks.start(close(), "closing")
    await done.wait()
    await closing
