"""What a member lacks, on its way to it and sealed to it alone: the roster, if it has an earlier group secret, or a new credential."""

from __future__ import annotations

import zlib

from hallway.trust import jws
from hallway.trust.credential import MAX_CHAIN, MAX_CREDENTIAL, Credential
from hallway.trust.jws import Typ
from hallway.trust.keys import DeviceKeys, seal_to
from hallway.trust.reasons import Reason, refused
from hallway.trust.roster import MAX_ROSTER, Roster


def seal_roster(roster: Roster, to: str, key: bytes) -> bytes:
    """``roster`` for the device with the key id ``to`` and the sealing key ``key``."""
    return _sealed(roster.text, roster.chain.leaf.property_id, to, key)


def seal_credential(tokens: tuple[str, ...], to: Credential) -> bytes:
    """The chain ``tokens`` for the device that had the credential ``to``."""
    return _sealed("~".join(tokens), to.property_id, to.sub, to.sealing)


def unseal(body: bytes, keys: DeviceKeys, property_id: bytes) -> str | tuple[str, ...]:
    """The text of a roster, or the tokens of a chain, that was sealed to the device with ``keys``.

    Raises:
        Untrusted: it was not, or is neither.

    """
    packed = keys.sealing.unseal(body, _info(property_id, keys.id))
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MAX_ROSTER + MAX_CREDENTIAL + 1)
    except zlib.error as error:
        raise refused(Reason.FORM, "what was handed over is no roster") from error
    if unpacker.unconsumed_tail:
        raise refused(Reason.SIZE, "a roster is too large")
    content = text.decode(errors="replace")
    return tuple(content.split("~", MAX_CHAIN)) if jws.is_for(Typ.CREDENTIAL, content) else content


def _sealed(text: str, property_id: bytes, to: str, key: bytes) -> bytes:
    # A roster is base64 twice over: packed, a full one fits where an envelope does.
    return seal_to(key, zlib.compress(text.encode(), 9), _info(property_id, to))


def _info(property_id: bytes, to: str) -> bytes:
    return b"hallway 1 roster" + property_id + to.encode()
