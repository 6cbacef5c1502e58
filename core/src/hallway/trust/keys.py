"""The keys of a device and of a property, and how they are named.

A private key shows itself to nobody: not in ``repr``, in a log, in a traceback or in a pickle. Its octets leave by ``raw`` only, for a file
that nobody else can read (`hallway.trust.state`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import NoReturn, Self

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hallway.trust.reasons import Reason, refused

Random = Callable[[int], bytes]
"""So many octets that nobody can guess (`secrets.token_bytes`)."""

KEY_BYTES = 32
"""Octets of every key here, private or public (RFC 8032, RFC 7748)."""
SEAL_BYTES = 48
"""Octets that `seal_to` adds: an ephemeral public key and a tag (RFC 9180)."""
_PROBE = X25519PrivateKey.from_private_bytes(bytes(range(KEY_BYTES)))

_PRIME = 2**255 - 19
_Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_SMALL_ORDER = frozenset(y.to_bytes(KEY_BYTES, "little") for y in (0, 1, _Y8, _PRIME - _Y8, _PRIME - 1, _PRIME, _PRIME + 1))
"""The points of edwards25519 whose order divides 8, in each way in which they can be written, without the sign (RFC 8032 section 5.1)."""
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def key_id(public: bytes) -> str:
    """The name of a key: ``d`` and 130 bits of SHA-256 of its public half, in base32 (RFC 4648), in lower case."""
    return "d" + base64.b32encode(hashlib.sha256(public).digest()).decode()[:26].lower()


def verifying_key(public: bytes) -> Ed25519PublicKey:
    """The key that checks what the holder of ``public`` signs.

    Raises:
        Untrusted: it is no Ed25519 key, or one of small order, which anybody can sign with.

    """
    if len(public) == KEY_BYTES and public[:-1] + bytes([public[-1] & 0x7F]) in _SMALL_ORDER:
        raise refused(Reason.CLAIMS, "a public key is of small order")
    try:
        return Ed25519PublicKey.from_public_bytes(public)
    except ValueError as error:
        raise refused(Reason.CLAIMS, "a public key is not one") from error


def seal_to(public: bytes, octets: bytes, info: bytes) -> bytes:
    """Seal ``octets`` so that only the holder of the X25519 key ``public`` reads them, and only for ``info`` (HPKE base mode, RFC 9180).

    Raises:
        Untrusted: nothing can be sealed to that key (one of low order).

    """
    try:
        return _SUITE.encrypt(octets, X25519PublicKey.from_public_bytes(public), info)
    except ValueError as error:
        raise refused(Reason.CLAIMS, "a public key cannot be sealed to") from error


def check_sealing(public: bytes) -> None:
    """Raise `Untrusted` if nothing can be sealed to that key."""
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise refused(Reason.CLAIMS, "a public key cannot be sealed to") from error


class _Secret:
    """What must not be seen."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not to be copied out of this process")


class SigningKey(_Secret):
    """An Ed25519 key: a device's identity, or a property's root."""

    __slots__ = ("id", "private", "public")

    def __init__(self, raw: bytes) -> None:
        """The key with the private octets ``raw`` (RFC 8032 section 5.1.5)."""
        self.private = Ed25519PrivateKey.from_private_bytes(raw)
        self.public = self.private.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A new one."""
        return cls(random(KEY_BYTES))

    def raw(self) -> bytes:
        """The private octets, for a file."""
        return self.private.private_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


class SealingKey(_Secret):
    """An X25519 key: others seal to it what only this device may read."""

    __slots__ = ("_private", "public")

    def __init__(self, raw: bytes) -> None:
        """The key with the private octets ``raw`` (RFC 7748 section 5)."""
        self._private = X25519PrivateKey.from_private_bytes(raw)
        self.public = self._private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A new one."""
        return cls(random(KEY_BYTES))

    def raw(self) -> bytes:
        """The private octets, for a file."""
        return self._private.private_bytes_raw()

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """What `seal_to` has sealed to this key for ``info``.

        Raises:
            Untrusted: it was sealed to another key, for something else, or has been changed.

        """
        try:
            return _SUITE.decrypt(sealed, self._private, info)
        except (InvalidTag, ValueError) as error:
            raise refused(Reason.SEAL, "it was not sealed to this device for this use") from error

    def __repr__(self) -> str:
        return f"SealingKey({key_id(self.public)})"


@attrs.frozen
class DeviceKeys:
    """The two keys of a device."""

    identity: SigningKey
    sealing: SealingKey

    @classmethod
    def generate(cls, random: Random) -> Self:
        """New ones."""
        return cls(SigningKey.generate(random), SealingKey.generate(random))

    @property
    def id(self) -> str:
        """The key id of the device."""
        return self.identity.id
