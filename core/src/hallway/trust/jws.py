"""Signed messages: JWS compact (RFC 7515) with one algorithm, Ed25519 (RFC 8037), and one header for each purpose.

What is signed is what was sent: nothing is put into a canonical form, and nothing but a payload whose signature holds is parsed. The header
is not read at all but compared with the one that we write, so it can choose neither algorithm nor key, name no extension and hide nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWS
from jwt.exceptions import InvalidTokenError

from hallway.protocol import jsontext
from hallway.trust.claims import Claims, b64
from hallway.trust.keys import SigningKey
from hallway.trust.reasons import Reason, refused

ALGORITHM = "EdDSA"
DIGEST = 32
"""Octets of SHA-256."""

_JWS = PyJWS(algorithms=[ALGORITHM])
_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")


class Typ(StrEnum):
    """What a message is signed for (``typ``, RFC 7515 section 4.1.9), so that none passes for another."""

    CREDENTIAL = "hw-cred+jws"
    ROSTER = "hw-roster+jws"
    OFFER = "hw-offer+jws"
    ANSWER = "hw-answer+jws"
    CHALLENGE = "hw-challenge+jws"
    HELLO = "hw-hello+jws"
    PAIR = "hw-pair+jws"
    BYE = "hw-bye+jws"


_HEADERS = {typ: b64(json.dumps({"alg": ALGORITHM, "typ": typ.value}, separators=(",", ":")).encode()) for typ in Typ}


def is_for(typ: Typ, token: str) -> bool:
    """Whether ``token`` says that it is signed for ``typ``; nothing of it is verified."""
    return token.startswith(f"{_HEADERS[typ]}.")


def sign(typ: Typ, claims: Mapping[str, Any], key: SigningKey) -> str:
    """Sign ``claims``, which are JSON values, for the purpose ``typ``."""
    return _JWS.encode(jsontext.dumps(claims).encode(), key.private, algorithm=ALGORITHM, headers={"typ": typ.value})


def verify(token: str, typ: Typ, public: Ed25519PublicKey, limit: int) -> Claims:
    """The claims of ``token``, which has at most ``limit`` characters, if ``public`` signed it for ``typ``.

    Raises:
        Untrusted: it is too large, not of the form, for another purpose, not signed by that key, or its payload is not one JSON object.

    """
    if len(token) > limit:
        raise refused(Reason.SIZE, f"a signed message has {len(token)} characters; {limit} are allowed")
    if not token.isascii() or _SHAPE.fullmatch(token) is None:
        raise refused(Reason.FORM, "a signed message is not JWS compact")
    _check_header(token.partition(".")[0], typ)
    try:
        payload = _JWS.decode(token, public, algorithms=[ALGORITHM])
    except InvalidTokenError as error:
        raise refused(Reason.SIGNATURE, f"the signature of a {typ.value} does not hold") from error
    return Claims(_parse(payload))


def digest(token: str) -> bytes:
    """SHA-256 of what ``token`` signs. The signature is not part of it, nor could padding be."""
    return hashlib.sha256(token.rpartition(".")[0].encode()).digest()


def _check_header(header: str, typ: Typ) -> None:
    if header == _HEADERS[typ]:
        return
    if header in _HEADERS.values():
        raise refused(Reason.TYPE, f"it is signed for another purpose than {typ.value}")
    raise refused(Reason.HEADER, "the header of a signed message is not ours")


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload.decode(), object_pairs_hook=_without_twins, parse_constant=_no_constant, parse_float=_no_float)
        jsontext.check_depth(value)
    except (ValueError, RecursionError) as error:
        raise refused(Reason.CLAIMS, "what was signed is not JSON as we write it") from error
    if not isinstance(value, dict):
        raise refused(Reason.CLAIMS, "what was signed is not an object")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is there twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _no_float(_: str) -> None:
    raise ValueError("our claims have whole numbers only")
