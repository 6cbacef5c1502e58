"""What a program sees that runs a device by ``hallway up --json``."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import time
from pathlib import Path

import pytest

from hallway.store import NewMessage, Store

STATUS = {"command": "status", "tag": 1}


async def test_ready_has_its_fixed_fields_and_needs_no_peer(up):
    device = await up()
    assert await device.ready() == {
        "event": "ready",
        "deviceId": "tablet-1",
        "propertyId": "property-123",
        "mode": "local",
        "listen": ["memory://tablet-1"],
        "pid": device.process.pid,
    }


async def test_status_says_what_the_device_is_doing(up):
    device = await up()
    await device.ready()
    (result,) = await device.ask({"command": "status", "tag": "t"})
    assert result["value"].pop("caution").startswith("security is open: whoever reaches this network")
    assert result == {
        "event": "result",
        "tag": "t",
        "ok": True,
        "value": {
            "deviceId": "tablet-1",
            "propertyId": "property-123",
            "security": "open",
            "mode": "local",
            "listen": ["memory://tablet-1"],
            "signaling": [{"plugin": "memory", "up": True, "reason": ""}],
            "discovery": [{"plugin": "memory", "up": True, "reason": ""}],
            "peers": [],
        },
    }


async def test_results_come_in_the_order_of_the_commands_with_their_tags(up):
    device = await up()
    await device.ready()
    tags = [None, 0, "text", {"a": [1]}, True]
    results = await device.ask(*({"command": "broadcast", "message": tag, "tag": tag} for tag in tags))
    assert [result["tag"] for result in results] == tags
    assert all(result == {"event": "result", "tag": result["tag"], "ok": True, "value": {"ids": {}}} for result in results)


async def test_a_result_has_a_tag_even_if_the_command_had_none(up):
    device = await up()
    await device.ready()
    (result,) = await device.ask({"command": "status"})
    assert result["tag"] is None


async def test_a_send_to_an_absent_peer_fails_and_the_device_lives_on(up):
    device = await up()
    await device.ready()
    failed, fine = await device.ask({"command": "send-to-peer", "peerId": "nobody", "message": 1, "tag": 7}, STATUS)
    assert (failed["ok"], failed["tag"], failed["error"]["code"]) == (False, 7, "peer-unavailable")
    assert set(failed["error"]) == {"code", "message", "hint"}
    assert fine["ok"]


MALFORMED = [
    b"nonsense",
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"status"',
    b"{}",
    b'{"command": 1}',
    b'{"command": null, "tag": 1}',
    b'{"command": "dance"}',
    b'{"command": "send-to-peer"}',
    b'{"command": "send-to-peer", "peerId": 1, "message": 1}',
    b'{"command": "send-to-peer", "peerId": "tablet-2"}',
    b'{"command": "broadcast"}',
    b'{"command": "broadcast", "message": NaN}',
    b'{"command": "broadcast", "message": 1, "ttl": 0}',
    b'{"command": "broadcast", "message": 1, "ttl": -1}',
    b'{"command": "broadcast", "message": 1, "ttl": true}',
    b'{"command": "broadcast", "message": 1, "ttl": "1 h"}',
    b'{"command": "send-to-peer", "peerId": "tablet-2", "message": 1, "ttl": [1]}',
    b'{"command": "broadcast", "message": 1, "durable": 0}',
    b'{"command": "status", "peerId": "tablet-2"}',
    b'{"command": "quit", "now": true}',
    b'{"command": "broadcast", "message": 1e999}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"command": "status", "tag": "\\ud800"}',
]


async def test_whatever_is_no_command_is_answered_as_such_and_the_next_one_works(up):
    device = await up()
    await device.ready()
    *results, status = await device.ask(*MALFORMED, STATUS)
    assert [(result["event"], result["ok"], result["error"]["code"]) for result in results] == [("result", False, "bad-command")] * len(
        MALFORMED
    )
    assert all(result["error"]["message"] for result in results)
    assert status["ok"]


async def test_an_unknown_command_keeps_its_tag_and_names_those_that_exist(up):
    device = await up()
    await device.ready()
    (result,) = await device.ask({"command": "dance", "tag": 9})
    assert result["tag"] == 9
    assert "send-to-peer, broadcast, status, quit" in result["error"]["hint"]


async def test_what_is_wrong_with_a_field_is_said(up):
    device = await up()
    await device.ready()
    misspelt, short = await device.ask(
        {"command": "broadcast", "message": 1, "tll": 5, "tag": 3}, {"command": "broadcast", "message": 1, "ttl": "1 h"}
    )
    assert (misspelt["tag"], misspelt["error"]["message"]) == (3, "broadcast has no field 'tll'")
    assert "command, message, durable, ttl, tag" in misspelt["error"]["hint"]
    assert short["error"]["message"] == "'ttl' is a number of seconds above 0, not '1 h'"
    assert "leave it out" in short["error"]["hint"]


async def test_blank_lines_are_no_commands(up):
    device = await up()
    await device.ready()
    await device.write(b"", b"   ", b"\r", STATUS)
    assert (await device.read())["tag"] == 1


async def test_a_line_beyond_the_bound_is_malformed_and_not_kept(up):
    device = await up()
    await device.ready()
    await device.write(b"x" * (33 * 1024 * 1024), STATUS)
    results = [await device.read()]
    while results[-1]["tag"] != 1:
        results.append(await device.read())
    assert {result["error"]["code"] for result in results[:-1]} == {"bad-command"}
    assert results[-1]["ok"]


async def test_quit_is_answered_and_ends_it_with_status_0_and_nothing_on_stderr(up):
    device = await up()
    await device.ready()
    (result,) = await device.ask({"command": "quit", "tag": "bye"})
    assert result == {"event": "result", "tag": "bye", "ok": True, "value": None}
    assert await device.ended() == 0
    out, err = await device.rest()
    assert err == ""
    assert all(json.loads(line)["event"] for line in out.splitlines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_end_it_with_status_0(up, number):
    device = await up()
    await device.ready()
    device.process.send_signal(number)
    assert await device.ended() == 0
    assert (await device.rest())[1] == ""


async def test_a_signal_before_it_is_ready_ends_it_too(up):
    device = await up()
    device.terminate()
    assert await device.ended() in (0, -signal.SIGTERM)


class TestAMessageThatExpires:
    @pytest.fixture
    async def settings(self, tmp_path):
        """A device that knows a peer which is away, for whom something has expired while it did not run."""
        store = await Store.open(str(tmp_path / "store"))
        await store.met("desk", time.time())
        await store.put(NewMessage(bytes(16), b"\x01", 0, "", 1), ["desk"])
        await store.aclose()
        return {"delivery.store": str(tmp_path / "store")}

    async def test_is_told_with_its_id(self, up, settings):
        device = await up(settings)
        await device.ready()
        assert await device.first("undelivered") == {"event": "undelivered", "peerId": "desk", "id": bytes(16).hex(), "reason": "expired"}
        await device.write({"command": "send-to-peer", "peerId": "desk", "message": 1, "ttl": 0.001})
        lines = sorted([await device.read(), await device.read()], key=lambda line: line["event"])
        assert [line["event"] for line in lines] == ["result", "undelivered"]
        assert lines[0]["value"]["ids"] == {"desk": lines[1]["id"]}

    async def test_is_told_to_people(self, up, settings):
        device = await up(settings, as_json=False)
        assert b"is up" in await device.process.stdout.readline()
        told = (await device.process.stdout.readline()).decode()
        assert told == f"the message {bytes(16).hex()} to desk is a dead letter: expired\n"


class TestStdin:
    async def test_its_end_is_not_the_end(self, up):
        device = await up()
        await device.ready()
        device.process.stdin.write(json.dumps(STATUS).encode())
        device.process.stdin.close()
        assert (await device.read())["tag"] == 1
        assert device.process.returncode is None
        device.terminate()
        assert await device.ended() == 0

    async def test_it_may_be_dev_null(self, up):
        device = await up(stdin=asyncio.subprocess.DEVNULL)
        await device.ready()
        device.terminate()
        assert await device.ended() == 0

    async def test_it_may_be_closed(self, up):
        device = await up(prefix=("sh", "-c", 'exec "$0" "$@" <&-'))
        await device.ready()
        device.terminate()
        assert await device.ended() == 0

    async def test_it_may_be_a_file(self, up, tmp_path):
        path = tmp_path / "commands"
        path.write_text("".join(json.dumps(STATUS | {"tag": tag}) + "\n" for tag in range(20)) + '{"command": "quit", "tag": "last"}')
        with path.open("rb") as commands:
            device = await up(stdin=commands)
        await device.ready()
        assert [(await device.read())["tag"] for _ in range(21)] == [*range(20), "last"]
        assert await device.ended() == 0

    async def test_commands_may_come_before_it_is_ready(self, up):
        device = await up()
        await device.write(STATUS)
        assert (await device.ready())["event"] == "ready"
        assert (await device.read())["tag"] == 1


class TestStdout:
    async def test_a_reader_that_has_stalled_does_not_keep_a_signal_from_ending_it(self, up):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        try:
            device = await up(stdout=writing)
            os.close(writing)
            await fill(device, reading)
            device.terminate()
            assert await device.ended() == 0
        finally:
            os.close(reading)

    async def test_a_reader_that_has_gone_does_not_end_it(self, up):
        device = await up(env={"HALLWAY_LOG": "warning"})
        await device.ready()
        device.process.stdout._transport.close()
        await device.write(*[STATUS] * 3)
        async with asyncio.timeout(30):
            while b"nobody reads the output any more" not in await device.process.stderr.readline():
                pass
        assert device.process.returncode is None
        device.terminate()
        assert await device.ended() == 0


async def fill(device, reading: int) -> None:
    """Ask for more than the pipe holds, and return once nothing more fits into it."""
    size = fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ)
    await device.write(*({"command": "status", "tag": "x" * 1000} for _ in range(20)))
    async with asyncio.timeout(30):
        while waiting(reading) < size - 4096 // 2:
            await asyncio.sleep(0.01)


def waiting(descriptor: int) -> int:
    """Bytes in a pipe."""
    import array
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


PLUGIN = """
import asyncio, sys
from hallway.errors import SignalingUnavailable
from hallway.model import IcePolicy, Mode
from hallway.plugins import SignalingProvider, hookimpl
from hallway.testing.memory.hub import Hub, MemoryConfig
from hallway.testing.memory.signaling import MemorySignaling

