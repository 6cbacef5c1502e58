"""The key that two devices make from a token or a code that both know: SPAKE2, and what follows from it by HKDF (RFC 5869).

The library is not constant-time: whoever answers strangers paces the answers (`hallway.runtime.membership.invitations`).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B
from spake2.ed25519_basic import NotOnCurve
from spake2.spake2 import SPAKEError

from hallway.trust.keys import KEY_BYTES, Random, _Secret
from hallway.trust.pairing_wire import First, Second, Way
from hallway.trust.reasons import Reason, refused

Side = Literal["joiner", "admin"]

_WINDOW = b"hallway 1 pair window"
_NONCE = bytes(12)
"""Every sealing key seals one thing only."""


def password(way: Way, secret: bytes) -> bytes:
    """What SPAKE2 gets: a token never passes for a code."""
    return f"hallway 1 {way}:".encode() + secret


class Exchange(_Secret):
    """One end of one run. ``message`` goes to the other end."""

    __slots__ = ("_run", "_side", "message")

    def __init__(self, side: Side, secret: bytes, joiner: bytes, random: Random) -> None:
        self._side = side
        made = SPAKE2_A if side == "joiner" else SPAKE2_B
        self._run: Any = made(secret, idA=joiner, idB=_WINDOW, entropy_f=random)
        self.message: bytes = self._run.start()

    def finish(self, first: First, second: Second) -> PairKeys:
        """The keys of this run.

        Raises:
            Untrusted: what the other end has sent is no half of an exchange.

        """
        theirs = second.pake if self._side == "joiner" else first.pake
        try:
            shared = self._run.finish(theirs)
        except (SPAKEError, NotOnCurve, ValueError, AssertionError) as error:
            raise refused(Reason.FORM, "the other end's half of the key exchange is none") from error
        transcript = b"".join(hashlib.sha256(body).digest() for body in (first.body(), second.body()))
        return PairKeys(shared, hashlib.sha256(transcript).digest())

    def __repr__(self) -> str:
        return "Exchange()"


class PairKeys(_Secret):
    """The keys of one run; ``transcript`` is the hash of the two messages that made them."""

    __slots__ = ("_shared", "transcript")

    def __init__(self, shared: bytes, transcript: bytes) -> None:
        self._shared = shared
        self.transcript = transcript

    def confirm(self, side: Side) -> bytes:
        """What proves to the other end that ``side`` has the same keys."""
        return self._derive(f"confirm {side}")

    def is_confirmed(self, side: Side, proof: bytes) -> bool:
        """Whether ``proof`` is that."""
        return hmac.compare_digest(self.confirm(side), proof)

    def done(self) -> bytes:
        """What proves that the joiner has everything."""
        return self._derive("done")

    def seal(self, side: Side, octets: bytes) -> bytes:
        """Seal the one thing that ``side`` says."""
        return self._aead(side).encrypt(_NONCE, octets, self.transcript)

    def unseal(self, side: Side, sealed: bytes) -> bytes:
        """What `seal` has sealed. Raises `Untrusted` if it was changed."""
        try:
            return self._aead(side).decrypt(_NONCE, sealed, self.transcript)
        except InvalidTag as error:
            raise refused(Reason.SEAL, "what was sealed in pairing has been changed") from error

    def _aead(self, side: Side) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(self._derive(f"seal {side}"))

    def _derive(self, use: str) -> bytes:
        return HKDF(SHA256(), KEY_BYTES, salt=self.transcript, info=f"hallway 1 pair {use}".encode()).derive(self._shared)

    def __repr__(self) -> str:
        return f"PairKeys({self.transcript.hex()[:8]})"
