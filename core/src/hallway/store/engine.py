"""The writer: one thread, one connection, and every operation that waits in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hallway.errors import ClosedError
from hallway.store import faults
from hallway.store.clock import Machine
from hallway.store.database import Database
from hallway.store.opening import Opened
from hallway.store.values import Quota

EARLY = 128
"""Items for which a free writer does not wait until the loop has had its turn: it works while the loop asks for more."""
T = TypeVar("T")
Item = TypeVar("Item")
Work = Callable[[Database], T]
WorkOnMany = Callable[[Database, list[Item]], list[T]]
Then = Callable[[list[Item], list[T]], Sequence[Any]]
"""Is given items and their answers once they are committed, and makes of them what the callers get: a value or an exception each."""


class _Outcome(NamedTuple):
    """What came of one operation: an answer for each of its items, or its error."""

    answers: list[Any]
    error: BaseException | None


class _Operation:
    """What to do with which items, and who waits for each of them."""

    __slots__ = ("futures", "items", "then", "work")

    def __init__(
        self, work: WorkOnMany[Any, Any], items: list[Any], futures: list[asyncio.Future[Any]], then: Then[Any, Any] | None = None
    ) -> None:
        self.work = work
        self.items = items
        self.futures = futures
        self.then = then

    def apart(self) -> list[_Operation]:
        """The same, an operation for each item."""
        return [_Operation(self.work, [item], [future], self.then) for item, future in zip(self.items, self.futures, strict=True)]

    def resolve(self, outcome: _Outcome) -> None:
        """Tell the callers that still wait."""
        if outcome.error is not None:
            answers: Sequence[Any] = [outcome.error] * len(self.futures)
        elif self.then is None:
            answers = outcome.answers
        else:
            answers = self._told(self.then, outcome.answers)
        for future, answer in zip(self.futures, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _told(self, then: Then[Any, Any], answers: list[Any]) -> Sequence[Any]:
        try:
            told = then(self.items, answers)
        except Exception as error:  # noqa: BLE001 - every caller is told
            # Whoever waits must not wait for ever, nor those after them.
            return [error] * len(self.items)
        if len(told) != len(self.items):
            return [RuntimeError(f"{then} has {len(told)} answers for {len(self.items)} messages")] * len(self.items)
        return told


class Engine:
    """Takes operations from one event loop and does them in their order.

    While the writer is busy operations gather; when it is free, all that wait go into one transaction, and their callers are told after
    the commit, all at once. If one fails, nothing of that transaction stands and each is done in one of its own, so that it takes no other
    with it. A caller that is cancelled is not told; its operation is done all the same.
    """

    def __init__(self, path: Path | None) -> None:
        self.commits = 0
        """Transactions that changed anything."""
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hallway-store")
        self._opened: Opened | None = None
        self._waiting: list[_Operation] = []
        self._soon: asyncio.Handle | None = None
        """The end of the loop's turn, at which what waits is handed over; None while the writer works, or nothing waits."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing: asyncio.Task[None] | None = None

    async def open(self, quota: Quota, machine: Machine) -> tuple[str, ...]:
        """Open the database; returns what the operator should know."""
        opening = self._loop.run_in_executor(self._thread, Opened, self._path, quota, machine)
        try:
            self._opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_unwanted)
            raise
        except (sqlite3.Error, OSError) as error:
            raise faults.explained(error, self._path) from error
        finally:
            if self._opened is None and opening.done():
                self._thread.shutdown(wait=False)
        return tuple(self._opened.notices)

    async def run(self, work: Work[T]) -> T:
        """Do ``work`` in the writer's thread; returns its answer after the commit that holds what it changed.

        Raises:
            ClosedError: the store is closed.
            StorageFull, StoreDamaged, StoreBusy: nothing of this operation was stored.

        """
        answer: T = await self._ask(_Operation(lambda database, _: [work(database)], [None], []))
        return answer

    def run_with_others(self, work: WorkOnMany[Item, T], item: Item, then: Then[Item, T]) -> asyncio.Future[Any]:
        """Do ``work`` for this item, together with those for which it was asked for just before: many at once cost far less.

        ``then`` is called for them all at once after the commit, whether callers still wait or not; what it raises reaches all of them.

        Raises:
            ClosedError, StorageFull, StoreDamaged, StoreBusy: as for `run`.

        """
        last = self._waiting[-1] if self._waiting else None
        # Two bound methods of one object are equal, and not the same.
        if last is None or last.work is not work or last.then != then:
            return self._ask(_Operation(work, [item], [], then))
        last.items.append(item)
        if self._soon is not None and len(last.items) == EARLY:
            answer = self._wait(last)
            self._soon.cancel()
            self._hand_over()
            return answer
        return self._wait(last)

    def _ask(self, operation: _Operation) -> asyncio.Future[Any]:
        if self._closing is not None:
            raise ClosedError("the store is closed")
        self._waiting.append(operation)
        if self._idle.is_set():
            # What this turn of the loop still asks for comes along.
            self._idle.clear()
            self._soon = self._loop.call_soon(self._hand_over)
        return self._wait(operation)

    def _wait(self, operation: _Operation) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        operation.futures.append(future)
        return future

    async def aclose(self) -> None:
        """Do what waits, close the database and join the thread. Closing twice is silent."""
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._idle.wait()
        if self._opened is not None:
            await self._loop.run_in_executor(self._thread, self._opened.close)
        self._thread.shutdown()

    def _close_unwanted(self, opening: asyncio.Future[Opened]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._thread.submit(opening.result().close)
        self._thread.shutdown(wait=False)

    def _hand_over(self) -> None:
        self._soon = None
        batch, self._waiting = self._waiting, []
        self._thread.submit(self._work, batch)

    def _work(self, batch: list[_Operation]) -> None:
        assert self._opened is not None
        try:
            done = self._done(self._opened.database, batch)
        except Exception as error:  # noqa: BLE001 - every caller is told
            # Not even undoing works; whoever waits must not wait for ever, nor those after them.
            done = [(operation, self._failed(error)) for operation in batch]
        self._loop.call_soon_threadsafe(self._tell, done)

    def _tell(self, done: list[tuple[_Operation, _Outcome]]) -> None:
        for operation, outcome in done:
            operation.resolve(outcome)
        if self._waiting:
            self._hand_over()
        else:
            self._idle.set()

    def _done(self, database: Database, batch: list[_Operation]) -> list[tuple[_Operation, _Outcome]]:
        """The outcomes of one transaction; if it fails as a whole, each operation is tried once by itself."""
        try:
            return self._transaction(database, batch)
        except Exception as error:  # noqa: BLE001 - every caller is told
            database.rollback()
            if faults.is_busy(error):
                return [(operation, self._failed(error)) for operation in batch]
        database.reuse_log()
        return [self._alone(database, single) for operation in batch for single in operation.apart()]

    def _alone(self, database: Database, operation: _Operation) -> tuple[_Operation, _Outcome]:
        try:
            return self._transaction(database, [operation])[0]
        except Exception as error:  # noqa: BLE001 - the caller is told
            database.rollback()
            return operation, self._failed(error)

    def _transaction(self, database: Database, batch: list[_Operation]) -> list[tuple[_Operation, _Outcome]]:
        database.begin()
        done = [(operation, _Outcome(operation.work(database, operation.items), None)) for operation in batch]
        self.commits += database.commit()
        return done

    def _failed(self, error: Exception) -> _Outcome:
        explained = faults.explained(error, self._path)
        if explained is not error:
            explained.__cause__ = error
        return _Outcome([], explained)
