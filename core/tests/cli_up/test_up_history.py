"""`hallway outbox` and `hallway inbox`, as processes beside a device that runs and one that does not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from hallway import Peer, create_peer, load_config
from hallway.cli import reach
from hallway.cli.main import cli
from hallway.events import ErrorHappened, MessageReceived
from hallway.protocol import packed
from hallway.runtime.control.client import connected
from hallway.runtime.control.place import beside
from hallway.store import NewMessage, Received, Store


class Done(NamedTuple):
    """What came of one run of the command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def hallway(*words: str) -> Done:
    """Run the command in a thread of this process, which spares its start."""
    environment: dict[str, str | None] = {key: None for key in os.environ if key.startswith("HALLWAY_")}
    result = await asyncio.to_thread(CliRunner(env=environment).invoke, cli, words, prog_name="hallway", catch_exceptions=False)
    return Done(result.exit_code, result.stdout, result.stderr)


async def process(*words: str, stdin: int = asyncio.subprocess.DEVNULL) -> Done:
    """Run the command as a process."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HALLWAY_")}
    pipes = dict.fromkeys(("stdout", "stderr"), asyncio.subprocess.PIPE)
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "hallway.cli", *words, env=environment, stdin=stdin, **pipes)
    async with asyncio.timeout(30):
        out, err = await child.communicate()
    assert child.returncode is not None
    return Done(child.returncode, out.decode(), err.decode())


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "tablet-1.db")


@contextlib.asynccontextmanager
async def filling(path: str) -> AsyncIterator[Store]:
    """The store of a device that does not run."""
    opened = await Store.open(path)
    yield opened
    await opened.aclose()


def stored(n: int, value: object, ttl_ms: int | None = None) -> NewMessage:
    return NewMessage(n.to_bytes(16, "big"), packed.pack(value), 0, ttl_ms=ttl_ms)


async def with_letters(path: str) -> None:
    """One message that waits for the desk; dead letters 1 and 2 to the desk and 3 to the bar; letter 4 from the desk."""
    async with filling(path) as opened:
        for n, to in enumerate(("desk", "desk", "bar", "desk"), 1):
            await opened.put(stored(n, f"message {n}"), [to])
        await opened.bury("desk", "", [1, 2], "expired")
        await opened.bury("bar", "", [1], "cannot \x1b[31mread\u202e this")
        await opened.receive("desk", "", 7, 1, [Received(1, bytes(16), 0, packed.pack("poison"))])
        await opened.reject(1, "the listener failed: KeyError")
        await opened.met("desk", time.time())


async def test_what_waits_for_a_peer_that_is_away_is_shown_while_the_device_runs_and_when_it_has_ended(up, store):
    async with filling(store) as opened:
        await opened.met("Desk", time.time())
    device = await up({"delivery.store": store})
    await device.ready()
    ids = []
    for message, options in (("towels", {"ttl": 3600}), ({"room": 101}, {}), ("x" * 20_000, {})):
        (result,) = await device.ask({"command": "send-to-peer", "peerId": "Desk", "message": message, **options})
        ids.append(result["value"]["ids"]["Desk"])
    running = await process("outbox", "--store", store, "--json", "--messages")
    assert running.status == 0, running.err
    assert running.json["running"] is True
    (queue,) = running.json["peers"]
    assert (queue["peerId"], queue["messages"]) == ("Desk", 3)
    assert 0 <= queue["oldestSeconds"] < 60
    assert 3500 < queue["ttlSeconds"] <= 3600
    assert [(each["id"], each["seq"], each["preview"]) for each in running.json["messages"]] == [
        (ids[0], 1, '"towels"'),
        (ids[1], 2, '{"room": 101}'),
        (ids[2], 3, None),
    ]
    assert queue["bytes"] == sum(each["bytes"] for each in running.json["messages"])
    assert running.json["letters"] == []

    device.terminate()
    assert await device.ended() == 0
    assert not beside(store).exists()
    options = ("--set", "security=open", "--set", "device.id=t", "--set", "device.property=p", "--set", f"delivery.store={store}")
    ended = await process("outbox", *options, "--json", "--messages")
    assert ended.json["running"] is False
    assert [each["id"] for each in ended.json["messages"]] == ids
    shown = await process("outbox", "--store", store, "--messages")
    assert shown.status == 0
    assert "Desk  3         19.5 KiB" in shown.out
    assert all(each in shown.out for each in (*ids, "towels", "(too large to show)", "59 min"))


async def test_a_device_that_was_killed_leaves_a_history_that_can_be_read(up, store):
    device = await up({"delivery.store": store})
    await device.ready()
    device.process.kill()
    await device.ended()
    assert beside(store).exists()
    assert (await hallway("inbox", "--store", store, "--json")).json == {
        "store": store,
        "running": False,
        "peers": [],
        "letters": [],
        "lettersTotal": 0,
    }
    again = await up({"delivery.store": store})
    await again.ready()
    assert (await hallway("inbox", "--store", store, "--json")).json["running"] is True


async def test_dead_letters_are_told_with_their_reason_and_nothing_that_steers_a_terminal(store):
    await with_letters(store)
    shown = await hallway("outbox", "--store", store)
    assert shown.status == 0, shown.err
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
    assert "cannot \\u001b[31mread\\u202e this" in shown.out
    assert "its time to live was over" in shown.out
    assert "hallway outbox retry" in shown.out
    assert "poison" not in shown.out
    found = (await hallway("outbox", "--store", store, "--json", "--peer", "DESK")).json
    assert [(each["letter"], each["peerId"], each["reason"]) for each in found["letters"]] == [
        (1, "desk", "expired"),
        (2, "desk", "expired"),
    ]
    inbox = (await hallway("inbox", "--store", store, "--json")).json
    assert [(each["letter"], each["preview"], each["reason"]) for each in inbox["letters"]] == [
        (4, '"poison"', "the listener failed: KeyError")
    ]
    assert f"hallway outbox retry 1 --store {store}; or --all" in shown.out
    assert not [line for line in shown.out.splitlines() if line.endswith(" ")]
    some = await hallway("outbox", "--store", store, "--limit", "1")
    assert "2 more dead letters are not shown" in some.out


@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
async def test_letters_are_retried_and_dropped_by_number_by_peer_and_all(up, store, runs):
    await with_letters(store)
    if runs:
        await (await up({"delivery.store": store})).ready()
    one = await hallway("outbox", "retry", "2", "--store", store, "--json")
    assert one.json == {"store": store, "running": runs, "retried": 1, "left": 0}
    wrong = await hallway("outbox", "drop", "1", "4", "99", "--store", store, "--yes")
    assert wrong.status == 1
    assert "there is no dead letter 4, 99 here; nothing was done" in wrong.err
    assert "hint: " in wrong.err
    of_bar = await hallway("outbox", "drop", "--all", "--peer", "bar", "--store", store)
    assert (of_bar.status, of_bar.out) == (0, "Dropped 1 dead letter.\n")
    rest = await hallway("outbox", "retry", "--all", "--store", store)
    assert rest.out.startswith("Retried 1 dead letter: sent again ")
    found = (await hallway("outbox", "--store", store, "--json", "--messages")).json
    assert ([each["seq"] for each in found["messages"]], found["lettersTotal"]) == ([3, 4, 5], 0)
    assert (await hallway("inbox", "drop", "4", "--store", store, "--json")).json["dropped"] == 1


async def test_a_drop_is_asked_for_on_a_terminal_and_means_what_was_there_then(store):
    await with_letters(store)
    for answer, status, left in ((b"n\n", 1, 3), (b"y\n", 0, 0)):
        terminal, end = pty.openpty()
        os.write(terminal, answer)
        dropped = await process("outbox", "drop", "--all", "--store", store, stdin=end)
        os.close(terminal)
        os.close(end)
        assert (dropped.status, "Drop 3 dead letters for good? [y/N]:" in dropped.err) == (status, True)
        assert len((await hallway("outbox", "--store", store, "--json")).json["letters"]) == left


async def test_letters_for_which_there_is_no_room_stay_and_the_status_says_so(store):
    await with_letters(store)
    options = ("--set", "security=open", "--set", "device.id=t", "--set", "device.property=p", "--set", "delivery.peer_messages=2")
    result = await hallway("outbox", "retry", "--all", "--store", store, "--json", *options)
    assert (result.status, result.json["retried"], result.json["left"]) == (1, 2, 1)


async def test_what_is_asked_for_wrongly_is_refused_and_makes_no_file(tmp_path):
    absent = str(tmp_path / "absent.db")
    result = await hallway("outbox", "--store", absent)
    assert (result.status, "there is no store" in result.err) == (1, True)
    assert "Say whose: --config FILE, or --store PATH" in (await hallway("outbox")).err
    valid = ("--set", "security=open", "--set", "device.id=t", "--set", "device.property=p")
    result = await hallway("outbox", "--json", *valid)
    assert (result.status, result.json["mistakes"][0]["path"], result.err) == (2, "delivery.store", "")
    for words in (["retry"], ["drop", "1", "--all"], ["list", "1"], ["--all"], ["retry", "x"], ["dance"]):
        assert (await hallway("outbox", *words, "--store", absent)).status == 2
    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_something_without_a_socket_has_open_is_refused_by_its_process(store, monkeypatch):
    monkeypatch.setattr(reach, "PAUSE", 0.01)
    async with filling(store):
        result = await hallway("outbox", "--store", store)
    assert result.status == 1
    assert "in use by this process itself" in result.err
    assert "no control socket" in result.err


def device(device_id: str, hub: str, path: str) -> Peer:
    settings = [
        "security=open",
        f"device.id={device_id}",
        "device.property=property-123",
        *(f'{role}.chain=["memory"]' for role in ("discovery", "signaling", "channel")),
        f"plugins.memory.hub={json.dumps(hub)}",
        f"delivery.store={json.dumps(path)}",
    ]
    return create_peer(load_config(overrides=settings, environ={}))


async def test_a_message_at_which_the_application_failed_is_handed_out_again_at_once(request, tmp_path, store):
    one, two = device("one", request.node.name, str(tmp_path / "one.db")), device("two", request.node.name, store)
    mended, heard = False, asyncio.Queue()

    async def listener(_: str, message: object) -> None:
        if not mended:
            raise ValueError("cannot read this")
        heard.put_nowait(message)

    two.on("message", listener)
    letters = two.events(lambda event: isinstance(event, ErrorHappened))
    async with one, two, asyncio.timeout(30):
        while not one.connected_peers:
            await asyncio.sleep(0)
        await one.send_to_peer("two", {"room": 101})
        assert (await anext(letters)).code == "dead-letter"
        while not (found := (await hallway("inbox", "--store", store, "--json")).json)["letters"]:
            pass
        assert found["running"] is True
        (letter,) = found["letters"]
        assert (letter["peerId"], letter["preview"]) == ("one", '{"room": 101}')
        mended = True
        assert (await hallway("inbox", "retry", str(letter["letter"]), "--store", store, "--json")).json["retried"] == 1
        assert await heard.get() == {"room": 101}
        await one.send_to_peer("two", "next")
        assert await heard.get() == "next"
        incoming = two._node.delivery._incoming
        while (incoming._waiting, incoming._waiting_bytes) != (0, 0):
            await asyncio.sleep(0)
        assert (await hallway("inbox", "--store", store)).out == "Nothing waits for the application.\n"


async def test_a_message_that_had_expired_is_sent_at_once_when_it_is_retried(request, tmp_path, store):
    await with_letters(store)
    one, desk = device("one", request.node.name, store), device("desk", request.node.name, str(tmp_path / "desk.db"))
    messages = desk.events(lambda event: isinstance(event, MessageReceived))
    async with one, desk, asyncio.timeout(30):
        assert (await anext(messages)).message == "message 4"
        assert (await hallway("outbox", "retry", "2", "1", "--store", store, "--json")).json["retried"] == 2
        assert [(await anext(messages)).message for _ in range(2)] == ["message 2", "message 1"]
        await one.send_to_peer("desk", "new")
        assert (await anext(messages)).message == "new"
    async with filling(store) as opened:
        assert await opened.queues("out") == []


async def test_retries_amid_a_stream_of_new_messages_leave_no_hole(request, tmp_path, store):
    """What gets a number between two new messages of one commit must not be told to be a gap."""
    async with filling(store) as opened:
        for n in range(1, 101):
            await opened.put(stored(n, f"old {n}"), ["desk"])
        await opened.bury("desk", "", list(range(1, 101)), "expired")
        await opened.met("desk", time.time())
    one, desk = device("one", request.node.name, store), device("desk", request.node.name, str(tmp_path / "desk.db"))
    messages = desk.events(lambda event: isinstance(event, MessageReceived))
    async with one, desk, asyncio.timeout(30), connected(beside(store)) as client:
        while not one.connected_peers:
            await asyncio.sleep(0)

        async def speak() -> None:
            for n in range(50):
                await asyncio.gather(*(one.send_to_peer("desk", f"new {n}.{i}") for i in range(4)))

        async def retry() -> None:
            for letter in range(1, 101):
                assert (await one._node.delivery.retry([letter])) == 1

        await asyncio.gather(speak(), retry())
        heard = [(await anext(messages)).message for _ in range(300)]
        assert await client.ask({"command": "outbox"}) == {"peers": [], "letters": 0, "lastLetter": None}
    assert [each for each in heard if each.startswith("old")] == [f"old {n}" for n in range(1, 101)]
    assert len(set(heard)) == 300


MALFORMED = [
    {"command": "outbox", "peerId": 1},
    {"command": "outbox-messages", "after": 5},
    {"command": "outbox-messages", "after": [1]},
    {"command": "outbox-messages", "after": [-1, "x"]},
    {"command": "outbox-messages", "most": 0},
    {"command": "outbox-messages", "most": 501},
    {"command": "outbox-letters", "after": 2**63},
    {"command": "outbox-letters", "after": True},
    {"command": "inbox-retry"},
    {"command": "inbox-retry", "letters": [1.5]},
    {"command": "inbox-drop", "all": 1},
    {"command": "inbox-drop", "all": True, "upto": "all"},
]


async def test_what_is_no_such_command_is_answered_as_such_and_changes_nothing(up, store):
    await with_letters(store)
    running = await up({"delivery.store": store})
    await running.ready()
    reader, writer = await asyncio.open_unix_connection(str(beside(store)))
    for command in MALFORMED:
        writer.write(json.dumps(command).encode() + b"\n")
        answer = json.loads(await reader.readline())
        assert (answer["ok"], answer["error"]["code"]) == (False, "bad-command"), command
    assert (await hallway("outbox", "--store", store, "--json")).json["lettersTotal"] == 3
    writer.write(b'{"command":"outbox-drop","all":true,"upto":2}\n')
    assert json.loads(await reader.readline())["value"] == {"dropped": 2}
    writer.close()


async def test_pages_are_followed_to_the_end(store):
    async with filling(store) as opened:
        for n in range(1, 1203):
            await opened.put(stored(n, n), ["desk"])
        await opened.bury("desk", "", list(range(1, 602)), "expired")
    found = (await hallway("outbox", "--store", store, "--json", "--messages", "--limit", "0")).json
    assert [each["seq"] for each in found["messages"]] == list(range(602, 1203))
    assert [each["letter"] for each in found["letters"]] == list(range(1, 602))
    few = (await hallway("outbox", "--store", store, "--json", "--messages", "--limit", "7")).json
    assert (len(few["messages"]), len(few["letters"]), few["lettersTotal"]) == (7, 7, 601)


async def test_a_device_without_a_store_says_so_once_and_has_no_socket(up, tmp_path):
    for as_json in (True, False):
        device = await up(as_json=as_json, env={"HALLWAY_LOG": "warning"})
        if as_json:
            await device.ready()
        else:
            await device.process.stdout.readline()
            assert b"[delivery].store" in await device.process.stdout.readline()
        device.terminate()
        assert await device.ended() == 0
        out, err = await device.rest()
        assert (out + err).count("[delivery].store") == (1 if as_json else 0)


async def test_a_device_that_cannot_make_its_socket_says_so_and_lives(up, store):
    beside(store).write_text("in the way")
    device = await up({"delivery.store": store})
    assert {(await device.read()).get("code") for _ in range(2)} == {None, "control-unavailable"}
    (status,) = await device.ask({"command": "status"})
    assert status["ok"]
    device.terminate()
    assert await device.ended() == 0
    assert beside(store).read_text() == "in the way"
