"""Namespaces that cannot outlive their lab for long: their names tell whose they are, and the next lab sweeps the orphans."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from netlab.system import LabError, command, ip

PREFIX = "hwlab"
ETC = Path("/etc/netns")
"""Files in ETC/NAME take the place of those in /etc for what `ip netns exec NAME` starts: ip-netns(8)."""

_OWNED = re.compile(rf"{PREFIX}-(\d+)-(\d+)-")
_serials = itertools.count(1)


def _started(pid: int) -> str | None:
    """When a process started (proc_pid_stat(5), field 22), or None if it does not live: a pid alone may be used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and only waits to be reaped does not."""
    return _started(pid) is not None


def process_ids(namespace: str) -> list[int]:
    """The processes that live in a namespace; none if the namespace does not exist."""
    try:
        return [int(pid) for pid in command(["ip", "netns", "pids", namespace]).split()]
    except LabError:
        return []


def command_line(pid: int) -> str:
    """What a process was called with, or "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _names() -> set[str]:
    listed = {line.split()[0] for line in command(["ip", "netns", "list"]).splitlines() if line}
    return listed | ({entry.name for entry in ETC.iterdir()} if ETC.is_dir() else set())


def orphans() -> list[str]:
    """The names of namespaces (and of their files) whose lab's process does not live any more."""
    owned = ((name, _OWNED.match(name)) for name in sorted(_names()))
    return [name for name, match in owned if match and _started(int(match[1])) != match[2]]


def sweep() -> list[str]:
    """Remove what crashed labs left behind, processes included, and return the names. Labs of living processes stay."""
    names = orphans()
    demolish(names)
    return names


def demolish(names: Iterable[str]) -> None:
    """Kill all that runs in these namespaces and remove them with their files. What is gone already is no error."""
    for name in names:
        for pid in process_ids(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Another lab may be sweeping the same orphan.
        with suppress(LabError):
            ip([f"netns del {name}"])
        shutil.rmtree(ETC / name, ignore_errors=True)


class Namespaces:
    """The namespaces of one lab, under names that no other lab has."""

    def __init__(self) -> None:
        pid = os.getpid()
        self._prefix = f"{PREFIX}-{pid}-{_started(pid)}-{next(_serials)}"
        self.names: list[str] = []

    def create(self, name: str) -> str:
        """Make a namespace for ``name`` (unique in this lab), with loopback up, and return its full name."""
        namespace = f"{self._prefix}-{name}"
        if namespace in self.names:
            raise LabError(f"this lab has a {name} already")
        self.names.append(namespace)
        ip([f"netns add {namespace}"])
        ip(["link set lo up"], namespace)
        return namespace

    def demolish(self) -> None:
        """Remove them all."""
        demolish(self.names)
        self.names.clear()


def write_etc(namespace: str, files: Mapping[str, str]) -> None:
    """Give a namespace its own files in /etc. Only those that the machine has as well: the mount needs a place."""
    folder = ETC / namespace
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if Path("/etc", name).exists():
            (folder / name).write_text(text, encoding="utf-8")
