"""People who enrol devices: the commands, on hosts of the lab."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import attrs

from hallway.trust.state import TrustState
from netlab import Finished, Host, Process, matching

Json = dict[str, Any]
PATIENCE = 40.0
TERMINAL = (sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)")
"""Runs a program at a terminal of its own, which echoes what is typed."""


@attrs.frozen
class Machine:
    """A host with a state folder."""

    host: Host
    state: Path

    async def command(self, name: str, *words: str, stdin: bytes = b"", status: int | None = 0) -> Finished:
        """Run a command to its end; its exit status must be ``status``."""
        process = await self.host.spawn(self._argv(name, *words))
        await process.send_bytes(stdin)
        process.close_stdin()
        found = await process.wait(PATIENCE)
        assert status is None or found == status, process.transcript()
        return Finished(found, "\n".join(line.text for line in process.unread), "\n".join(process.stderr_lines))

    async def ask(self, name: str, *words: str, stdin: bytes = b"", status: int = 0) -> Json:
        """The last line of JSON that a command prints."""
        finished = await self.command(name, *words, "--json", stdin=stdin, status=status)
        value: Json = json.loads(finished.stdout.splitlines()[-1])
        return value

    async def invite(self, *words: str, terminal: bool = False) -> tuple[Process, Json]:
        """Open a window, perhaps at a terminal; the process that shows it, and what it shows first."""
        argv = self._argv("invite", "--json", *words)
        process = await self.host.spawn([*TERMINAL, *argv] if terminal else argv)
        return process, await process.wait_for(matching(event="invitation"))

    async def join(self, device: str, *words: str, status: int = 0) -> Json:
        """Join as ``device``."""
        return await self.ask("join", "--device", device, *words, status=status)

    async def begin_to_join(self, device: str, *words: str) -> Process:
        """Start to join; the process."""
        return await self.host.spawn(self._argv("join", "--device", device, "--json", *words))

    def names(self) -> list[str]:
        """The devices of the property, by the files of this one."""
        return [member.name for member in TrustState(self.state).load().book.current.members]

    def secrets(self) -> dict[str, str]:
        """The private texts in the state folder."""
        keys, shared = (json.loads((self.state / name).read_text()) for name in ("identity.json", "secrets.json"))
        return {"identity": keys["identity"], "sealing": keys["sealing"], "group": shared["secrets"][0]["secret"]}

    def modes(self) -> set[str]:
        """The modes of the folder and what is in it."""
        return {oct(stat.S_IMODE(path.stat().st_mode)) for path in (self.state, *self.state.iterdir())}

    def _argv(self, name: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "hallway.cli", name, *words, "--state", str(self.state)]


def by_text(shown: Json) -> tuple[str, str]:
    """The options of who has the whole invitation."""
    return "--invitation", shown["invitation"]


def by_code(shown: Json, code: str | None = None) -> tuple[str, str, str, str]:
    """The options of who has a code."""
    return "--code", code or shown["code"], "--host", shown["hosts"][0]


def wrong(shown: Json) -> str:
    """Another code than the one that is shown."""
    digits = str((int(shown["code"].replace("-", "")) + 1) % 10**8).zfill(8)
    return f"{digits[:4]}-{digits[4:]}"
