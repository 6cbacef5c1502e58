"""The recovery file: the property's root, sealed with a passphrase. Whoever has both can name admins, and nobody else can.

JSON: scrypt (RFC 7914) makes the key, ChaCha20Poly1305 (RFC 8439) seals the root's 32 octets; the rest of the file is authenticated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hallway.errors import NotEnrolled, StateCorrupt, StateExposed, Untrusted, WrongPassphrase
from hallway.trust import files
from hallway.trust.claims import Claims, b64
from hallway.trust.credential import property_id
from hallway.trust.jws import DIGEST
from hallway.trust.keys import KEY_BYTES, Random, SigningKey

FORMAT = "hallway-recovery-1"
LOG_N, BLOCK, LANES = 17, 8, 1
"""Of scrypt: 128 MiB of memory and about half a second for each guess."""
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Of a passphrase that is made up: no two characters look alike."""
GROUPS, GROUP = 5, 5


def make_passphrase(random: Random) -> str:
    """A passphrase that nobody can guess: 25 characters in groups of five, about 123 bits."""
    characters: list[str] = []
    while len(characters) < GROUPS * GROUP:
        # Octets beyond the largest multiple would favour some characters.
        usable = [octet for octet in random(GROUPS * GROUP) if octet < 256 - 256 % len(ALPHABET)]
        characters += [ALPHABET[octet % len(ALPHABET)] for octet in usable]
    return "-".join("".join(characters[start : start + GROUP]) for start in range(0, GROUPS * GROUP, GROUP))


def write_recovery(path: Path, root: SigningKey, passphrase: str, random: Random) -> None:
    """Write the recovery file, mode 0600.

    Raises:
        StateUnusable, StorageFull: it cannot be written.

    """
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    head: dict[str, Any] = {"format": FORMAT, "property": b64(property_id(root.public)), "n": LOG_N, "salt": b64(salt), "nonce": b64(nonce)}
    sealed = ChaCha20Poly1305(_stretched(passphrase, salt)).encrypt(nonce, root.raw(), _authenticated(head))
    files.write(path, json.dumps(head | {"sealed": b64(sealed)}, indent=1).encode() + b"\n")


def recovers(path: Path) -> bytes:
    """The id of the property whose root is in the file; nobody has vouched for it before the file is opened. Raises as `read_recovery`."""
    return _parsed(path, _content(path)).property_id


def read_recovery(path: Path, passphrase: str) -> SigningKey:
    """The property's root.

    Raises:
        NotEnrolled: there is no such file.
        WrongPassphrase: the passphrase is another one, or the file has been changed.
        StateCorrupt: it is not a recovery file.
        StateExposed, StateUnusable: it cannot be read as it is.

    """
    read = _parsed(path, _content(path))
    try:
        raw = ChaCha20Poly1305(_stretched(passphrase, read.salt)).decrypt(read.nonce, read.sealed, _authenticated(read.head))
    except InvalidTag:
        raise WrongPassphrase(
            f"the passphrase does not open {path}", hint="type it again as it was printed or chosen at `hallway init`"
        ) from None
    return SigningKey(raw)


def _content(path: Path) -> bytes:
    try:
        content = files.read(path)
    except StateExposed as error:
        # Most sticks keep no modes, so that those of the file cannot be put right where it is.
        raise StateExposed(
            str(error), hint="copy it into a folder of your own, chmod 600 the copy, and name that with --recovery"
        ) from error
    if content is None:
        raise NotEnrolled(f"there is no recovery file {path}", hint="name the file that `hallway init` has written")
    return content


@attrs.frozen
class _Recovery:
    head: dict[str, Any]
    property_id: bytes
    salt: bytes
    nonce: bytes
    sealed: bytes

    @classmethod
    def read(cls, head: dict[str, Any]) -> _Recovery:
        """Read it. Raises `Untrusted` (``claims``)."""
        claims = Claims(head)
        salt, nonce = claims.octets("salt", SALT_BYTES), claims.octets("nonce", NONCE_BYTES)
        return cls(head, claims.octets("property", DIGEST), salt, nonce, claims.octets("sealed", KEY_BYTES + TAG_BYTES))


def _parsed(path: Path, content: bytes) -> _Recovery:
    try:
        head = json.loads(content)
        if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("n") != LOG_N:
            raise ValueError("of another format")
        return _Recovery.read(head)
    except (ValueError, RecursionError, Untrusted) as error:
        raise StateCorrupt(f"{path} is not a recovery file, or is damaged", hint="use another copy of the recovery file") from error


def _authenticated(head: dict[str, Any]) -> bytes:
    return json.dumps({key: value for key, value in head.items() if key != "sealed"}, sort_keys=True).encode()


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt, KEY_BYTES, 1 << LOG_N, BLOCK, LANES).derive(passphrase.strip().encode())
