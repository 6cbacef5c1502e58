"""aiortc's DTLS without the turn of the loop between a datagram and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import State
from OpenSSL import SSL

RECORD = 1500
"""Bytes of one record's content, at most, as aiortc reads them."""


def at_once(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end a coroutine that waits for nothing, as aiortc's are between a message and the socket.

    Raises:
        RuntimeError: it did wait.

    """
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError(f"{work!r} waited for something")


class PromptDtls(RTCDtlsTransport):
    """A DTLS transport that reads a datagram when it comes. aiortc queues each for a task; that still makes the handshake.

    ``write`` sends a datagram.
    """

    def __init__(self, transport: RTCIceTransport, certificate: RTCCertificate, write: Callable[[bytes], None]) -> None:
        super().__init__(transport, [certificate])
        self._write = write

    def read(self, data: bytes) -> bool:
        """Read one datagram, if no other waits in the queue; False: queue it.

        Raises:
            ConnectionError: the peer has ended the connection, or it broke.

        """
        # With DTLS 1.3 the last flight may still have to be repeated, by a timer in aiortc's task.
        if self._state is not State.CONNECTED or not self._RTCDtlsTransport__handshake_done:  # type: ignore[attr-defined]
            return False
        assert self._ssl is not None
        self._ssl.bio_write(data)
        try:
            content = self._ssl.recv(RECORD)
        except SSL.ZeroReturnError as error:
            raise ConnectionError("the peer has closed the DTLS connection") from error
        except SSL.Error:
            content = b""
        if content and self._data_receiver is not None:
            at_once(self._data_receiver._handle_data(content))
        else:
            # What is no data may have to be answered.
            at_once(self._write_ssl())
        return True

    async def _send_data(self, data: bytes) -> None:
        if self._state is not State.CONNECTED:
            raise ConnectionError("the DTLS connection is not open")
        assert self._ssl is not None
        self._ssl.send(data)
        self._write(self._ssl.bio_read(RECORD))
