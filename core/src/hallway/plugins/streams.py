"""A channel over any pair of asyncio streams, for plugins whose transport is a reliable stream of bytes (TCP, a pipe, a serial line)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine

from hallway.errors import BadFrame, BusyError, ChannelClosed, ClosedError, DeadlineExceeded, MessageTooLarge
from hallway.interfaces import Channel
from hallway.model import Binding, Candidate

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

HEAD = struct.Struct("!?I")
"""Before each message: whether it is text, and how many bytes follow."""
LINGER_SECONDS = 1.0
"""How long a close without a deadline delivers."""
STEP_SECONDS = 0.005


async def accept(listening: socket.socket, greet: Callable[[Streams], Awaitable[Streams]]) -> Streams:
    """Take connections from ``listening``, one after another, until ``greet`` returns for one: a ``connecting`` for `StreamChannel`.

    ``greet`` finds out whether this is the peer, within a time that it bounds. It closes the streams when it fails or is cancelled; an
    `OSError` or `EOFError` says that it was a stranger. The socket stays open.
    """
    loop, knock = asyncio.get_running_loop(), asyncio.Event()
    listening.setblocking(False)
    # A cancelled `loop.sock_accept` can lose a connection that it has taken; this takes one only when it is sure to handle it.
    loop.add_reader(listening, knock.set)
    try:
        while await knock.wait():
            knock.clear()
            with contextlib.suppress(OSError, EOFError):
                return await greet(await asyncio.open_connection(sock=listening.accept()[0]))
        raise AssertionError("an event that was waited for is set")
    finally:
        loop.remove_reader(listening)


class StreamChannel(Channel):
    """Keeps every promise of `Channel` over streams that ``connecting`` returns; it has no binding.

    Args:
        kind: the kind of the plugin's descriptions.
        connecting: makes the connection; it runs at once, in a task that `aclose` cancels, and releases what it holds if it fails or is
            cancelled. An `OSError` or `EOFError` that it raises means that the channel ended before it opened.
        release: called once ``connecting`` has ended, even if it never began: closes a listening socket, say.
        max_message: bytes in one message, at most; both ends must have the same.

    """

    def __init__(
        self,
        kind: str,
        connecting: Coroutine[object, object, Streams],
        *,
        release: Callable[[], object] = lambda: None,
        max_message: int = 256 * 1024,
    ) -> None:
        self.kind = kind
        self.max_message = max_message
        self._connecting = asyncio.ensure_future(connecting)
        self._connecting.add_done_callback(lambda _: release())
        self._turn = asyncio.Lock()
        self._head: tuple[bool, int] | None = None
        self._reading = False
        self._closed = False

    async def opened(self, deadline: float) -> None:
        """See `Channel.opened`."""
        await asyncio.wait([self._connecting], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        if not self._connecting.done():
            raise DeadlineExceeded("the connection was not made in time")
        self._streams()

    async def send(self, message: str | bytes) -> None:
        """See `Channel.send`."""
        data = message.encode() if isinstance(message, str) else message
        if len(data) > self.max_message:
            raise MessageTooLarge(f"{len(data)} bytes are more than {self.max_message}")
        async with self._turn:
            _, writer = self._streams()
            try:
                await self._write(writer, HEAD.pack(isinstance(message, str), len(data)) + data)
            except OSError as error:
                self._streams()
                raise ChannelClosed("the connection has ended") from error

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if writer.is_closing():
            raise ConnectionResetError("the connection has ended")
        # Those whose earlier `send` was cancelled left more than there is room for.
        await writer.drain()
        self._streams()
        writer.write(data)
        await writer.drain()

    async def receive(self) -> str | bytes:
        """See `Channel.receive`."""
        if self._reading:
            raise BusyError("another task is receiving")
        reader, writer = self._streams()
        self._reading = True
        try:
            message = await self._read(reader)
            self._streams()
        except (OSError, EOFError, BadFrame) as error:
            self._streams()
            writer.close()
            raise ChannelClosed("the connection has ended") from error
        else:
            return message
        finally:
            self._reading = False

    async def _read(self, reader: asyncio.StreamReader) -> str | bytes:
        if self._head is None:
            self._head = HEAD.unpack(await reader.readexactly(HEAD.size))
        is_text, size = self._head
        if size > self.max_message:
            raise BadFrame(f"a message of {size} bytes was announced, {self.max_message} are allowed")
        data = await reader.readexactly(size)
        self._head = None
        try:
            return data.decode() if is_text else data
        except UnicodeDecodeError as error:
            raise BadFrame("a text is not UTF-8") from error

    async def add_candidate(self, candidate: Candidate) -> None:
        """See `Channel.add_candidate`: the description had all of them."""

    @property
    def buffered(self) -> int:
        """See `Channel.buffered`: what the operating system has not taken yet."""
        return self._streams_or_none[1].transport.get_write_buffer_size() if self._streams_or_none else 0

    @property
    def binding(self) -> Binding | None:
        """See `Channel.binding`."""
        return None

    async def aclose(self, deadline: float | None = None) -> None:
        """See `Channel.aclose`."""
        self._closed = True
        if not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._streams_or_none is None:
            return
        loop, writer = asyncio.get_running_loop(), self._streams_or_none[1]
        end = loop.time() + LINGER_SECONDS if deadline is None else deadline
        writer.close()
        try:
            while self.buffered and loop.time() < end:  # noqa: ASYNC110 - `wait_closed` is one future for all who wait, and a timeout cancels it
                await asyncio.sleep(STEP_SECONDS)
        finally:
            writer.transport.abort()

    @property
    def _streams_or_none(self) -> Streams | None:
        made = self._connecting
        return None if not made.done() or made.cancelled() or made.exception() else made.result()

    def _streams(self) -> Streams:
        if self._closed:
            raise ClosedError("this end was closed")
        if self._streams_or_none is None:
            cause = self._connecting.exception() if self._connecting.done() and not self._connecting.cancelled() else None
            raise ChannelClosed(f"there is no connection{f': {cause}' if cause else ''}") from cause
        return self._streams_or_none
