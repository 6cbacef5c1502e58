"""Stores that fail while a device runs."""

from __future__ import annotations

import asyncio

from hallway.store import Store


class Faulty:
    """Makes a method of the stores fail until it is mended."""

    def __init__(self, monkeypatch, name, error):
        self.error, self.failed, self.failed_twice = error, 0, asyncio.Event()
        real = getattr(Store, name)

        async def method(store, *arguments, **options):
            if self.error is None:
                return await real(store, *arguments, **options)
            self.failed += 1
            if self.failed > 2:
                self.failed_twice.set()
            raise self.error

        monkeypatch.setattr(Store, name, method)

    async def persists(self):
        async with asyncio.timeout(10):
            await self.failed_twice.wait()

    def mend(self):
        self.error = None


class Slow:
    """Holds the calls of a method of the stores until they are let go on."""

    def __init__(self, monkeypatch, name):
        self.called, self._go_on = asyncio.Event(), asyncio.Event()
        real = getattr(Store, name)

        async def method(store, *arguments, **options):
            self.called.set()
            await self._go_on.wait()
            return await real(store, *arguments, **options)

        monkeypatch.setattr(Store, name, method)

    def go_on(self):
        self._go_on.set()
