"""What is signed in signaling: offers, answers and challenges, to and from claims."""

from __future__ import annotations

from typing import Any, Literal, Self

import attrs

from hallway.model import MAX_NAME
from hallway.trust import jws
from hallway.trust.claims import Claims, b64, wrong
from hallway.trust.jws import Typ
from hallway.trust.keys import SigningKey, verifying_key
from hallway.trust.replay import CHALLENGE_BYTES
from hallway.webrtc.sdp import MAX_SDP

VERSION = 1
SESSION_BYTES = 16
LIFE = 60
"""Seconds for which a message is meant to be of use."""
SKEW = 120
"""Seconds by which two clocks may differ."""
MAX_MESSAGE = 30 * 1024
"""Characters of one, signed."""
MAX_FINGERPRINT = 256

TYPS = {"offer": Typ.OFFER, "answer": Typ.ANSWER, "challenge": Typ.CHALLENGE}


@attrs.frozen
class Head:
    """What every message says: who to whom (key ids), which exchange, when, under which credential and roster."""

    property_id: bytes
    epoch: int
    sender: str
    to: str
    session: bytes
    issued: int
    credential: bytes
    """SHA-256 of what the issuer of the sender's credential signed."""
    roster: bytes
    """SHA-256 of the roster in force at the sender."""
    use: str = ""
    """`Membership.use`, or "" within the property: nothing that is signed for one passes for another."""

    def json(self) -> dict[str, Any]:
        """Its claims."""
        return {
            "v": VERSION,
            "pid": b64(self.property_id),
            "ep": self.epoch,
            "from": self.sender,
            "to": self.to,
            "sid": b64(self.session),
            "iat": self.issued,
            "exp": self.issued + LIFE,
            "cred": b64(self.credential),
            "rh": b64(self.roster),
            **({"use": self.use} if self.use else {}),
        }

    @classmethod
    def read(cls, claims: Claims) -> Self:
        """Read it. Raises `Untrusted` (``claims``)."""
        head = cls(
            property_id=claims.octets("pid", jws.DIGEST),
            epoch=claims.number("ep"),
            sender=claims.key_id("from"),
            to=claims.key_id("to"),
            session=claims.octets("sid", SESSION_BYTES),
            issued=claims.number("iat"),
            credential=claims.octets("cred", jws.DIGEST),
            roster=claims.octets("rh", jws.DIGEST),
            use=claims.text("use", MAX_NAME) if claims.has("use") else "",
        )
        if claims.number("v") != VERSION:
            raise wrong("v")
        if claims.number("exp") != head.issued + LIFE:
            raise wrong("exp")
        return head


@attrs.frozen
class Message:
    """An offer, an answer or a challenge. ``digest`` is SHA-256 of what was signed, b"" for one that is not signed yet.

    ``answers`` is the digest of the offer that an answer or a challenge is about; ``challenge`` is what an offer gives back, or a challenge
    asks for; the rest is of offers and answers. ``capabilities``: the highest wire version and the epoch of the sender's start.
    """

    type: Literal["offer", "answer", "challenge"]
    head: Head
    kind: str = ""
    sdp: str = ""
    fingerprint: str = ""
    capabilities: tuple[int, str] | None = None
    answers: bytes | None = None
    challenge: bytes | None = None
    digest: bytes = b""

    def sign(self, key: SigningKey) -> tuple[str, bytes]:
        """The signed message and its digest."""
        claims = self.head.json()
        if self.capabilities is not None:
            wire, start = self.capabilities
            claims |= {"sdp": self.sdp, "fp": self.fingerprint, "cap": {"v": wire, "epoch": start, "kind": self.kind}}
        if self.answers is not None:
            claims["oh"] = b64(self.answers)
        if self.challenge is not None:
            claims["ch"] = b64(self.challenge)
        token = jws.sign(TYPS[self.type], claims, key)
        return token, jws.digest(token)


def read_message(token: str, kind: Literal["offer", "answer", "challenge"], public: bytes) -> Message:
    """Verify and read a message that the holder of ``public`` should have signed.

    Raises:
        Untrusted: it did not, or not for this, or a claim is not as it must be.

    """
    claims = jws.verify(token, TYPS[kind], verifying_key(public), MAX_MESSAGE)
    answers = claims.octets("oh", jws.DIGEST) if kind != "offer" else None
    needs_challenge = kind == "challenge" or (kind == "offer" and claims.has("ch"))
    challenge = claims.octets("ch", CHALLENGE_BYTES) if needs_challenge else None
    head, digest = Head.read(claims), jws.digest(token)
    if kind == "challenge":
        return Message(kind, head, answers=answers, challenge=challenge, digest=digest)
    return Message(kind, head, **_content(claims), answers=answers, challenge=challenge, digest=digest)


def _content(claims: Claims) -> dict[str, Any]:
    able = claims.inner("cap")
    wire = able.number("v")
    if wire < 1:
        raise wrong("cap")
    return {
        "sdp": claims.text("sdp", MAX_SDP),
        "fingerprint": claims.text("fp", MAX_FINGERPRINT),
        "kind": able.text("kind", MAX_NAME),
        "capabilities": (wire, able.text("epoch", MAX_NAME)),
    }
