"""The proof in HELLO: who the two ends are, which offer and answer the channel came from, and which certificates DTLS used.

A relay between the two has other certificates; a member that passes one device's description off as its own is named by neither; a
description of an earlier time has another digest. So each of them ends here (RFC 8844, RFC 8827 section 7).
"""

from __future__ import annotations

from typing import Literal

import attrs

from hallway.model import Binding
from hallway.trust import jws
from hallway.trust.claims import b64
from hallway.trust.credential import Chain
from hallway.trust.jws import Typ
from hallway.trust.keys import SigningKey, verifying_key
from hallway.trust.messages import MAX_FINGERPRINT
from hallway.trust.reasons import Reason, refused

MAX_PROOF = 2048
"""Characters of one, at most."""


@attrs.frozen
class Transcript:
    """An exchange of descriptions, as one end saw it: which end that was, both digests, both fingerprints and the peer's chain."""

    role: Literal["offerer", "answerer"]
    offer: bytes
    answer: bytes
    local: str
    remote: str
    peer: Chain = attrs.field(repr=False)


def prove(key: SigningKey, transcript: Transcript, binding: Binding, rank: tuple[int, bytes]) -> str:
    """Sign what this end of the channel is. ``rank`` is `RosterBook.rank` here."""
    epoch, roster = rank
    claims = {
        "from": key.id,
        "to": transcript.peer.leaf.sub,
        "role": transcript.role,
        "oh": b64(transcript.offer),
        "ah": b64(transcript.answer),
        "fpl": binding.local,
        "fpr": binding.remote,
        "ep": epoch,
        "rh": b64(roster),
    }
    return jws.sign(Typ.HELLO, claims, key)


def check(proof: str, own: str, transcript: Transcript, binding: Binding) -> tuple[int, bytes]:
    """Check the peer's proof against what this end, with the key id ``own``, saw itself; returns the rank of
    what the peer knows.

    Raises:
        Untrusted: something differs; the reason says what.

    """
    peer = transcript.peer.leaf
    claims = jws.verify(proof, Typ.HELLO, verifying_key(peer.identity), MAX_PROOF)
    if claims.key_id("from") != peer.sub:
        raise refused(Reason.SENDER, f"HELLO of {peer.name} names another sender")
    if claims.key_id("to") != own:
        raise refused(Reason.TO, f"HELLO of {peer.name} is for another device")
    other = "answerer" if transcript.role == "offerer" else "offerer"
    digests = (claims.octets("oh", jws.DIGEST), claims.octets("ah", jws.DIGEST))
    if claims.text("role", 16) != other or digests != (transcript.offer, transcript.answer):
        raise refused(Reason.HELLO, f"HELLO of {peer.name} is of another exchange of descriptions")
    seen = (claims.text("fpl", MAX_FINGERPRINT), claims.text("fpr", MAX_FINGERPRINT))
    if seen != (binding.remote, binding.local) or (transcript.local, transcript.remote) != (binding.local, binding.remote):
        raise refused(Reason.FINGERPRINT, f"the channel to {peer.name} has other certificates than were signed for")
    return claims.number("ep"), claims.octets("rh", jws.DIGEST)
