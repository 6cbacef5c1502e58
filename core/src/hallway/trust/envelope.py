"""The sealed envelope, the same for every carrier::

    ver(1) = 1 | kid(4) | nonce(12) | ChaCha20Poly1305(k_sig, content padded to 512-byte steps, aad = ver | kid | to_tag(8))

(RFC 8439.) The content is ``message~leaf`` or ``message~leaf~admin``: what is signed, and the chain of who signed
it. ``to_tag`` is not sent:
the receiver knows its own, so an envelope for another device opens here no more than an outsider's does.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag

from hallway.trust.group import KID_BYTES, GroupSecret
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster_book import HeldSecret

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
"""Of the AEAD (RFC 8439 section 2.8)."""
STEP = 512
"""Octets: a multiple of it is all that the size of an envelope tells."""
OVERHEAD = len(VERSION) + KID_BYTES + NONCE_BYTES + TAG_BYTES
MAX_ENVELOPE = 32 * 1024
"""Octets of an envelope, at most."""
MAX_CONTENT = (MAX_ENVELOPE - OVERHEAD) // STEP * STEP
MIN_ENVELOPE = OVERHEAD + STEP
MAX_PARTS = 3

_HEAD = len(VERSION) + KID_BYTES


def seal(secret: GroupSecret, to: str, parts: tuple[str, ...], nonce: bytes) -> bytes:
    """The envelope with ``parts`` for the device with the key id ``to``. ``nonce``: 12 octets that were never used with that secret.

    Raises:
        Untrusted: it would be larger than any device takes (``size``).

    """
    content = "~".join(parts).encode()
    if len(content) > MAX_CONTENT:
        raise refused(Reason.SIZE, f"what is to be sealed has {len(content)} bytes; {MAX_CONTENT} fit")
    head = VERSION + secret.kid
    padded = content.ljust(-(-len(content) // STEP) * STEP, b"\0")
    return head + nonce + secret.aead.encrypt(nonce, padded, head + secret.tag(to))


def open_sealed(body: bytes, device: str, held: Callable[[bytes], HeldSecret | None]) -> tuple[HeldSecret, tuple[str, ...]]:
    """The parts of an envelope for the device with that key id, and the secret that it is sealed with. ``held`` finds a secret by its hint.

    Raises:
        Untrusted: ``size``, ``form``, ``kid`` or ``seal``.

    """
    if not MIN_ENVELOPE <= len(body) <= MAX_ENVELOPE:
        raise refused(Reason.SIZE, f"an envelope has {len(body)} bytes; {MIN_ENVELOPE} to {MAX_ENVELOPE} are possible")
    if body[:1] != VERSION or (len(body) - OVERHEAD) % STEP:
        raise refused(Reason.FORM, "an envelope is not of version 1")
    found = held(body[1:_HEAD])
    if found is None:
        raise refused(Reason.KID, "an envelope is sealed with a group secret that this device does not hold")
    nonce, sealed = body[_HEAD : _HEAD + NONCE_BYTES], body[_HEAD + NONCE_BYTES :]
    try:
        padded = found.secret.aead.decrypt(nonce, sealed, body[:_HEAD] + found.secret.tag(device))
    except InvalidTag as error:
        raise refused(Reason.SEAL, "an envelope is not sealed for this device by a member") from error
    return found, _parts(padded)


def _parts(padded: bytes) -> tuple[str, ...]:
    content = padded.rstrip(b"\0")
    try:
        parts = tuple(content.decode("ascii").split("~"))
    except UnicodeDecodeError as error:
        raise refused(Reason.FORM, "what an envelope holds is not text") from error
    if len(padded) - len(content) >= STEP or not 2 <= len(parts) <= MAX_PARTS:
        raise refused(Reason.FORM, "what an envelope holds is not a message and its chain")
    return parts
