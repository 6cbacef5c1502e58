"""What `hallway invite` shows to the person in front of it. That it works is seen with real devices."""

from __future__ import annotations

import pytest

from hallway.cli.invite_run import _Screen, _sentence

INVITATION = "HW1:TLCMQLUN6EPFLZ2TYV7OCURK5EBSOWNHVJ77NNY2ZONFLAYLAMNA:FFBPEIFLW6U2WOZFOYR6FM6UDE:192.168.1.20.8090:2XQK"
OPENED = {"invitation": INVITATION, "code": "1234-5678", "hosts": ["192.168.1.20:8090"], "expires": 1e9, "property": "Sea View"}
TERMINAL_ROWS = 24


def screen(**changes):
    async def ask(command):
        return {"open": False, "events": []}

    return _Screen(ask, {**OPENED, "window": 1, **changes}, as_json=False)


async def test_the_whole_qr_code_is_on_a_small_terminal_with_the_code_above_it(capsys):
    await screen().run()
    lines = capsys.readouterr().out.splitlines()
    last = lines[1 - TERMINAL_ROWS :]
    assert "or the code 1234-5678 at 192.168.1.20:8090" in last
    drawn = last[last.index("or the code 1234-5678 at 192.168.1.20:8090") + 1 :]
    assert {len(line) for line in drawn} == {41}
    assert all(set(line) <= set("█▀▄ ") for line in drawn)
    assert INVITATION in lines


async def test_the_qr_code_is_dark_on_light_whatever_the_colours_of_the_terminal(capsys, monkeypatch):
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    await screen().run()
    drawn = [line for line in capsys.readouterr().out.splitlines() if "█" in line]
    assert drawn
    assert all(line.startswith("\x1b[97m\x1b[40m") and line.endswith("\x1b[0m") for line in drawn)


async def test_without_a_code_none_is_spoken_of(capsys):
    await screen(code=None).run()
    assert "code 1" not in capsys.readouterr().out


def test_whoever_ends_the_command_hears_that_nobody_has_joined(capsys):
    shown = screen()
    shown.stop()
    assert capsys.readouterr().out == "Closed: nobody has joined.\n"
    shown.enrolled = True
    shown.stop()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("left", "says"), [(2, "2 attempts are left."), (1, "1 attempt is left."), (0, "no attempts are left.")])
def test_the_attempts_that_are_left_are_counted(left, says):
    assert _sentence({"event": "attempt", "outcome": "wrong", "left": left}) == f"Somebody tried a wrong code. {says}"
