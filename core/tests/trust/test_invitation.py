"""Invitations and codes as text: what is printed is read back, and no slip passes."""

from __future__ import annotations

import ipaddress
import random

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import BadInvitation
from hallway.trust.invitation import Invitation, code_text, make_code, read_code, usable

PLACE = st.tuples(st.ip_addresses(), st.integers(1, 65535))
INVITATION = st.builds(
    Invitation,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    st.lists(PLACE, min_size=1, max_size=4).map(tuple),
)
ONE = Invitation(bytes(range(32)), bytes(range(16)), ((ipaddress.ip_address("192.168.178.123"), 8090),))


@given(INVITATION)
def test_what_is_printed_is_read_back(invitation):
    text = invitation.text()
    assert Invitation.parse(text) == invitation
    assert Invitation.parse(f" {text[:40].lower()}\n {text[40:]} ") == invitation


@given(INVITATION, st.data())
def test_no_single_slip_passes(invitation, data):
    text = invitation.text()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567:./").filter(lambda letter: letter != text[place]))
    with pytest.raises(BadInvitation):
        Invitation.parse(text[:place] + other + text[place + 1 :])


@pytest.mark.fuzz
@given(st.text() | st.text("HW1:A2./", max_size=300).map("HW1:{}".format))
def test_anything_else_is_no_invitation(text):
    with pytest.raises(BadInvitation):
        Invitation.parse(text)


def test_it_fits_a_qr_code_that_a_terminal_can_show():
    code = segno.make(ONE.text(), error="m")
    assert (code.mode, code.symbol_size(border=0)[0] <= 45) == ("alphanumeric", True)
    assert len(ONE.text()) <= 122


def test_addresses_that_need_an_interface_are_left_out():
    places = [(ipaddress.ip_address(text), 8090) for text in ("fe80::1", "fd00::1", "10.0.0.1")]
    assert [str(ip) for ip, _ in usable(places)] == ["10.0.0.1", "fd00::1"]


def test_codes_have_eight_digits_whatever_they_begin_with():
    source = random.Random(1).randbytes
    codes = {make_code(source) for _ in range(2000)}
    assert {len(code) for code in codes} == {8}
    assert any(code.startswith("0") for code in codes)
    assert all(read_code(f" {code_text(code)} ") == code for code in codes)


@pytest.mark.parametrize("text", ["", "1234", "1234-56789", "1234-567x", "".join(chr(0xFF10 + digit) for digit in range(8)), "12345678:"])
def test_other_codes_are_refused(text):
    with pytest.raises(BadInvitation):
        read_code(text)
