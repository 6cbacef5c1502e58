"""Why something is not trusted: one word each, for counters, logs and refusals."""

from __future__ import annotations

from enum import StrEnum

from hallway.errors import Untrusted


class Reason(StrEnum):
    """The words, from the cheapest check to the dearest."""

    SIZE = "size"
    """Larger than it may be, or too small to be anything."""
    FORM = "form"
    """Not of the shape that its version has."""
    KID = "kid"
    """Sealed with a group secret that this device does not hold: an outsider's, or of an epoch that is too old or too new."""
    SEAL = "seal"
    """Not sealed by a holder of the group secret for this device."""
    HEADER = "header"
    """A JWS header other than the one that we write: another algorithm, ``crit``, a key of its own."""
    TYPE = "type"
    """Signed for another purpose: a credential shown as an offer, or an offer of a bench shown to the property."""
    SIGNATURE = "signature"
    CLAIMS = "claims"
    """Signed, and yet a claim is missing, twice there, or out of its range."""
    PROPERTY = "property"
    """Of another property."""
    CHAIN = "chain"
    """No chain of credentials from the property's root."""
    ISSUER = "issuer"
    """The issuer may not issue this."""
    CREDENTIAL_EXPIRED = "credential-expired"
    SENDER = "from"
    """Signed by another than it names, or by this device itself."""
    TO = "to"
    """Meant for another device."""
    EARLY = "early"
    """Signed in the future: one of the two clocks is wrong."""
    EXPIRED = "expired"
    """Signed too long ago, or one of the two clocks is wrong."""
    CHALLENGE = "challenge"
    """Its challenge is not one that this device has given out."""
    REPLAY = "replay"
    FULL = "full"
    """The sender has used up its share of what this device remembers."""
    REVOKED = "revoked"
    STALE = "stale"
    """Sealed with a group secret of an earlier epoch: the sender needs the roster."""
    ROLE = "role"
    NAME = "name"
    """Another member has that device name."""
    DESCRIPTION = "description"
    """The policy for descriptions forbids it."""
    FINGERPRINT = "fingerprint"
    """Another certificate than was signed for."""
    ANSWER = "answer"
    """It answers no offer that waits."""
    BINDING = "binding"
    """The channel cannot say which certificates it was made with."""
    HELLO = "hello"
    """HELLO is of another exchange of descriptions."""
    ROLLBACK = "rollback"
    """A roster that is older than the one in force, and brings nothing new."""


def refused(reason: Reason, message: str) -> Untrusted:
    """The error for ``reason``; ``message`` is a clause without secrets."""
    return Untrusted(reason.value, message)
