"""Changes of addresses, as the users of a watcher hear of them."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket

import attrs
import pytest

from hallway.network import AddressWatcher, InterfaceAddress, InterfacePolicy, notices


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


async def test_a_change_that_could_not_be_followed_is_told_again_after_an_interval_and_not_at_once():
    watcher, script = watch(AFTER)
    await anext(watcher)
    watcher._interval = 3600.0
    watcher.repeat()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(watcher)
    assert script.looks <= 2


async def test_a_further_change_is_told_at_once_while_the_last_one_waits_to_be_repeated():
    watcher, _ = watch(AFTER, ())
    await anext(watcher)
    watcher._interval = 3600.0
    watcher.repeat()
    assert await anext(watcher) == ()


async def test_no_socket_is_left_whether_a_change_was_told_or_the_wait_cancelled():
    before = sorted(os.listdir("/dev/fd"))
    watcher, _ = watch(AFTER)
    await anext(watcher)
    assert sorted(os.listdir("/dev/fd")) == before
    waiting = asyncio.create_task(anext(watcher))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert sorted(os.listdir("/dev/fd")) == before


async def test_where_notices_cannot_be_had_it_looks_again_and_again(monkeypatch):
    def refuse(*_: object) -> socket.socket:
        raise PermissionError("a sandbox")

    monkeypatch.setattr(notices, "_open", refuse)
    watcher, script = watch(BEFORE, BEFORE, BEFORE, AFTER)
    assert await anext(watcher) == AFTER
    assert script.looks == 4


async def test_a_system_without_netlink_has_no_notices(monkeypatch):
    monkeypatch.delattr(socket, "AF_NETLINK", raising=False)
    watcher, _ = watch(BEFORE, AFTER)
    assert await anext(watcher) == AFTER


class Notified(socket.socket):
    """A datagram socket in place of the kernel's; ``fails`` are what its next reads raise."""

    fails: tuple[int, ...] = ()
    reads = 0

    def recv(self, *arguments: int) -> bytes:
        self.reads += 1
        data = super().recv(*arguments)
        if self.reads <= len(self.fails):
            raise OSError(self.fails[self.reads - 1], "a test")
        return data


@pytest.fixture
def kernel(monkeypatch):
    """Who speaks for the kernel, and the socket that hears it."""
    speaking, hearing = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard = Notified(fileno=hearing.detach())
    heard.setblocking(False)
    monkeypatch.setattr(notices, "_open", lambda: heard)
    with speaking, heard:
        yield speaking, heard


async def test_a_notice_makes_it_look_at_once_and_a_burst_of_them_once(kernel):
    speaking, _ = kernel
    watcher, script = watch(BEFORE, AFTER)
    watcher._interval = 3600.0
    waiting = asyncio.create_task(anext(watcher))
    await asyncio.sleep(0)
    for _ in range(5):
        speaking.send(b"a change")
    assert await waiting == AFTER
    assert script.looks == 2


async def test_an_overflow_is_a_notice_like_any_other(kernel):
    speaking, heard = kernel
    heard.fails = (errno.ENOBUFS,)
    watcher, _ = watch(BEFORE, AFTER)
    watcher._interval = 3600.0
    speaking.send(b"lost")
    assert await anext(watcher) == AFTER


async def test_a_broken_socket_ends_the_notices_and_not_the_watching(kernel, caplog):
    speaking, heard = kernel
    heard.fails = (errno.EIO,)
    watcher, script = watch(BEFORE, BEFORE, BEFORE, AFTER)
    speaking.send(b"lost")
    speaking.send(b"never read")
    assert await anext(watcher) == AFTER
    assert (heard.reads, script.looks) == (1, 4)
    assert "have ended" in caplog.text
