"""What `hallway invite` shows to the person in front of it. That it works is seen with real devices."""

from __future__ import annotations

import ipaddress

import pytest

from hallway.cli.invite_run import _Screen, _sentence
from hallway.trust.invitation import MAX_ADDRESSES, Invitation

INVITATION = "HW1:TLCMQLUN6EPFLZ2TYV7OCURK5EBSOWNHVJ77NNY2ZONFLAYLAMNA:FFBPEIFLW6U2WOZFOYR6FM6UDE:192.168.1.20.8090:2XQK"
OPENED = {"invitation": INVITATION, "code": "1234-5678", "hosts": ["192.168.1.20:8090"], "expires": 1e9, "property": "Sea View"}
TERMINAL_ROWS = 24


def screen(**changes):
    async def ask(command):
        return {"open": False, "events": []}

    return _Screen(ask, {**OPENED, "window": 1, **changes}, as_json=False)


@pytest.mark.parametrize("addresses", [1, MAX_ADDRESSES])
async def test_the_whole_qr_code_is_on_a_small_terminal(capsys, addresses):
    places = tuple((ipaddress.ip_address(f"192.168.177.{200 + n}"), 8090) for n in range(addresses))
    text = Invitation(bytes(32), bytes(16), places).text()
    await screen(invitation=text).run()
    lines = capsys.readouterr().out.splitlines()
    drawn = lines[lines.index("or the code 1234-5678 at 192.168.1.20:8090") + 1 :]
    assert len(drawn) < TERMINAL_ROWS
    assert len({len(line) for line in drawn}) == 1
    assert all(set(line) <= set("█▀▄ ") for line in drawn)
    assert text in lines


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
