"""The group secret and what follows from it (HKDF, RFC 5869). It gives privacy and cheap filtering, and no authority whatsoever."""

from __future__ import annotations

import hmac
from typing import Self

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hallway.trust.keys import KEY_BYTES, Random, _Secret

KID_BYTES = 4
TAG_BYTES = 8
ROOM_BYTES = 16


def _derived(secret: bytes, use: str, size: int) -> bytes:
    return HKDF(SHA256(), size, salt=None, info=f"hallway 1 {use}".encode()).derive(secret)


class GroupSecret(_Secret):
    """The 32 octets that the members of an epoch share, and the keys derived from them."""

    __slots__ = ("_disc", "_raw", "_tag", "_tagged", "aead", "kid", "room")

    def __init__(self, raw: bytes) -> None:
        """The secret ``raw``.

        Raises:
            ValueError: it has not 32 octets.

        """
        if len(raw) != KEY_BYTES:
            raise ValueError("a group secret has 32 octets")
        self._raw = raw
        self.aead = ChaCha20Poly1305(_derived(raw, "sig", KEY_BYTES))
        self.kid = _derived(raw, "kid", KID_BYTES)
        """The hint by which an envelope says what it is sealed with."""
        self.room = _derived(raw, "room", ROOM_BYTES).hex()
        """The room of the cloud server in which the members meet."""
        self._disc = _derived(raw, "disc", KEY_BYTES)
        self._tag = _derived(raw, "tag", KEY_BYTES)
        self._tagged = ("", b"")

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A new one."""
        return cls(random(KEY_BYTES))

    def apart(self, use: str) -> GroupSecret:
        """Another one, which follows from this one: members that use it for ``use`` meet each other, and nobody who uses this one."""
        return GroupSecret(_derived(self._raw, f"apart {use}", KEY_BYTES))

    def raw(self) -> bytes:
        """The secret octets, for a file or for sealing them to a member."""
        return self._raw

    def tag(self, device: str) -> bytes:
        """How the device with the key id ``device`` is addressed where others can see it: eight octets, others in each epoch."""
        # Whatever comes in is for one device: an outsider's envelope is to cost as little as can be.
        known, tag = self._tagged
        if known != device:
            tag = hmac.digest(self._tag, device.encode(), "sha256")[:TAG_BYTES]
            self._tagged = device, tag
        return tag

    def beacon_mac(self, message: bytes) -> bytes:
        """HMAC-SHA256 (RFC 2104) over what a beacon says."""
        return hmac.digest(self._disc, message, "sha256")

    def same(self, other: GroupSecret) -> bool:
        """Whether both are one secret."""
        return hmac.compare_digest(self._raw, other._raw)

    def __repr__(self) -> str:
        return f"GroupSecret({self.kid.hex()})"
