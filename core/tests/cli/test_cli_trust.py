"""What the commands about the property say to people who use them in the wrong way. That they work is seen with real devices."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
import subprocess
import sys
import types

import pytest
from click.testing import CliRunner
from enrolment_rig import Carrier, Desk, join

from hallway.cli import invite_run
from hallway.cli.main import cli
from hallway.cli.trust_options import new_passphrase, unlisted
from hallway.errors import PairingRefused
from hallway.runtime.membership import invitations, joining
from hallway.runtime.tasks import TaskSet
from hallway.trust.invitation import Invitation, read_code
from hallway.trust.joining import Ticket
from hallway.trust.state import TrustState

INVITATION = Invitation(bytes(32), bytes(16), ((ipaddress.ip_address("192.168.1.20"), 8090),)).text()


def run(*words, stdin=""):
    return CliRunner().invoke(cli, words, prog_name="hallway", input=stdin, catch_exceptions=False)


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    folder = tmp_path / "trust"
    made = run("init", "--state", str(folder), "--property", "Sea View", "--device", "desk", "--json")
    assert made.exit_code == 0
    return folder, json.loads(made.stdout)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("init", "--state", "x", "--property", "p"), "--device"),
        (("init", "--state", "x", "--property", "p", "--device", "-a"), "letters, digits and hyphens"),
        (("join", "--state", "x", "--device", "a"), "--invitation TEXT, or --code"),
        (("join", "--state", "x", "--device", "a", "--code", "1234-5678"), "--host"),
        (("join", "--state", "x", "--device", "a", "--code", "1", "--invitation", "HW1:"), "either"),
        (("join", "--state", "x", "--device", "a", "--code", "12345678", "--host", "desk.local:8090"), "192.168.1.20:8090"),
        (("join", "--state", "x", "--device", "a", "--code", "12345678", "--host", "10.0.0.1:99999"), "192.168.1.20:8090"),
        (("join", "--state", "x", "--device", "a", "--invitation", "-"), "write the invitation to it"),
        (("join", "--state", "x", "--device", "a", "--code", "-", "--host", "10.0.0.1"), "write the code to it"),
        (("revoke", "--state", "x"), "DEVICE"),
    ],
)
def test_a_wrong_command_line_is_told_and_makes_nothing(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert says in result.stderr


@pytest.mark.parametrize(("host", "place"), [("10.0.0.1", "10.0.0.1 8090"), ("[fd00::1]:81", "fd00::1 81"), ("fd00::1", "fd00::1 8090")])
def test_the_forms_of_an_address(host, place):
    from hallway.cli.join import _place

    assert "{} {}".format(*_place(host)) == place


@pytest.mark.parametrize("command", [["members"], ["revoke", "x"], ["invite"]])
def test_a_folder_without_an_enrolment_is_left_as_it_is(tmp_path, command):
    result = run(*command, "--state", str(tmp_path / "none"), "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"], list(tmp_path.iterdir())) == (1, "not-enrolled", [])


def test_the_passphrase_is_printed_once_and_nowhere_else(state):
    folder, made = state
    assert all(made["passphrase"] not in path.read_text() for path in folder.iterdir())
    assert "passphrase" not in run("members", "--state", str(folder)).stdout


@pytest.mark.parametrize(
    ("typed", "chosen", "says"),
    [([""], None, ""), (["one", "two", "three", "three"], "three", "The two differ.\n")],
    ids=["enter", "chosen"],
)
def test_at_a_terminal_the_passphrase_is_asked_for_until_it_is_the_same_twice(monkeypatch, capsys, typed, chosen, says):
    answers = iter(typed)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(answers))
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    assert new_passphrase() == chosen
    assert list(answers) == []
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "read", "asked"),
    [
        ([INVITATION], INVITATION, 1),
        ([INVITATION[:80], INVITATION[80:]], INVITATION, 2),
        ([INVITATION[:20], INVITATION[20:-2], INVITATION[-2:]], INVITATION, 3),
        ([INVITATION[:80].lower(), ""], INVITATION[:80].lower(), 2),
        (["nonsense"], "nonsense", 1),
    ],
)
def test_an_invitation_may_be_pasted_in_several_lines(monkeypatch, typed, read, asked):
    answers = iter(typed)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: next(answers))
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    assert unlisted("-", "Invitation", Invitation.is_cut_off) == read
    assert (len(typed), list(answers)) == (asked, [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("init", "--property", "p", "--device", "desk", "--json"), '"passphrase": '),
        (("recover", "--property", "p", "--device", "desk"), "write the passphrase of the recovery file to stdin"),
        (("join", "--device", "desk", "--invitation", "-"), "nothing on stdin"),
    ],
)
def test_where_stdin_is_closed_nobody_is_asked(tmp_path, words, says):
    command = [sys.executable, "-m", "hallway.cli", *words, "--state", str(tmp_path / "state")]
    ran = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, text=True, check=False, timeout=30)
    assert says in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_folder_comes_from_the_option_the_variable_or_the_configuration(state, tmp_path, monkeypatch):
    folder, _ = state
    file = tmp_path / "desk.toml"
    file.write_text(f"[trust]\nstate = {json.dumps(str(folder))}\n")
    by_file = run("members", "--config", str(file), "--json")
    assert by_file.stdout == run("members", "--state", str(folder), "--json").stdout
    assert run("plan", "--state", str(folder)).exit_code == 0
    assert "--state DIR" in run("members").stderr
    file.write_text('security = "open"\n[device]\nid = "a"\nproperty = "p"\n')
    assert "names no [trust] state" in run("members", "--config", str(file)).stderr
    monkeypatch.setenv("HALLWAY_TRUST__STATE", str(folder))
    assert run("members", "--json").stdout == by_file.stdout


def test_two_commands_do_not_work_on_one_folder(state):
    folder, _ = state
    lock = TrustState(folder).lock()
    words = ["hallway", "members", "--state", str(folder), "--json"]
    script = f"import sys; sys.argv = {words}; from hallway.cli import main, reach; reach.PAUSE = 0.01; main.main()"
    busy = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    lock.release()
    assert (busy.returncode, json.loads(busy.stdout)["code"]) == (1, "state-busy")
    assert run("members", "--state", str(folder)).exit_code == 0


def test_an_admin_does_not_turn_itself_away(state):
    folder, _ = state
    result = run("revoke", "desk", "--state", str(folder), "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (1, "misuse")


def test_recovering_needs_the_passphrase_and_names_where_nothing_is_known(state, tmp_path):
    folder, made = state
    assert run("recover", "--state", str(folder)).exit_code == 2
    assert json.loads(run("recover", "--state", str(folder), "--json", stdin="nonsense\n").stdout)["code"] == "wrong-passphrase"
    fresh = str(tmp_path / "fresh")
    recovery = ("--recovery", made["recoveryFile"], "--json")
    assert json.loads(run("recover", "--state", fresh, *recovery, stdin=made["passphrase"]).stdout)["code"] == "misuse"
    names = ("--property", "Sea View", "--device", "office")
    assert json.loads(run("recover", "--state", fresh, *names, *recovery, stdin=made["passphrase"]).stdout)["members"] == ["office"]


async def test_whoever_asks_while_nobody_is_there_to_answer_is_declined_each_time(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("hallway.trust.recovery.LOG_N", 10)
    for module, name, value in ((invitations, "TICK", 0.001), (joining, "PAUSE", 0.001), (invitations, "NEWS_SECONDS", 0.01)):
        monkeypatch.setattr(module, name, value)
    tasks = TaskSet(lambda task, error: pytest.fail(f"{task}: {error!r}"))
    desk = Desk(tmp_path / "desk", tasks)
    shown = await desk.invite()
    screen = invite_run._Screen(desk.commands.run, dict(shown), as_json=True)
    running = asyncio.create_task(screen.run())
    async with asyncio.timeout(10):
        for name in ("one", "two"):
            with pytest.raises(PairingRefused) as refused:
                await join(Carrier(desk.window), tmp_path / name, Ticket.of_code(read_code(shown["code"])), name)
            assert refused.value.reason == "declined"
    running.cancel()
    await asyncio.wait([running])
    await screen.aclose()
    await tasks.aclose()
    assert capfd.readouterr().err.count("Nobody is here to answer") == 2


async def test_an_invitation_that_is_not_wanted_any_more_before_it_is_shown_ends_in_silence(state, capfd):
    folder = TrustState(state[0])
    lock, loop = folder.lock(), asyncio.get_running_loop()
    inviting = asyncio.create_task(invite_run.run(folder.folder, 0, ("lo",), yes=False, code=True, as_json=False))
    for _ in range(5):
        await asyncio.sleep(0)
    # What SIGINT and SIGTERM do.
    inviting.cancel()
    assert await inviting is False
    for number in (signal.SIGINT, signal.SIGTERM):
        assert loop.remove_signal_handler(number)
    lock.release()
    assert capfd.readouterr() == ("", "")
