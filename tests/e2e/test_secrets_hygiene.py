"""A property is made, a device joins, both talk, and much of it fails on the way: nobody but the owner of the files sees a secret."""

from __future__ import annotations

import base64
import json
import re
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest
from enrolling import Json, Machine

from hallway.trust.recovery import read_recovery
from netlab import Lab, Process, matching
from site_devices import SETTLE

pytestmark = [pytest.mark.second_lab, pytest.mark.attack("A26")]

CRASHING = Path(__file__).parent / "support" / "crashing.py"
PASSWORD = "turn-password-that-nobody-sees"
TURN = f'[{{ urls = "turn:203.0.113.9", username = "hotel", credential = "{PASSWORD}" }}]'
SHOWN_BY = {"passphrase": "init stdout", "token": "invite stdout", "code": "invite stdout"}
"""What a command is there to show, and which one it is."""
Forms = Sequence[re.Pattern[bytes]]


def octets(raw: bytes) -> Forms:
    """How octets may look in an output."""
    encoded = [base64.b64encode(raw), base64.urlsafe_b64encode(raw), base64.b32encode(raw)]
    texts = [raw, raw.hex().encode(), repr(raw)[2:-1].encode(), str(list(raw)).encode(), *(each.rstrip(b"=") for each in encoded)]
    return [re.compile(re.escape(each), re.IGNORECASE) for each in texts]


def text(words: str) -> Forms:
    """How a text may look, with its hyphens and without."""
    both = (words, words.replace("-", ""))
    return [re.compile(rb"(?<!\d)" + re.escape(each.encode()) + rb"(?!\d)", re.IGNORECASE) for each in both]


@attrs.define
class Crashing(Machine):
    """A host with a state folder, whose commands run with umask 0 and fail where they are told to; ``said`` is all that they print."""

    said: list[tuple[str, str]] = attrs.field(factory=list)
    processes: list[tuple[str, Process]] = attrs.field(factory=list)

    async def begin(self, place: str, name: str, *words: str) -> Process:
        """Start a command."""
        argv = [sys.executable, str(CRASHING), place, name, *words, "--json", "--log-level", "debug"]
        environment = {"HALLWAY_PLUGINS__AIORTC__ICE_SERVERS": TURN, "PYTHONFAULTHANDLER": "1"}
        process = await self.host.spawn(argv, env=environment)
        self.processes.append((name, process))
        return process

    async def call(self, place: str, name: str, *words: str, stdin: bytes = b"") -> Process:
        """Run a command about the state to its end; what it has not to do because it crashes is seen by its status."""
        process = await self.begin(place, name, *words, "--state", str(self.state))
        await process.send_bytes(stdin)
        process.close_stdin()
        status = await process.wait(SETTLE)
        assert (status == 0) is (place == ""), process.transcript()
        assert has_failed(process) is ("raise" in place), process.transcript()
        return process

    async def up(self, place: str) -> Process:
        """Start the device."""
        files = {"trust.state": "", "delivery.store": ".db", "discovery.last_good": ".addresses"}
        return await self.begin(place, "up", *(word for key, end in files.items() for word in ("--set", f"{key}={self.state}{end}")))

    async def hears(self, process: Process, **fields: object) -> Json:
        """Wait for a line, and keep it."""
        line = await process.wait_for(matching(**fields), SETTLE)
        name = next(name for name, one in self.processes if one is process)
        self.said.append((f"{name} stdout", json.dumps(line)))
        return line

    def output(self) -> Iterator[tuple[str, str]]:
        """Everything that was printed, and by what."""
        yield from self.said
        for name, process in self.processes:
            yield f"{name} stdout", "\n".join(line.text for line in process.unread)
            yield f"{name} stderr", "\n".join(process.stderr_lines)


async def founded(desk: Crashing) -> dict[str, Forms]:
    """Make the property, at the third try."""
    await desk.call("pathlib:Path.replace:kill:1", "init", "--property", "Sea View", "--device", "desk")
    left = [path for path in desk.state.iterdir() if path.suffix == ".new"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in left] == [0o600]
    await desk.call("hallway.runtime.membership.founding:write_recovery:raise:1", "init", "--property", "Sea View", "--device", "desk")
    made = await desk.call("", "init", "--property", "Sea View", "--device", "desk")
    shown = await desk.hears(made, event="initialised")
    root = read_recovery(Path(shown["recoveryFile"]), shown["passphrase"])
    return {"passphrase": text(shown["passphrase"]), "root": octets(root.raw())}


