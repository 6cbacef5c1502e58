"""The control socket by itself: who gets in, what is answered, and what is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hallway.errors import CommandRefused, ControlUnavailable, MisuseError, PeerUnavailable
from hallway.runtime.control import local_socket
from hallway.runtime.control.client import ControlClient, connected
from hallway.runtime.control.commands import Commands
from hallway.runtime.control.local_socket import MAX_CONNECTIONS, MAX_LINE, ControlSocket
from hallway.runtime.control.place import MAX_ADDRESS, address, beside, listen
from hallway.runtime.tasks import TaskSet

NOBODY = 65534


def no_crash(name: str, error: BaseException) -> None:
    raise AssertionError(name) from error


@pytest.fixture
def commands() -> Commands:
    made = Commands()

    async def echo(command: dict) -> object:
        return command.get("say")

    async def fail(command: dict) -> object:
        raise PeerUnavailable("nobody is there", hint="wait")

    made.serve("echo", echo)
    made.serve("fail", fail)
    return made


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that another user can be let into: pytest's own lie in one that is its owner's, and that it closes again."""
    with tempfile.TemporaryDirectory(prefix="hallway-control-") as folder:
        yield Path(folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return beside(str(tmp_path / "tablet-1.db"))


@pytest.fixture
async def tasks() -> AsyncIterator[TaskSet]:
    made = TaskSet(no_crash)
    yield made
    await made.aclose()


@pytest.fixture
async def served(path: Path, commands: Commands, tasks: TaskSet) -> AsyncIterator[ControlSocket]:
    server = ControlSocket(path, commands, tasks)
    await server.start()
    yield server
    await server.aclose()


async def raw(path: Path, sent: bytes) -> list[dict]:
    """What is answered to these bytes, and their end."""
    with address(path) as at:
        reader, writer = await asyncio.open_unix_connection(at)
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(10):
        answers = [json.loads(line) async for line in reader]
    writer.close()
    return answers


async def test_commands_are_answered_in_their_order_and_errors_are_answers(served, path):
    async with connected(path) as client:
        assert isinstance(client, ControlClient)
        assert [await client.ask({"command": "echo", "say": each}) for each in ("ü", [1, None])] == ["ü", [1, None]]
        with pytest.raises(CommandRefused, match="nobody is there") as refused:
            await client.ask({"command": "fail"})
        assert (refused.value.code, refused.value.hint) == ("peer-unavailable", "wait")
        assert await client.ask({"command": "echo", "say": 1}) == 1


async def test_an_answer_that_nobody_waits_for_any_more_is_not_given_to_the_next_command(served, commands, path):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def linger(command: dict) -> object:
        begun.set()
        await go_on.wait()
        return "late"

    commands.serve("linger", linger)
    async with asyncio.timeout(10), connected(path) as client:
        asking = asyncio.create_task(client.ask({"command": "linger"}))
        await begun.wait()
        asking.cancel()
        await asyncio.wait([asking])
        go_on.set()
        assert [await client.ask({"command": "echo", "say": each}) for each in (1, 2)] == [1, 2]


async def test_a_line_is_answered_in_the_form_of_a_result(served, path):
    lines = b'{"command":"echo","say":1,"tag":7}\n{"command":"fail"}\nnonsense\n[]\n{"command":"dance"}'
    first, second, *rest = await raw(path, lines)
    assert first == {"tag": 7, "ok": True, "value": 1}
    assert second == {"tag": None, "ok": False, "error": {"code": "peer-unavailable", "message": "nobody is there", "hint": "wait"}}
    assert [each["error"]["code"] for each in rest] == ["bad-command"] * 3
    assert "echo, fail" in rest[-1]["error"]["hint"]


async def test_a_line_beyond_the_bound_is_refused_and_the_next_one_works(served, path):
    *refused, fine = await raw(path, b"x" * (3 * MAX_LINE) + b'\n{"command":"echo","say":1}\n')
    assert {each["error"]["code"] for each in refused} == {"bad-command"}
    assert fine == {"tag": None, "ok": True, "value": 1}


def test_a_name_is_taken_once(commands):
    with pytest.raises(MisuseError):
        commands.serve("echo", None)


async def test_it_is_its_owners_alone_and_made_where_nobody_else_may_look(path, commands, tasks, monkeypatch):
    seen = []
    chmod = Path.chmod

    def watched(file: Path, mode: int) -> None:
        seen.append((stat.S_IMODE(file.parent.stat().st_mode), path.exists()))
        chmod(file, mode)

    monkeypatch.setattr(Path, "chmod", watched)
    before = os.umask(0)
    try:
        server = ControlSocket(path, commands, tasks)
        await server.start()
    finally:
        os.umask(before)
    assert seen == [(0o700, False)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    await server.aclose()
    await server.aclose()
    assert list(path.parent.iterdir()) == []


async def test_a_path_longer_than_the_system_takes_works_too(tmp_path, commands, tasks):
    folder = tmp_path / ("d" * 200)
    folder.mkdir()
    path = beside(str(folder / "tablet-1.db"))
    assert len(str(path)) > 2 * MAX_ADDRESS
    server = ControlSocket(path, commands, tasks)
    await server.start()
    async with connected(path) as client:
        assert await client.ask({"command": "echo", "say": 1}) == 1
    await server.aclose()
    assert list(folder.iterdir()) == []


async def test_what_a_crash_left_is_replaced_and_means_that_nobody_is_there(path, commands, tasks):
    listen(path).close()
    assert stat.S_ISSOCK(path.stat().st_mode)
    async with connected(path) as client:
        assert client is None
    server = ControlSocket(path, commands, tasks)
    await server.start()
    async with connected(path) as client:
        assert await client.ask({"command": "echo", "say": 1}) == 1
    await server.aclose()


async def test_without_a_path_there_is_no_socket(commands, tasks):
    server = ControlSocket(None, commands, tasks)
    await server.start()
    await server.aclose()


async def test_it_takes_the_place_of_no_file_no_link_and_no_other_device(path, commands, tasks, served, tmp_path):
    with pytest.raises(ControlUnavailable, match="another process listens"):
        await ControlSocket(path, commands, tasks).start()
    treasure = tmp_path / "treasure"
    treasure.write_text("gold")
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(treasure)
    file.write_text("silver")
    for taken in (link, file):
        with pytest.raises(ControlUnavailable, match="is no socket"):
            await ControlSocket(taken, commands, tasks).start()
    assert (treasure.read_text(), file.read_text()) == ("gold", "silver")
    with pytest.raises(ControlUnavailable, match="cannot be made"):
        await ControlSocket(tmp_path / "absent" / "socket", commands, tasks).start()


async def test_it_takes_away_no_socket_but_its_own(path, commands, tasks):
    server = ControlSocket(path, commands, tasks)
    await server.start()
    path.unlink()
    with listen(path):
        await server.aclose()
        assert path.exists()


async def test_so_many_get_in_and_one_more_is_told_to_wait(served, path):
    async def one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(path))

    inside = [await one() for _ in range(MAX_CONNECTIONS)]
    for reader, writer in inside:
        writer.write(b'{"command":"echo"}\n')
        assert json.loads(await reader.readline())["ok"]
    reader, writer = await one()
    assert json.loads(await reader.readline())["error"]["code"] == "busy"
    assert await reader.read() == b""
    writer.close()
    for _, each in inside:
        each.close()
    async with asyncio.timeout(10):
        while served._running:
            await asyncio.sleep(0)
    async with connected(path) as client:
        assert await client.ask({"command": "echo", "say": 1}) == 1


async def test_one_that_says_nothing_and_one_that_reads_nothing_are_left(served, path, commands, monkeypatch):
    monkeypatch.setattr(local_socket, "IDLE_SECONDS", 0.05)

    async def shout(_: dict) -> str:
        return "x" * 8_000_000

    commands.serve("shout", shout)
    silent, held = await asyncio.open_unix_connection(str(path))
    async with asyncio.timeout(10):
        assert await silent.read() == b""
    held.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.connect(str(path))
        deaf.sendall(b'{"command":"shout"}\n')
        async with asyncio.timeout(10):
            while not served._running:
                await asyncio.sleep(0)
            while served._running:
                await asyncio.sleep(0.01)


async def test_closing_ends_a_command_that_is_under_way(path, commands, tasks):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def long(_: dict) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    commands.serve("long", long)
    server = ControlSocket(path, commands, tasks)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b'{"command":"long"}\n')
    await begun.wait()
    await server.aclose()
    assert ended.is_set()
    assert await reader.read() == b""
    writer.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