class Odd(MemorySignaling):
    async def start(self, host):
        {start}

@hookimpl
def hallway_signaling():
    return [SignalingProvider(name="odd", config_class=MemoryConfig, factory=lambda _, context: Odd(context.device, Hub()),
                              mode=Mode.CLOUD, ice_policy=IcePolicy.WAN, schemes=frozenset({{"odd"}}))]
"""


@pytest.fixture
def installed(tmp_path: Path):
    """Make an environment in which a signaling plugin ``odd`` is installed that starts as it is told to."""

    def install(start: str) -> dict[str, str]:
        info = tmp_path / "hallway_odd-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hallway-odd\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[hallway.signaling]\nodd = hallway_odd\n")
        (tmp_path / "hallway_odd.py").write_text(PLUGIN.format(start=start))
        return {"PYTHONPATH": str(tmp_path)}

    return install


@pytest.mark.parametrize("as_json", [True, False])
async def test_a_signal_ends_it_while_a_plugin_does_not_come_up(up, installed, as_json):
    stuck = installed("print('starting', file=sys.stderr, flush=True); await asyncio.Event().wait()")
    device = await up({"signaling.chain": '["odd"]'}, as_json=as_json, env=stuck)
    assert await device.process.stderr.readline() == b"starting\n"
    device.terminate()
    assert await device.ended() == 0
    assert await device.rest() == ("", "")


async def test_ready_comes_in_mode_none_too_and_a_status_says_why(up, installed):
    device = await up({"signaling.chain": '["odd"]'}, env=installed("raise SignalingUnavailable('the server is away')"))
    ready = await device.ready()
    assert (ready["mode"], ready["listen"]) == ("none", [])
    await device.write(STATUS)
    status = await device.first("result")
    assert status["value"]["signaling"] == [{"plugin": "odd", "up": False, "reason": "the server is away"}]


async def test_a_plugin_that_crashes_is_told_as_an_error_and_does_not_end_the_device(up, installed):
    device = await up({"signaling.chain": '["odd", "memory"]'}, env=installed("raise ValueError('a bug')"))
    ready = await device.ready()
    assert ready["mode"] == "local"
    error = await device.first("error")
    assert (error["event"], error["code"], error["message"]) == ("error", "internal", "signaling odd: a bug")


async def test_a_mistake_in_the_configuration_is_an_error_event_with_status_2(up):
    device = await up({"device.id": '"not a label"', "network.dney": "[]"})
    event = await device.read()
    assert (event["event"], event["code"]) == ("error", "config")
    assert {mistake["path"] for mistake in event["mistakes"]} == {"device.id", "network.dney"}
    assert await device.ended() == 2


async def test_for_people_it_says_in_a_sentence_that_it_is_up(up):
    device = await up(as_json=False)
    line = (await device.process.stdout.readline()).decode()
    assert "tablet-1 of property-123 is up" in line
    assert "memory://tablet-1" in line
    device.terminate()
    assert await device.ended() == 0
