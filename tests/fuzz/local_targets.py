"""Targets: what this machine gives a device: lines over its control socket, and files that are not as they were written."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sealed_site import NOW, Site
from tests.fuzz.pairing_targets import inviter
from tests.fuzz.target import TAKEN, Room, Run, Target, packed, unpacked

from hallway.config import load_config
from hallway.errors import CommandRefused, ConfigError, ControlUnavailable, StateCorrupt, StoreError, TrustStateError
from hallway.model import PeerRecord
from hallway.protocol import packed as values
from hallway.protocol.last_good import LastGood
from hallway.runtime import control_client, invitations
from hallway.runtime.commands import Commands
from hallway.runtime.control_socket import _line
from hallway.runtime.history import History
from hallway.runtime.invitations import Invitations
from hallway.runtime.registrar import Registrar
from hallway.runtime.tasks import TaskSet
from hallway.store import NewMessage, Store
from hallway.trust import recovery
from hallway.trust.claims import b64
from hallway.trust.state import IDENTITY, MEMBERSHIP, ROSTER, SECRETS, TrustState

FILES = (IDENTITY, MEMBERSHIP, ROSTER, SECRETS)
COMMANDS: tuple[dict[str, Any], ...] = (
    {"command": "members", "tag": 1},
    {"command": "revoke", "deviceId": "tablet", "tag": [None]},
    {"command": "invite", "yes": True, "code": True},
    {"command": "outbox", "peerId": "tablet-2"},
    {"command": "outbox-messages", "most": 10, "after": [0, 0]},
    {"command": "outbox-letters", "most": 1, "after": 0},
    {"command": "outbox-retry", "all": True, "upto": 3},
    {"command": "inbox-drop", "letters": []},
)


# The control socket.


def lines() -> tuple[bytes, ...]:
    return tuple(json.dumps(command).encode() for command in COMMANDS if command["command"] not in ("revoke", "invite"))


def later_lines() -> tuple[bytes, ...]:
    return b"\n".join(json.dumps(command).encode() for command in COMMANDS), b'{"command": "invite-news", "window": ""}'


async def filled(path: Path | None) -> Store:
    """A store in which something waits, has died and has come."""
    store = await Store.open(None if path is None else str(path))
    for number in range(4):
        body = values.pack({"n": number})
        await store.put(NewMessage(number.to_bytes(16, "big"), body, kind=1, stream="s" * (number % 2)), ["tablet-2", "Desk"])
    await store.bury("tablet-2", "", [1], "nobody wants it")
    return store


def answer_lines(room: Room) -> Run:
    # A program that asks for news when there are none is slow on purpose.
    invitations.NEWS_SECONDS = 0.001
    logging.getLogger("hallway").setLevel(logging.CRITICAL)
    runner = room.closing.enter_context(asyncio.Runner())
    store, fresh, state = runner.run(filled(None)), inviter().membership, TrustState(room.folder / "control-state")
    room.closing.callback(lambda: runner.run(store.aclose()))

    async def answered(data: bytes) -> list[dict[str, Any]]:
        crashes: list[BaseException] = []
        tasks, commands = TaskSet(lambda _, error: crashes.append(error)), Commands()
        registrar = Registrar(state, fresh)
        registrar.serve(commands)
        Invitations(registrar, lambda: ("http://10.0.0.7:8090",), tasks).serve(commands)

        async def retry(letters: Any) -> int:
            return (await store.retry(letters)).count

        History(store, retry).serve(commands)
        answers = [await commands.answer(line) for line in data.split(b"\n")[:8]]
        await tasks.aclose()
        assert not crashes, crashes
        return answers

    def run(data: bytes) -> str:
        answers = runner.run(answered(data))
        for answer in answers:
            assert json.loads(_line(answer))["ok"] is answer["ok"]
        return TAKEN if all(answer["ok"] for answer in answers) else str(answers[0].get("error", {}).get("code"))

    return run


def answers() -> tuple[bytes, ...]:
    refused = {"tag": None, "ok": False, "error": {"code": "bad-command", "message": "no", "hint": ""}}
    return json.dumps({"tag": 1, "ok": True, "value": {"peers": []}}).encode(), json.dumps(refused).encode()


def read_answer(_: Room) -> Run:
    def run(data: bytes) -> str:
        try:
            control_client.read_answer(data)
        except CommandRefused as error:
            return TAKEN if error.code else "no code"
        except ControlUnavailable:
            return "no answer"
        return TAKEN

    return run


# Files.


def state_files() -> tuple[bytes, ...]:
    """The number of a file, and what is in it: the others are as they were written."""
    return tuple(bytes((number,)) + content.encode() for number, content in enumerate(_written().values()))


def _written() -> dict[str, str]:
    site = Site("a", "b")
    member, kept = site.membership("a"), {}

    class Kept(TrustState):
        def _write(self, name: str, content: dict[str, Any]) -> None:
            kept[name] = json.dumps({"format": 1, **content}) + "\n"

    member.learn(site.next(site.roster, revoke=("b",)).text, 1_800_000_000)
    state = Kept(Path("/nowhere"))
    state.save_keys(member.keys)
    state.save(member)
    return {name: kept[name] for name in FILES}


def load_state(room: Room) -> Run:
    folder, whole = room.folder / "state", _written()
    folder.mkdir(mode=0o700)
    for name, content in whole.items():
        _put(folder / name, content.encode())

    def run(data: bytes) -> str:
        name = FILES[data[0] % 4] if data else IDENTITY
        _put(folder / name, data[1:])
        try:
            TrustState(folder).load()
        except TrustStateError as error:
            return type(error).__name__
        finally:
            _put(folder / name, whole[name].encode())
        return TAKEN

    return run


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def recovery_files() -> tuple[bytes, ...]:
    """As `recovery.write_recovery` writes them, with another seal: to make one takes half a second on purpose."""
    sizes = {"salt": recovery.SALT_BYTES, "nonce": recovery.NONCE_BYTES, "sealed": recovery.KEY_BYTES + recovery.TAG_BYTES}
    head = {"format": recovery.FORMAT, "property": b64(bytes(32)), "n": recovery.LOG_N}
    return (json.dumps(head | {name: b64(bytes(size)) for name, size in sizes.items()}, indent=1).encode(),)


def read_recovery(_: Room) -> Run:
    """What is read before the passphrase is tried, which takes half a second on purpose."""

    def run(data: bytes) -> str:
        try:
            head, *_ = recovery._parsed(Path("recovery.json"), data)
        except StateCorrupt:
            return "corrupt"
        recovery._authenticated(head)
        return TAKEN

    return run


def address_files() -> tuple[bytes, ...]:
    known = LastGood("hotel")
    known.remember(PeerRecord("a", "hotel", "tablet", ("http://10.0.0.7:8090",)), NOW)
    return (known.dumps().encode(),)


def read_addresses(_: Room) -> Run:
    def run(data: bytes) -> str:
        known = LastGood("hotel")
        taken = known.loads(data)
        again = LastGood("hotel")
        assert again.loads(known.dumps())
        return TAKEN if taken and known.records(NOW) == again.records(NOW) else "anew"

    return run


def store_files() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hallway.db")

        async def write() -> None:
            await (await filled(path)).aclose()

        asyncio.run(write())
        return (packed(path.read_bytes(), path.with_name("hallway.db.mark").read_bytes()),)


def open_store(room: Room) -> Run:
    """Opened, and read as a device reads it when it starts."""
    logging.getLogger("hallway").setLevel(logging.CRITICAL)
    runner = room.closing.enter_context(asyncio.Runner())
    folder = room.folder / "store"

    async def opened(path: Path) -> None:
        store = await Store.open(str(path))
        try:
            await used(store)
        finally:
            await store.aclose()

    def run(data: bytes) -> str:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in zip(("hallway.db", "hallway.db.mark", "hallway.db-wal"), unpacked(data), strict=False):
            _put(folder / name, content)
        try:
            runner.run(opened(folder / "hallway.db"))
        except StoreError as error:
            return type(error).__name__
        return TAKEN

    return run


async def used(store: Store) -> None:
    """Everything that is there is looked at, and something is put beside it."""
    for out in await store.outgoing():
        await store.waiting(out.peer, out.stream, 0, most=100, most_bytes=1_000_000)
    await store.positions()
    await store.usage()
    await store.dead(most=100)
    await store.next_expiry()
    await store.expired()
    await store.queues("out", None)
    await store.put(NewMessage(bytes(16), b"\xc0", kind=1, stream=""), ["tablet-2"])


def config_files() -> tuple[bytes, ...]:
    text = """
security = "open"
[device]
id = "tablet-1"
property = "property-123"
[network]
deny = ["docker*", "veth*"]
[plugins.http-local]
port = 8090
[plugins.aiortc]
ice_servers = [{ urls = "stun:stun.example.org:3478" }]
port_range = [49152, 65535]
"""
    return (text.encode(),)


def read_config(room: Room) -> Run:
    path = room.folder / "device.toml"

    def run(data: bytes) -> str:
        path.write_bytes(data)
        try:
            load_config(path, environ={})
        except ConfigError as error:
            return f"{len(error.mistakes)} mistakes: {len(str(error).encode())} bytes"
        return TAKEN

    return run


TARGETS = (
    Target("control-line", lines, answer_lines, 4000, later_lines),
    Target("control-answer", answers, read_answer, 4000),
    Target("state-file", state_files, load_state, 8192),
    Target("recovery-file", recovery_files, read_recovery, 2000),
    Target("last-good-file", address_files, read_addresses, 4000),
    Target("store-file", store_files, open_store, 200_000, slow=True),
    Target("config-file", config_files, read_config, 3000, slow=True),
)
