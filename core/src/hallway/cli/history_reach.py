"""The history of a device, whether it runs or not: over its control socket, or by opening its store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from hallway.cli.reach import Ask, running_or_taken
from hallway.config import load_config
from hallway.errors import ConfigError, Mistake, StoreBusy, StoreUnusable
from hallway.runtime.control.commands import Commands
from hallway.runtime.control.place import beside
from hallway.runtime.delivery.history import History
from hallway.store import Quota, Store


@attrs.frozen
class Place:
    """Whose history: the store's file and what may wait in it."""

    store: str
    quota: Quota


def find(config_path: str | None, overrides: tuple[str, ...], store: str | None) -> Place:
    """Where the history is; with ``store`` alone no configuration is read.

    Raises:
        ConfigError: the configuration is wrong, or names no store.

    """
    if store is not None and config_path is None and not overrides:
        return Place(store, Quota())
    delivery = load_config(config_path, overrides=overrides).delivery
    path = store or delivery.store
    if path is None:
        problem = "is not set: this device keeps messages in memory only, and nobody but itself can look there"
        raise ConfigError([Mistake("delivery.store", problem, "name a file, or give --store PATH")])
    return Place(path, delivery.quota())


@asynccontextmanager
async def reached(place: Place) -> AsyncIterator[tuple[Ask, bool]]:
    """What answers commands about the history, and whether that is the running device.

    Raises:
        StoreUnusable: there is no such store.
        StoreError, ControlUnavailable, NetworkError: it cannot be reached.

    """

    async def take(*, last: bool) -> Store | None:
        try:
            return await Store.open(place.store, quota=place.quota)
        except StoreBusy as busy:
            if not last:
                return None
            hint = "that process has no control socket: if it is a device, look at its log, or stop it first"
            raise StoreBusy(str(busy), hint=hint) from busy

    async with running_or_taken(lambda: (beside(place.store), _owner(place.store)), take) as (ask, store):
        if store is None:
            assert ask is not None
            yield ask, True
            return
        try:
            yield _stored(store), False
        finally:
            await store.aclose()


def _owner(store: str) -> int:
    try:
        return Path(store).stat().st_uid
    except OSError as error:
        raise StoreUnusable(
            f"there is no store {store}: {error.strerror}", hint="a device makes it when it first runs; check the path, and the user"
        ) from error


def _stored(store: Store) -> Ask:
    async def retry(letters: Any) -> int:
        return (await store.retry(letters)).count

    commands = Commands()
    History(store, retry).serve(commands)
    return commands.run
