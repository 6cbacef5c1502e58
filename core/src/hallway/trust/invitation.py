"""Invitations: what a QR code or a line of text carries from the device that invites to the one that joins, and the short code.

``HW1:<SHA-256 of the admin's key>:<token>:<addresses>:<checksum>``, in the characters that a QR code packs best (alphanumeric mode of
ISO/IEC 18004): base32 (RFC 4648) without padding; addresses as ``10.0.0.7.8090``, or 32 hexadecimal digits and the port for IPv6, joined
by ``/``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable

import attrs

from hallway.errors import BadInvitation
from hallway.network.interfaces import Address
from hallway.trust.keys import Random

VERSION = "HW1"
FIELDS = 5
TOKEN_BYTES = 16
HASH_BYTES = 32
MAX_ADDRESSES = 4
"""Addresses in one: with four of IPv4 the QR code is still read from a terminal."""
MAX_TEXT = 400
CODE_DIGITS = 8

_CHECKSUM = 4
_RETYPE = "copy it whole, as `hallway invite` has printed it: it begins with HW1:"

Place = tuple[Address, int]
"""An address and a port."""


@attrs.frozen
class Invitation:
    """What an invitation says. The token is a secret: whoever has it may join once."""

    admin: bytes
    """SHA-256 of the inviting admin's public key."""
    token: bytes = attrs.field(repr=False)
    places: tuple[Place, ...]

    def text(self) -> str:
        """Its text, upper case, without spaces."""
        places = "/".join(_place_text(place) for place in self.places[:MAX_ADDRESSES])
        head = f"{VERSION}:{_b32(self.admin)}:{_b32(self.token)}:{places}"
        return f"{head}:{_checksum(head)}"

    @staticmethod
    def is_cut_off(text: str) -> bool:
        """Whether ``text`` is the beginning of an invitation: what was copied from a narrow screen comes line by line."""
        plain = "".join(text.split())
        fields = plain.split(":")
        return plain.upper().startswith(VERSION) and (len(fields) < FIELDS or (len(fields) == FIELDS and len(fields[-1]) < _CHECKSUM))

    @classmethod
    def parse(cls, text: str) -> Invitation:
        """Read the text of an invitation; case, spaces and line breaks do not matter.

        Raises:
            BadInvitation: it is none, of another version, or has been changed on its way.

        """
        plain = "".join(text.split()).upper()
        if not plain.isascii() or len(plain) > MAX_TEXT or not plain.startswith("HW"):
            raise BadInvitation("this is no invitation", hint=_RETYPE)
        if not plain.startswith(f"{VERSION}:"):
            raise BadInvitation("this invitation is of another version of hallway", hint="update hallway on both devices")
        head, _, checksum = plain.rpartition(":")
        if not hmac.compare_digest(checksum, _checksum(head)):
            raise BadInvitation("the invitation has a slip in it: its checksum does not fit", hint=_RETYPE)
        parts = head.split(":")
        if len(parts) != 4:
            raise BadInvitation("the invitation has too many or too few parts", hint=_RETYPE)
        admin, token = _unb32(parts[1], HASH_BYTES), _unb32(parts[2], TOKEN_BYTES)
        places = tuple(_place(place) for place in parts[3].split("/") if place)
        if not 0 < len(places) <= MAX_ADDRESSES:
            raise BadInvitation("the invitation names no address, or too many", hint=_RETYPE)
        return cls(admin, token, places)


def make_code(random: Random) -> str:
    """A short code that nobody can foresee: eight digits."""
    # 2**64 is so much larger than 10**8 that no digit is favoured by more than 1e-11.
    return f"{int.from_bytes(random(8)) % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def code_text(code: str) -> str:
    """A short code as people read it: ``1234-5678``."""
    return f"{code[:4]}-{code[4:]}"


def read_code(text: str) -> str:
    """The eight digits of a code as people write it.

    Raises:
        BadInvitation: they are not eight digits.

    """
    digits = re.sub(r"[\s-]", "", text)
    if len(digits) != CODE_DIGITS or not digits.isascii() or not digits.isdigit():
        raise BadInvitation("a code has eight digits", hint="type it as `hallway invite` shows it, such as 1234-5678")
    return digits


def key_hash(public: bytes) -> bytes:
    """How an invitation names the admin's key."""
    return hashlib.sha256(public).digest()


def usable(places: Iterable[Place]) -> tuple[Place, ...]:
    """Those of ``places`` that an invitation can carry, IPv4 first, the first few of them."""
    plain = [place for place in places if not (place[0].version == 6 and place[0].is_link_local)]
    return tuple(sorted(plain, key=lambda place: place[0].version)[:MAX_ADDRESSES])


def _place_text(place: Place) -> str:
    ip, port = place
    return f"{ip.packed.hex().upper()}.{port}" if ip.version == 6 else f"{ip}.{port}"


def _place(text: str) -> Place:
    host, _, port = text.rpartition(".")
    try:
        number = int(port) if port.isdigit() else 0
        if not 0 < number < 65536 or len(port) > 5:
            raise ValueError("no port")
        if re.fullmatch(r"[0-9A-F]{32}", host):
            return ipaddress.IPv6Address(bytes.fromhex(host)), number
        return ipaddress.IPv4Address(host), number
    except ValueError as error:
        raise BadInvitation("an address in the invitation is none", hint=_RETYPE) from error


def _b32(octets: bytes) -> str:
    return base64.b32encode(octets).decode().rstrip("=")


def _unb32(text: str, size: int) -> bytes:
    try:
        octets = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise BadInvitation("a part of the invitation is not base32", hint=_RETYPE) from error
    if len(octets) != size or _b32(octets) != text:
        raise BadInvitation("a part of the invitation has another length", hint=_RETYPE)
    return octets


def _checksum(head: str) -> str:
    return _b32(hashlib.sha256(head.encode()).digest())[:_CHECKSUM]