async def test_another_user_is_kept_out_and_not_believed(served, path, tmp_path):
    script = (
        "import os, socket, sys\n"
        f"os.setuid({NOBODY})\n"
        "other = socket.socket(socket.AF_UNIX)\n"
        "try: other.connect(sys.argv[1])\n"
        "except PermissionError: sys.exit(7)\n"
        "print(other.recv(1000).decode())\n"
    )
    tmp_path.chmod(0o755)
    kept_out = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, str(path)], check=False)
    assert kept_out.returncode == 7
    path.chmod(0o666)
    let_in = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, str(path)], check=False, capture_output=True, text=True)
    assert json.loads(let_in.stdout)["error"]["code"] == "misuse"

    false = tmp_path / "false"
    made = f"import os, socket, sys\nl = socket.socket(socket.AF_UNIX)\nos.chdir({str(tmp_path)!r})\nos.setuid({NOBODY})\n"
    tmp_path.chmod(0o777)
    listening = f"{made}l.bind('false')\nl.listen()\nprint('up', flush=True)\nsys.stdin.read()\n"
    with subprocess.Popen([sys.executable, "-c", listening], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout.readline() == b"up\n"
        with pytest.raises(ControlUnavailable, match=f"user {NOBODY}"):
            async with connected(false):
                pass
        async with connected(false, owner=NOBODY) as client:
            assert client is not None
        stranger.stdin.close()
