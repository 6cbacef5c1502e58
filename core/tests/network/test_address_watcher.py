"""Changes of addresses, as the users of a watcher hear of them."""

from __future__ import annotations

import asyncio
import ipaddress
import logging

import attrs
import pytest

from hallway.network import AddressWatcher, InterfaceAddress, InterfacePolicy


def addresses(*texts: str) -> tuple[InterfaceAddress, ...]:
    return tuple(InterfaceAddress("eth0", 2, ipaddress.ip_address(text), ipaddress.ip_network(f"{text}/32")) for text in texts)


BEFORE, AFTER = addresses("10.0.0.7", "10.0.1.7"), addresses("10.0.0.8")


@attrs.define
class Script:
    """What the looks find, one after the other; the last for ever."""

    finds: list[tuple[InterfaceAddress, ...] | OSError]
    looks: int = 0

    def next(self) -> tuple[InterfaceAddress, ...]:
        found = self.finds[min(self.looks, len(self.finds) - 1)]
        self.looks += 1
        if isinstance(found, OSError):
            raise found
        return found


@attrs.frozen
class Scripted(InterfacePolicy):
    script: Script = attrs.field(factory=lambda: Script([()]))

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        return self.script.next()


def watch(*finds: tuple[InterfaceAddress, ...] | OSError) -> tuple[AddressWatcher, Script]:
    script = Script(list(finds))
    return AddressWatcher(Scripted(script=script), BEFORE, interval=0.001), script


async def test_every_change_is_told_once():
    watcher, script = watch(BEFORE, AFTER, AFTER, (), BEFORE)
    assert [await anext(watcher), await anext(watcher), await anext(watcher)] == [AFTER, (), BEFORE]
    assert script.looks == 5


async def test_the_order_of_addresses_is_no_change():
    watcher, script = watch(BEFORE[::-1], AFTER)
    assert await anext(watcher) == AFTER
    assert script.looks == 2


async def test_addresses_that_cannot_be_read_are_logged_once_and_read_again(caplog):
    watcher, _ = watch(OSError("no netlink"), OSError("no netlink"), AFTER, OSError("again"), BEFORE)
    with caplog.at_level(logging.WARNING):
        async for found in watcher:
            if found == BEFORE:
                break
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["no netlink", "again"]


async def test_a_change_that_could_not_be_followed_is_told_again():
    watcher, _ = watch(AFTER)
    assert await anext(watcher) == AFTER
    watcher.repeat()
    assert await anext(watcher) == AFTER


async def test_cancelling_the_wait_leaves_nothing_and_it_can_go_on():
    watcher, _ = watch(BEFORE)
    waiting = asyncio.create_task(anext(watcher))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}
    watcher.repeat()
    assert await anext(watcher) == BEFORE
