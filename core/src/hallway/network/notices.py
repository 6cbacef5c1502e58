"""The kernel's word that links or addresses have changed, where there is such a thing: Linux, by rtnetlink(7)."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

QUIET = 0.03
"""Seconds without a further notice after which a burst of changes counts as over."""
BURST = 0.2
"""Seconds that a burst may last."""

_GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR of linux/rtnetlink.h."""
_HARMLESS = {errno.EAGAIN, errno.EINTR, errno.ENOBUFS}
"""ENOBUFS: there were more notices than the socket holds, which is a notice as well."""


class ChangeNotices:
    """Wakes who waits for changes. What comes is never read: that it came means that there is something to look at.

    A context manager; it owns one socket and no task. Where such a socket cannot be had there are no notices, and every wait takes its
    full time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._noticed = asyncio.Event()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            self._socket = _open()
        except OSError as error:
            # A sandbox may forbid it; looking again and again does without.
            logger.debug("there are no notices of address changes: %s", error)
        if self._socket is not None:
            self._loop.add_reader(self._socket, self._heed, self._socket)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            self._loop.remove_reader(opened)
            opened.close()

    def _heed(self, opened: socket.socket) -> None:
        try:
            opened.recv(1)
        except OSError as error:
            if error.errno not in _HARMLESS:
                logger.warning("notices of address changes have ended: %s", error)
                self._loop.remove_reader(opened)
        self._noticed.set()

    async def wait(self, seconds: float) -> None:
        """Return when a burst of notices is over, or after ``seconds`` without any."""
        self._noticed.clear()
        if await self._next(seconds):
            over = self._loop.time() + BURST
            while (left := over - self._loop.time()) > 0 and await self._next(min(QUIET, left)):
                pass

    async def _next(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._noticed.wait()
        except TimeoutError:
            return False
        self._noticed.clear()
        return True


def _open() -> socket.socket | None:
    """A socket that becomes readable at every change, or None where there is no such thing."""
    if not hasattr(socket, "AF_NETLINK"):
        return None
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    try:
        opened.bind((0, _GROUPS))
    except BaseException:
        opened.close()
        raise
    return opened
