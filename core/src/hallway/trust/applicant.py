"""Who wants to join: what a joiner says of itself, and how it proves that the keys are its own."""

from __future__ import annotations

import json

import attrs

from hallway.model import is_device_id
from hallway.trust import jws, pairing_wire
from hallway.trust.claims import Claims, b64
from hallway.trust.jws import Typ
from hallway.trust.keys import KEY_BYTES, DeviceKeys, key_id, verifying_key
from hallway.trust.pairing_wire import First, Way
from hallway.trust.reasons import Reason, refused

CHECK = 4
MAX_PROOF = 2048


@attrs.frozen
class Applicant:
    """A device that knows the token or the code, and has proved that the keys are its own."""

    identity: bytes
    sealing: bytes
    name: str
    way: Way

    @property
    def sub(self) -> str:
        """Its key id."""
        return key_id(self.identity)

    @property
    def check(self) -> str:
        """What both screens show."""
        return check_text(self.sub)


def check_text(sub: str) -> str:
    """The four characters by which people compare a key on two screens."""
    return sub[1 : 1 + CHECK].upper()


def introduce(keys: DeviceKeys, name: str, transcript: bytes) -> bytes:
    """What a joiner says under the key of its run, before it is sealed."""
    claims = {"tr": b64(transcript), "xk": b64(keys.sealing.public), "nm": name}
    proof = jws.sign(Typ.PAIR, claims, keys.identity)
    return json.dumps({"ik": b64(keys.identity.public), "proof": proof}).encode()


def read_applicant(octets: bytes, first: First, transcript: bytes) -> Applicant:
    """What a joiner says under the key of its run. Raises `Untrusted` if it has not proved that the keys are its own."""
    content = pairing_wire.read_content(octets)
    identity = content.octets("ik", KEY_BYTES)
    if pairing_wire.key_hash(identity) != first.joiner:
        raise refused(Reason.SENDER, "another key joins than the one that began")
    claims = jws.verify(content.text("proof", MAX_PROOF), Typ.PAIR, verifying_key(identity), MAX_PROOF)
    return _applicant(claims, identity, first.way, transcript)


def _applicant(claims: Claims, identity: bytes, way: Way, transcript: bytes) -> Applicant:
    if claims.octets("tr", len(transcript)) != transcript:
        raise refused(Reason.REPLAY, "a joiner's proof is of another run")
    name = claims.text("nm", 63)
    if not is_device_id(name):
        raise refused(Reason.NAME, "the joiner's name is none")
    return Applicant(identity, claims.octets("xk", KEY_BYTES), name, way)
