"""Targets: lines of commands, over the control socket and on stdin, and what answers them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.fuzz.pairing_targets import inviter
from tests.fuzz.target import TAKEN, Room, Run, Target

from hallway import create_peer
from hallway.cli.device import JsonDevice
from hallway.config import load_config
from hallway.errors import CommandRefused, ControlUnavailable
from hallway.protocol import packed as values
from hallway.runtime.control import client
from hallway.runtime.control.commands import Commands
from hallway.runtime.control.local_socket import _line
from hallway.runtime.delivery.history import History
from hallway.runtime.membership import invitations
from hallway.runtime.membership.invitations import Invitations
from hallway.runtime.membership.registrar import Registrar
from hallway.runtime.tasks import TaskSet
from hallway.store import NewMessage, Store
from hallway.trust.state import TrustState

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
    room.closing.enter_context(patch.object(invitations, "NEWS_SECONDS", 0.001))
    room.hush()
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


# Stdin of ``hallway up --json``.


def typed_lines() -> tuple[bytes, ...]:
    commands = (
        {"command": "broadcast", "message": {"type": "order", "data": [1, 2.5, None]}, "tag": "t", "ttl": 1.5},
        {"command": "broadcast", "message": "x", "durable": False},
        {"command": "status", "tag": 1},
        {"command": "quit"},
    )
    return tuple(json.dumps(command).encode() for command in commands)


def refused_lines() -> tuple[bytes, ...]:
    return (b'{"command": "send-to-peer", "peerId": "tablet-2", "message": 1, "durable": false, "ttl": 5, "tag": null}',)


def answer_typed_lines(room: Room) -> Run:
    """To a device that is alone."""
    roles = ("discovery", "signaling", "channel")
    settings = ["security=open", "device.id=a", "device.property=hotel", *(f'{role}.chain=["memory"]' for role in roles)]
    runner = room.closing.enter_context(asyncio.Runner())
    peer = create_peer(load_config(overrides=settings, environ={}))

    async def start() -> JsonDevice:
        await peer.start()
        return JsonDevice(peer, asyncio.Event())

    device = runner.run(start())
    room.closing.callback(lambda: runner.run(peer.aclose()))

    def run(data: bytes) -> str:
        answer = runner.run(device._commands.answer(data))
        assert json.loads(json.dumps(answer))["ok"] is answer["ok"]
        return TAKEN if answer["ok"] else answer["error"]["code"]

    return run


def answers() -> tuple[bytes, ...]:
    refused = {"tag": None, "ok": False, "error": {"code": "bad-command", "message": "no", "hint": ""}}
    return json.dumps({"tag": 1, "ok": True, "value": {"peers": []}}).encode(), json.dumps(refused).encode()


def read_answer(_: Room) -> Run:
    def run(data: bytes) -> str:
        try:
            client.read_answer(data)
        except CommandRefused as error:
            return TAKEN if error.code else "no code"
        except ControlUnavailable:
            return "no answer"
        return TAKEN

    return run


TARGETS = (
    Target("control-line", lines, answer_lines, 4000, later_lines),
    Target("stdin-line", typed_lines, answer_typed_lines, 4000, refused_lines),
    Target("control-answer", answers, read_answer, 4000),
)
