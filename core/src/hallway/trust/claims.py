"""Reading the claims of a verified payload: each is there, of its type and in its range, or the payload is refused."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from hallway.trust.reasons import Reason, refused

Made = TypeVar("Made")

KEY_ID = re.compile(r"d[a-z2-7]{26}")
"""What names a key (`hallway.trust.keys.key_id`)."""
MAX_NUMBER = (1 << 53) - 1
"""Whole numbers that every JSON reader keeps exact (RFC 8259 section 6)."""


def b64(octets: bytes) -> str:
    """``octets`` in base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The octets of ``text``, in the one form that `b64` writes.

    Raises:
        ValueError: it is in another form.

    """
    try:
        octets = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error
    if b64(octets) != text:
        raise ValueError("not base64url in its shortest form")
    return octets


@attrs.frozen
class Claims:
    """The claims of one object. Every method raises `Untrusted` (``claims``) if the claim is not as asked for."""

    values: Mapping[str, Any] = attrs.field(repr=False)
    """They may be a file of private keys: no log and no traceback shows them."""

    def text(self, name: str, limit: int) -> str:
        """A text of 1 to ``limit`` characters."""
        value = self.values.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= limit or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise wrong(name)
        return value

    def key_id(self, name: str) -> str:
        """The name of a key."""
        value = self.values.get(name)
        if not isinstance(value, str) or KEY_ID.fullmatch(value) is None:
            raise wrong(name)
        return value

    def number(self, name: str) -> int:
        """A whole number from 0."""
        value = self.values.get(name)
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            raise wrong(name)
        return value

    def octets(self, name: str, size: int) -> bytes:
        """Exactly ``size`` octets, in base64url."""
        value = self.values.get(name)
        # A bound before the work: base64 has four characters for three octets.
        if not isinstance(value, str) or len(value) > 2 * size:
            raise wrong(name)
        try:
            octets = unb64(value)
        except ValueError as error:
            raise wrong(name) from error
        if len(octets) != size:
            raise wrong(name)
        return octets

    def has(self, name: str) -> bool:
        """Whether the claim is there."""
        return name in self.values

    def inner(self, name: str) -> Claims:
        """An object."""
        return _object(self.values.get(name), name)

    def each(self, name: str, limit: int, make: Callable[[Claims], Made]) -> tuple[Made, ...]:
        """What ``make`` makes of each object in a list of at most ``limit``."""
        return tuple(make(_object(item, name)) for item in self._listed(name, limit))

    def texts(self, name: str, limit: int, size: int) -> tuple[str, ...]:
        """A list of at most ``limit`` texts of at most ``size`` characters."""
        items = self._listed(name, limit)
        if not all(isinstance(item, str) and len(item) <= size for item in items):
            raise wrong(name)
        return tuple(items)

    def _listed(self, name: str, limit: int) -> list[Any]:
        value = self.values.get(name)
        if not isinstance(value, list) or len(value) > limit:
            raise wrong(name)
        return value


def wrong(name: str) -> Exception:
    """The error for a claim that is not as it must be."""
    return refused(Reason.CLAIMS, f"the claim {name!r} is missing or not as it must be")


def _object(value: Any, name: str) -> Claims:
    if not isinstance(value, dict):
        raise wrong(name)
    return Claims(value)
