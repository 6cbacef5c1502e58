"""Targets: files that are not as they were written: of the state folder, the store, the configuration."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sealed_site import NOW, Site
from tests.fuzz.command_targets import filled
from tests.fuzz.target import TAKEN, Room, Run, Target, packed, unpacked

from hallway.config import load_config
from hallway.errors import ConfigError, StateCorrupt, StoreError, TrustStateError
from hallway.model import PeerRecord
from hallway.protocol.last_good import LastGood
from hallway.store import NewMessage, Store
from hallway.trust import recovery
from hallway.trust.claims import b64
from hallway.trust.state import IDENTITY, MEMBERSHIP, ROSTER, SECRETS, TrustState

FILES = (IDENTITY, MEMBERSHIP, ROSTER, SECRETS)


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
            found = recovery._parsed(Path("recovery.json"), data)
        except StateCorrupt:
            return "corrupt"
        recovery._authenticated(found.head)
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
    room.hush()
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
    Target("state-file", state_files, load_state, 8192),
    Target("recovery-file", recovery_files, read_recovery, 2000),
    Target("last-good-file", address_files, read_addresses, 4000),
    Target("store-file", store_files, open_store, 200_000, slow=True),
    Target("config-file", config_files, read_config, 3000, slow=True),
)
