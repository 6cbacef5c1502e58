"""Where the control socket of a device is, and how it comes there: for its owner alone from the first moment on."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hallway.errors import ControlUnavailable

MAX_ADDRESS = 103
"""Bytes of a path that every system takes as the address of a socket: 107 on Linux, fewer on others (unix(7))."""
BACKLOG = 16
PROBE_SECONDS = 1.0
_CREDENTIALS = struct.Struct("3i")
"""Process id, user id and group id (unix(7), SO_PEERCRED)."""


def beside(store: str) -> Path:
    """Where the control socket of the device with this store is."""
    return Path(f"{store}-control")


@contextmanager
def address(path: Path) -> Iterator[str]:
    """What the system takes for ``path`` as a socket's address: a long one goes by a descriptor of its folder, where there is /proc."""
    if len(os.fsencode(path)) <= MAX_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """A socket that listens at ``path``. It is made in a folder that nobody else may enter, and put in the place of what a crash left.

    Raises:
        ControlUnavailable: something else is there, or another process listens.
        OSError: it cannot be made.

    """
    _refuse_others(path)
    folder = Path(tempfile.mkdtemp(prefix=".control-", dir=path.parent))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made = folder / "s"
        with address(made) as at:
            listener.bind(at)
        made.chmod(0o600)
        listener.listen(BACKLOG)
        made.rename(path)
    except BaseException:
        listener.close()
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return listener


def user_of(other: socket.socket) -> int | None:
    """The user id of the process at the other end; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, user, _ = _CREDENTIALS.unpack(other.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(user)


def _refuse_others(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlUnavailable(f"{path} is there and is no socket", hint="move it away; the device makes its control socket there")
    if _is_served(path):
        raise ControlUnavailable(f"another process listens at {path}", hint="stop that process, or give this device a store of its own")


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, address(path) as at:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(at)
        except ConnectionRefusedError:
            return False
        return True
