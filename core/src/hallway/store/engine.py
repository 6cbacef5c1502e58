"""The writer: one thread, one connection, and every operation that waits in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from hallway.errors import ClosedError
from hallway.store import faults
from hallway.store.clock import Machine
from hallway.store.database import Database
from hallway.store.opening import Opened
from hallway.store.values import Quota

T = TypeVar("T")
Work = Callable[[Database], T]


class _Outcome(NamedTuple):
    """What came of one operation: its answer, or its error."""

    answer: Any
    error: BaseException | None


class _Operation(Generic[T]):
    """What to do, and who waits for it."""

    __slots__ = ("future", "work")

    def __init__(self, work: Work[T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future

    def resolve(self, outcome: _Outcome) -> None:
        """Tell the caller, if it still waits."""
        if self.future.done():
            return
        if outcome.error is not None:
            self.future.set_exception(outcome.error)
        else:
            self.future.set_result(outcome.answer)


class Engine:
    """Takes operations from one event loop and does them in their order.

    While the writer is busy operations gather; when it is free, all that wait go into one transaction, each in a savepoint of its own,
    and their callers are told after the commit, all at once. A caller that is cancelled is not told; its operation is done all the same.
    """

    def __init__(self, path: Path | None) -> None:
        self.commits = 0
        """Transactions that changed anything."""
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hallway-store")
        self._opened: Opened | None = None
        self._waiting: list[_Operation[Any]] = []
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
        if self._closing is not None:
            raise ClosedError("the store is closed")
        operation: _Operation[T] = _Operation(work, self._loop.create_future())
        self._waiting.append(operation)
        if self._idle.is_set():
            # What this turn of the loop still asks for comes along.
            self._idle.clear()
            self._loop.call_soon(self._hand_over)
        return await operation.future

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
        batch, self._waiting = self._waiting, []
        self._thread.submit(self._work, batch)

    def _work(self, batch: list[_Operation[Any]]) -> None:
        assert self._opened is not None
        outcomes = self._done(self._opened.database, batch)
        self._loop.call_soon_threadsafe(self._tell, batch, outcomes)

    def _tell(self, batch: list[_Operation[Any]], outcomes: list[_Outcome]) -> None:
        for operation, outcome in zip(batch, outcomes, strict=True):
            operation.resolve(outcome)
        if self._waiting:
            self._hand_over()
        else:
            self._idle.set()

    def _done(self, database: Database, batch: list[_Operation[Any]]) -> list[_Outcome]:
        """The outcomes of one transaction; if it fails as a whole, each operation is tried once by itself."""
        try:
            return self._transaction(database, batch)
        except Exception as error:  # noqa: BLE001 - every caller is told
            database.rollback()
            if faults.is_busy(error):
                return [self._failed(error) for _ in batch]
        database.reuse_log()
        return [self._alone(database, operation) for operation in batch]

    def _alone(self, database: Database, operation: _Operation[Any]) -> _Outcome:
        try:
            return self._transaction(database, [operation])[0]
        except Exception as error:  # noqa: BLE001 - the caller is told
            database.rollback()
            return self._failed(error)

    def _transaction(self, database: Database, batch: list[_Operation[Any]]) -> list[_Outcome]:
        database.begin()
        outcomes = [self._attempt(database, operation.work) for operation in batch]
        self.commits += database.commit()
        return outcomes

    def _attempt(self, database: Database, work: Work[Any]) -> _Outcome:
        mark = database.ledger.mark()
        database.execute("SAVEPOINT operation")
        try:
            answer = work(database)
        except Exception as error:
            if not database.connection.in_transaction:
                raise
            database.ledger.rollback(mark)
            database.execute("ROLLBACK TO operation")
            database.execute("RELEASE operation")
            return self._failed(error)
        database.execute("RELEASE operation")
        return _Outcome(answer, None)

    def _failed(self, error: Exception) -> _Outcome:
        explained = faults.explained(error, self._path)
        if explained is not error:
            explained.__cause__ = error
        return _Outcome(None, explained)
