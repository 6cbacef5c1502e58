"""The messages of pairing as they travel: JSON objects of at most 4 KiB from the joiner, in the bodies of ``POST /pair``.

PAIR1 and PAIR3 come from the joiner, PAIR2 and PAIR4 are the answers; "wait" stands for PAIR4 while a person decides, and "done" says that
the joiner has written everything down. Nothing in them names anybody.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from enum import StrEnum
from typing import Any, Literal

import attrs

from hallway.protocol import jsontext
from hallway.trust.claims import Claims, b64, unb64, wrong
from hallway.trust.reasons import Reason, refused

KIND = "pair"
"""The kind of its envelopes."""
CONTENT_TYPE = "application/json"
VERSION = 1
MAX_REQUEST = 4096
"""Bytes of what a joiner sends, at most."""
MAX_ANSWER = 384 * 1024
"""Bytes of PAIR4, which has the whole roster, at most."""
PAKE_BYTES = 33
SESSION_BYTES = 16
HASH_BYTES = 32

Way = Literal["invitation", "code"]
"""What the joiner has."""


class No(StrEnum):
    """Why a joiner is turned away: the whole of what it is told."""

    CLOSED = "closed"
    """No window is open, or not any more."""
    BUSY = "busy"
    """Another joiner is at it."""
    USED = "used"
    """The invitation has let a device in."""
    FORM = "form"
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """It does not know the token of this invitation."""
    WRONG = "wrong"
    """It does not know the code."""
    SESSION = "session"
    """It has waited too long, or the other end has begun anew."""
    NAME = "name"
    """Another device has that name."""
    REVOKED = "revoked"
    """The key was revoked."""
    FULL = "full"
    """The property has as many devices as it may have."""
    DECLINED = "declined"
    """The person said no."""
    FAILED = "failed"
    """The other device could not write it down."""


@attrs.frozen
class First:
    """PAIR1: which key joins (its hash), what it has, and its half of the key exchange. ``mac`` is there for an invitation only."""

    way: Way
    joiner: bytes
    pake: bytes
    mac: bytes | None = None

    def body(self) -> bytes:
        """Its bytes."""
        mac = {} if self.mac is None else {"mac": b64(self.mac)}
        return _body("pair1", way=self.way, key=b64(self.joiner), pake=b64(self.pake), **mac)

    def mac_of(self, token: bytes) -> bytes:
        """What proves that its sender knows the token: HMAC-SHA256 (RFC 2104)."""
        return hmac.digest(token, b"hallway 1 pair" + self.joiner + self.pake, "sha256")


@attrs.frozen
class Second:
    """PAIR2: the session and the other half."""

    session: bytes
    pake: bytes

    def body(self) -> bytes:
        """Its bytes."""
        return _body("pair2", session=b64(self.session), pake=b64(self.pake))


@attrs.frozen
class Third:
    """PAIR3: the joiner's proof that it has the key, and what it says under it."""

    session: bytes
    confirm: bytes
    sealed: bytes

    def body(self) -> bytes:
        """Its bytes."""
        return _body("pair3", session=b64(self.session), confirm=b64(self.confirm), sealed=b64(self.sealed))


@attrs.frozen
class Fourth:
    """PAIR4: the same in the other direction."""

    confirm: bytes
    sealed: bytes

    def body(self) -> bytes:
        """Its bytes."""
        return _body("pair4", confirm=b64(self.confirm), sealed=b64(self.sealed))


@attrs.frozen
class Done:
    """The joiner has everything on disk."""

    session: bytes
    confirm: bytes

    def body(self) -> bytes:
        """Its bytes."""
        return _body("done", session=b64(self.session), confirm=b64(self.confirm))


@attrs.frozen
class Wait:
    """A person decides: ask again."""

    def body(self) -> bytes:
        """Its bytes."""
        return _body("wait")


def key_hash(identity: bytes) -> bytes:
    """How PAIR1 names the joiner's key: another hash than the one that members know it by."""
    return hashlib.sha256(b"hallway 1 pair key" + identity).digest()


def read_request(body: bytes) -> First | Third | Done:
    """Read what a joiner sends. Raises `Untrusted` if it is nothing of the kind."""
    claims = _claims(body, MAX_REQUEST)
    match claims.text("t", 8):
        case "pair1":
            way = _way(claims)
            mac = claims.octets("mac", HASH_BYTES) if way == "invitation" else None
            return First(way, claims.octets("key", HASH_BYTES), claims.octets("pake", PAKE_BYTES), mac)
        case "pair3":
            return Third(claims.octets("session", SESSION_BYTES), claims.octets("confirm", HASH_BYTES), _sealed(claims, MAX_REQUEST))
        case "done":
            return Done(claims.octets("session", SESSION_BYTES), claims.octets("confirm", HASH_BYTES))
    raise wrong("t")


def read_answer(body: bytes) -> Second | Fourth | Wait | Done:
    """Read what the inviting device answers; to "done" it says the same. Raises `Untrusted` if it is nothing of the kind."""
    claims = _claims(body, MAX_ANSWER)
    match claims.text("t", 8):
        case "pair2":
            return Second(claims.octets("session", SESSION_BYTES), claims.octets("pake", PAKE_BYTES))
        case "pair4":
            return Fourth(claims.octets("confirm", HASH_BYTES), _sealed(claims, MAX_ANSWER))
        case "wait":
            return Wait()
        case "done":
            return Done(claims.octets("session", SESSION_BYTES), claims.octets("confirm", HASH_BYTES))
    raise wrong("t")


def read_content(octets: bytes) -> Claims:
    """The object that was sealed. Raises `Untrusted`."""
    try:
        value = jsontext.loads(octets)
    except jsontext.BadJson as error:
        raise refused(Reason.FORM, "what was sealed is not JSON") from error
    if not isinstance(value, dict):
        raise refused(Reason.FORM, "what was sealed is no object")
    return Claims(value)


def _claims(body: bytes, limit: int) -> Claims:
    if len(body) > limit:
        raise refused(Reason.SIZE, f"a message of pairing has {len(body)} bytes; {limit} are allowed")
    claims = read_content(body)
    if claims.number("v") != VERSION:
        raise wrong("v")
    return claims


def _way(claims: Claims) -> Way:
    match claims.text("way", 16):
        case "invitation":
            return "invitation"
        case "code":
            return "code"
    raise wrong("way")


def _sealed(claims: Claims, limit: int) -> bytes:
    try:
        return unb64(claims.text("sealed", limit))
    except ValueError as error:
        raise wrong("sealed") from error


def _body(kind: str, **fields: Any) -> bytes:
    return json.dumps({"v": VERSION, "t": kind, **fields}, separators=(",", ":")).encode()
