"""A roster on its way to a member that has an earlier group secret only: sealed to that member alone."""

from __future__ import annotations

import zlib

from hallway.trust.credential import MAX_CREDENTIAL
from hallway.trust.keys import DeviceKeys, seal_to
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import MAX_ROSTER, Roster


def seal_roster(roster: Roster, to: str, key: bytes) -> bytes:
    """``roster`` for the device with the key id ``to`` and the sealing key ``key``."""
    # A roster is base64 twice over: packed, a full one fits where an envelope does.
    return seal_to(key, zlib.compress(roster.text.encode(), 9), _info(roster.chain.leaf.property_id, to))


def unseal_roster(body: bytes, keys: DeviceKeys, property_id: bytes) -> str:
    """The text of a roster that was sealed to the device with ``keys``.

    Raises:
        Untrusted: it was not, or is no roster.

    """
    packed = keys.sealing.unseal(body, _info(property_id, keys.id))
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MAX_ROSTER + MAX_CREDENTIAL + 1)
    except zlib.error as error:
        raise refused(Reason.FORM, "what was handed over is no roster") from error
    if unpacker.unconsumed_tail:
        raise refused(Reason.SIZE, "a roster is too large")
    return text.decode(errors="replace")


def _info(property_id: bytes, to: str) -> bytes:
    return b"hallway 1 roster" + property_id + to.encode()
