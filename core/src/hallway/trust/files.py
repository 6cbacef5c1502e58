"""Files with secrets: for their owner alone, replaced as a whole, and on the disk before anybody relies on them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hallway.errors import StateExposed, StateUnusable, StorageFull

FOLDER_MODE = 0o700
PARENT_MODE = 0o755
"""Of folders above it that are missing: who may write to them could put another folder in its place."""
FILE_MODE = 0o600
MAX_FILE = 1024 * 1024
"""Bytes of one file, at most."""

_DRAFT = ".new"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def make_folder(folder: Path) -> None:
    """Make the folder, if there is none, and see that it is its owner's alone.

    Raises:
        StateUnusable: it cannot be made.
        StateExposed: others may look into it, or it is somebody else's.

    """
    try:
        for parent in reversed([each for each in folder.parents if not each.exists()]):
            parent.mkdir(mode=PARENT_MODE, exist_ok=True)
        if not folder.exists():
            folder.mkdir(exist_ok=True, mode=FOLDER_MODE)
            folder.chmod(FOLDER_MODE)
    except OSError as error:
        raise unusable(folder, error) from error
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise `StateExposed` or `StateUnusable` unless ``folder`` is one, and its owner's alone."""
    try:
        found = folder.stat()
    except OSError as error:
        raise unusable(folder, error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise StateUnusable(f"{folder} is not a folder", hint="name a folder in [trust].state or with --state")
    _check_mode(folder, found, "chmod 700")


def read(path: Path) -> bytes | None:
    """The bytes of the file, or None if there is none.

    Raises:
        StateExposed: others may read or write it, or it is a link or somebody else's.
        StateUnusable: it cannot be read, or is too large to be ours.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StateExposed(f"{path} is a symbolic link", hint="put the file itself there, with mode 0600") from error
        raise unusable(path, error) from error
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE:
            raise StateUnusable(f"{path} is not a file that hallway wrote", hint="move it away; restore the folder from a backup")
        _check_mode(path, found, "chmod 600")
        try:
            return file.read(MAX_FILE)
        except OSError as error:
            raise unusable(path, error) from error


def write(path: Path, content: bytes) -> None:
    """Replace the file by ``content``: after a crash it is the old one or the new one, whole.

    Raises:
        StorageFull: there is no room.
        StateUnusable: it cannot be written.

    """
    draft = path.with_name(f".{path.name}{_DRAFT}")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, FILE_MODE)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(f"there is no room on the disk for {path}", hint="make room, then try again") from error
        raise unusable(path, error) from error


def sweep(folder: Path) -> None:
    """Remove what a crash has left of files that were being written; for whoever alone writes to the folder.

    Raises:
        StateUnusable: it cannot be removed.

    """
    try:
        for draft in folder.glob(f".*{_DRAFT}"):
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise unusable(folder, error) from error


def remove(path: Path) -> None:
    """Remove the file, if it is there. Raises `StateUnusable` if it cannot be."""
    try:
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: OSError) -> StateUnusable:
    """The error for what the system says."""
    return StateUnusable(
        f"{path} cannot be used: {error.strerror or error}",
        hint="[trust].state or --state must name a folder that this user owns and may write to",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_mode(path: Path, found: os.stat_result, remedy: str) -> None:
    if found.st_uid != os.geteuid():
        raise StateExposed(f"{path} belongs to another user (uid {found.st_uid})", hint=f"chown {os.geteuid()} {path}, or run as its owner")
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise StateExposed(
            f"others than its owner may use {path} (mode {mode:04o})", hint=f"{remedy} {path}; revoke the device if others had access"
        )
