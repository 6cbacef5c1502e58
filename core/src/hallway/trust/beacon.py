"""What mDNS shows of a sealed device: a nonce, and a MAC that only members can tell from noise.

TXT ``v=1 n=<8 octets> b=<16 octets>``, both in base64url, with b = HMAC(k_disc, n | port | instance | device). The second half of n is
a MAC of the first: one HMAC tells an outsider's beacon, however many members there are. A beacon that somebody copies is a hint to the
wrong place and nothing more: who answers there cannot open the envelope.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from itertools import islice

from hallway.trust.claims import b64, unb64
from hallway.trust.group import GroupSecret

VERSION = "1"
NONCE_BYTES = 8
RANDOM_BYTES = 4
"""How many of them are random; the rest is their MAC."""
MAC_BYTES = 16
MAX_KNOWN = 128
"""Devices with which a beacon is compared, at most: each costs a HMAC."""
NONCE_LIFE = 86_400.0
"""Seconds after which a device shows another nonce; it does at every start."""


def show(secret: GroupSecret, device: str, instance: str, port: int, random: bytes) -> dict[str, str]:
    """The TXT record of the device with the key id ``device``. ``instance`` is its service's name of this start, ``random`` 4 octets."""
    nonce = random + _mac(secret, "", instance, port, random)[: NONCE_BYTES - RANDOM_BYTES]
    return {"v": VERSION, "n": b64(nonce), "b": b64(_mac(secret, device, instance, port, nonce))}


def recognise(secret: GroupSecret, txt: Mapping[str, str], instance: str, port: int, known: Iterable[str]) -> str | None:
    """Which of the key ids ``known`` shows that record; None for an outsider's, for another epoch's, and for whatever else there may be."""
    read = _read(txt)
    if read is None or not 0 < port < 65536:
        return None
    nonce, shown = read
    random, proof = nonce[:RANDOM_BYTES], nonce[RANDOM_BYTES:]
    if not hmac.compare_digest(_mac(secret, "", instance, port, random)[: len(proof)], proof):
        return None
    for device in islice(known, MAX_KNOWN):
        if hmac.compare_digest(_mac(secret, device, instance, port, nonce), shown):
            return device
    return None


def _read(txt: Mapping[str, str]) -> tuple[bytes, bytes] | None:
    nonce, shown = txt.get("n", ""), txt.get("b", "")
    if txt.get("v") != VERSION or len(nonce) != 11 or len(shown) != 22:
        return None
    try:
        return unb64(nonce), unb64(shown)
    except ValueError:
        return None


def _mac(secret: GroupSecret, device: str, instance: str, port: int, nonce: bytes) -> bytes:
    name = instance.encode(errors="surrogatepass")
    message = b"".join((nonce, port.to_bytes(2, "big"), len(name).to_bytes(4, "big"), name, device.encode()))
    return secret.beacon_mac(message)[:MAC_BYTES]