async def enrolled(desk: Crashing, tablet: Crashing) -> dict[str, Forms]:
    """Let the second device join, at the third try: first the one end fails, then the other."""
    inviting = await desk.begin("hallway.trust.pairing:Window.handle:raise:1", "invite", "--state", str(desk.state))
    shown = await desk.hears(inviting, event="invitation")
    invitation = shown["invitation"].encode()
    join = ("join", "--device", "tablet-1", "--invitation", "-")
    refused = await tablet.begin("", *join, "--state", str(tablet.state))
    await refused.send_bytes(invitation + b"\n")
    assert await refused.wait(SETTLE) == 1
    await tablet.call("hallway.trust.joining:Joiner.joined:raise:1", *join, stdin=invitation)
    await tablet.call("", *join, stdin=invitation)
    assert await inviting.wait(SETTLE) == 0
    token = shown["invitation"].split(":")[2]
    raw = base64.b32decode(token + "=" * (-len(token) % 8))
    return {"token": [*text(token), *octets(raw)], "code": text(shown["code"])}


async def talked(desk: Crashing, tablet: Crashing, argv_free: dict[str, Forms]) -> None:
    """Run both, with a failure in each; then the one is aborted and the other told to end."""
    one, two = await desk.up("hallway.trust.sealed_guard:SealedGuard.read:raise:1"), await tablet.up("")
    for machine, process, peer in ((desk, one, "tablet-1"), (tablet, two, "desk")):
        await machine.hears(process, event="peer-connected", peerId=peer)
        look_for(argv_free, Path(f"/proc/{process.pid}/cmdline").read_bytes(), "a command line")
        assert re.search(r"Max core file size +0 ", Path(f"/proc/{process.pid}/limits").read_text())
        await process.send_json({"command": "send-to-peer", "peerId": peer, "message": "hello"})
        await process.send_json({"command": "status", "tag": "status"})
        assert (await machine.hears(process, event="result", tag="status"))["ok"]
    await desk.hears(one, event="message", message="hello")
    await desk.call("", "members")
    one.send_signal(signal.SIGABRT)
    assert await one.wait() == -signal.SIGABRT
    assert has_failed(one)
    assert await two.terminate() == 0


def has_failed(process: Process) -> bool:
    """Whether it came to where it was to fail."""
    return any(line.startswith("injected at") for line in process.stderr_lines)


def look_for(secrets: dict[str, Forms], printed: bytes, where: str) -> None:
    for name, forms in secrets.items():
        if SHOWN_BY.get(name) != where:
            assert not [form.pattern for form in forms if form.search(printed)], f"{name} is in {where}"


def kept(machine: Crashing) -> dict[str, Forms]:
    """The keys of a device."""
    return {f"{machine.state} {name}": octets(base64.urlsafe_b64decode(key + "==")) for name, key in machine.secrets().items()}


def check_files(site: Path, secrets: dict[str, Forms]) -> None:
    """Everything is its owner's alone, and keys are in the state folders only."""
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in site.rglob("*")}
    assert {mode for path, mode in modes.items() if not path.is_dir()} == {0o600}
    assert {mode for path, mode in modes.items() if path.name == "trust"} == {0o700}
    assert not [path for path, mode in modes.items() if path.is_dir() and mode & 0o022]
    assert not [path for path in modes if path.suffix in {".new", ".part"}]
    for path in (path for path in modes if path.is_file() and path.parent.name != "trust"):
        look_for(secrets, path.read_bytes(), str(path))
    made = "trust.db trust.db-wal trust.db.mark trust.addresses identity.json recovery.json state.lock control"
    assert set(made.split()) <= {path.name for path in modes}


async def test_no_secret_is_printed_logged_or_left_where_others_can_read_it(lab: Lab, tmp_path: Path) -> None:
    site, lan = tmp_path / "site", lab.lan()
    desk, tablet = (Crashing(lan.host(name), site / name / "trust") for name in ("desk", "tablet"))
    site.mkdir()
    secrets = {"password": text(PASSWORD), **await founded(desk)}
    secrets |= await enrolled(desk, tablet)
    secrets |= kept(desk) | kept(tablet)
    await talked(desk, tablet, secrets)

    printed = [output for machine in (desk, tablet) for output in machine.output()]
    assert sum(len(words) for _, words in printed) > 20_000
    for where, words in printed:
        look_for(secrets, words.encode(), where)
    for name in ("passphrase", "token", "code"):
        assert any(form.search(words.encode()) for where, words in printed if where == SHOWN_BY[name] for form in secrets[name])
    check_files(site, secrets)
