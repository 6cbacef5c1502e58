"""Credentials: who a device is, in the words of an admin, whom the property's root has named.

A property is a key: its id is SHA-256 of the root's public half. A chain is root -> admin, or root -> admin -> device, and never longer.
It travels with the leaf first, and is read from the root on, so that no key is taken from what is not verified yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import attrs

from hallway.errors import Untrusted
from hallway.model import DEVICE_ID, is_device_id
from hallway.trust import jws
from hallway.trust.claims import Claims, b64, wrong
from hallway.trust.jws import Typ
from hallway.trust.keys import KEY_BYTES, Random, SigningKey, key_id, seal_to, verifying_key
from hallway.trust.reasons import Reason, refused

SERIAL_BYTES = 16
DEVICE_LIFE = 400 * 86_400
"""Seconds that a device's credential is valid, at most."""
ADMIN_LIFE = 3650 * 86_400
"""Seconds that an admin's is: no other credential outlives it, and only the root, which is in the recovery file, can renew it."""
BACKDATED = 300
"""Seconds by which a credential is valid before it was issued: clocks differ."""
MAX_CREDENTIAL = 2048
"""Characters of one, at most."""
MAX_CHAIN = 2


class Role(StrEnum):
    """What a member may do."""

    ADMIN = "admin"
    """Issue credentials and rosters."""
    MEMBER = "member"


@attrs.frozen
class Credential:
    """What one credential says; the texts are names, the octets public keys. Times are whole seconds since 1970."""

    property_id: bytes
    issuer: str
    sub: str
    identity: bytes
    sealing: bytes
    role: Role
    serial: bytes
    name: str
    issued: int
    not_before: int
    expires: int
    epoch: int

    @property
    def renew_at(self) -> float:
        """When it is to be renewed: after two thirds of its life."""
        return self.issued + (self.expires - self.issued) * 2 / 3


@attrs.frozen
class Chain:
    """A verified chain: ``tokens`` and ``credentials``, the leaf first."""

    tokens: tuple[str, ...]
    credentials: tuple[Credential, ...]

    @property
    def leaf(self) -> Credential:
        """The credential of the device itself."""
        return self.credentials[0]

    @property
    def digest(self) -> bytes:
        """SHA-256 of what the leaf's issuer signed."""
        return jws.digest(self.tokens[0])

    @property
    def subjects(self) -> frozenset[str]:
        """The key ids that it stands on: when one of them is revoked, it falls."""
        return frozenset(credential.sub for credential in self.credentials)


def property_id(root: bytes) -> bytes:
    """The id of the property whose root has that public key."""
    return hashlib.sha256(root).digest()


@attrs.frozen
class Subject:
    """Whom a credential is for."""

    identity: bytes
    sealing: bytes
    name: str
    role: Role = Role.MEMBER


def issue_admin(root: SigningKey, subject: Subject, now: float, random: Random, *, epoch: int = 1) -> str:
    """The root names an admin."""
    return _issue(root, property_id(root.public), attrs.evolve(subject, role=Role.ADMIN), int(now) + ADMIN_LIFE, now, random, epoch)


def issue(admin: SigningKey, own: Chain, subject: Subject, now: float, random: Random, *, epoch: int) -> str:
    """An admin, whose chain is ``own``, takes a device in; its credential never outlives the admin's.

    Raises:
        Untrusted: ``own`` is no admin's, or the subject's keys or name cannot be used.

    """
    issuer = own.leaf
    if issuer.sub != admin.id or issuer.role is not Role.ADMIN or len(own.tokens) != 1:
        raise refused(Reason.ISSUER, f"{issuer.name} is no admin of the property, and takes nobody in")
    if subject.role is Role.ADMIN:
        raise refused(Reason.ISSUER, "only the property's root names admins")
    expires = min(int(now) + DEVICE_LIFE, issuer.expires)
    return _issue(admin, issuer.property_id, subject, expires, now, random, epoch)


def renew(admin: SigningKey, own: Chain, old: Credential, now: float, random: Random, *, epoch: int) -> str:
    """A new credential for the same device, with the same keys, name and role. Raises as `issue`."""
    return issue(admin, own, Subject(old.identity, old.sealing, old.name, old.role), now, random, epoch=epoch)


def _issue(key: SigningKey, pid: bytes, subject: Subject, expires: int, now: float, random: Random, epoch: int) -> str:
    verifying_key(subject.identity)
    seal_to(subject.sealing, b"", b"hallway probe")
    if not is_device_id(subject.name):
        raise refused(Reason.NAME, "the name of a device has letters, digits and hyphens, 63 at most")
    claims: dict[str, Any] = {
        "pid": b64(pid),
        "iss": key.id,
        "sub": key_id(subject.identity),
        "ik": b64(subject.identity),
        "xk": b64(subject.sealing),
        "role": subject.role.value,
        "ser": b64(random(SERIAL_BYTES)),
        "nm": subject.name,
        "iat": int(now),
        "nbf": int(now) - BACKDATED,
        "exp": expires,
        "ep": epoch,
    }
    return jws.sign(Typ.CREDENTIAL, claims, key)


def verify_chain(tokens: Sequence[str], root: bytes, now: float | None) -> Chain:
    """Verify a chain, the leaf first, from the public key ``root`` on. ``now`` None: also if it has ended.

    Raises:
        Untrusted: some link of it does not hold, may not be there, or has ended.

    """
    if not 0 < len(tokens) <= MAX_CHAIN:
        raise refused(Reason.CHAIN, f"a chain has 1 to {MAX_CHAIN} credentials")
    pid, issuer_key, above = property_id(root), root, None
    found: list[Credential] = []
    for token in reversed(tokens):
        credential = _read(_verified(token, issuer_key))
        _check(credential, pid, key_id(issuer_key), above)
        found.insert(0, credential)
        issuer_key, above = credential.identity, credential
    chain = Chain(tuple(tokens), tuple(found))
    if now is not None:
        check_times(chain, now)
    return chain


def check_times(chain: Chain, now: float) -> None:
    """Raise `Untrusted` if a credential of the chain has ended."""
    for credential in chain.credentials:
        check_time(credential, now)


def _verified(token: str, issuer: bytes) -> Claims:
    try:
        return jws.verify(token, Typ.CREDENTIAL, verifying_key(issuer), MAX_CREDENTIAL)
    except Untrusted as error:
        if error.reason == Reason.SIGNATURE:
            raise refused(Reason.CHAIN, "a credential is not signed by whom the property's root has named") from error
        raise


def check_time(credential: Credential, now: float) -> None:
    """Raise `Untrusted` if the credential has ended.

    One whose time has not come is none: it says itself that its admin's clock has been there, and whoever thinks otherwise is behind, or
    that admin was ahead. Neither is a reason to refuse it.
    """
    if now >= credential.expires:
        raise refused(Reason.CREDENTIAL_EXPIRED, f"the credential of {credential.name} has expired")


def _check(credential: Credential, pid: bytes, issuer: str, above: Credential | None) -> None:
    if credential.property_id != pid:
        raise refused(Reason.PROPERTY, "a credential is of another property")
    if credential.issuer != issuer:
        raise refused(Reason.CHAIN, "a credential names another issuer than the one that signed it")
    if (above is None) is not (credential.role is Role.ADMIN):
        raise refused(Reason.ISSUER, "the root names admins and nobody else, and nobody else names them")
    if above is not None and (above.role is not Role.ADMIN or credential.expires > above.expires):
        raise refused(Reason.ISSUER, "a credential outlives its issuer's")


def _read(claims: Claims) -> Credential:
    identity = claims.octets("ik", KEY_BYTES)
    found = Credential(
        property_id=claims.octets("pid", jws.DIGEST),
        issuer=claims.key_id("iss"),
        sub=claims.key_id("sub"),
        identity=identity,
        sealing=claims.octets("xk", KEY_BYTES),
        role=read_role(claims),
        serial=claims.octets("ser", SERIAL_BYTES),
        name=claims.text("nm", 63),
        issued=claims.number("iat"),
        not_before=claims.number("nbf"),
        expires=claims.number("exp"),
        epoch=claims.number("ep"),
    )
    if found.sub != key_id(identity):
        raise wrong("sub")
    if DEVICE_ID.fullmatch(found.name) is None:
        raise wrong("nm")
    if not found.not_before <= found.issued < found.expires:
        raise wrong("exp")
    return found


def read_role(claims: Claims) -> Role:
    """The claim ``role``. Raises `Untrusted` for a role that this version does not know."""
    try:
        return Role(claims.text("role", 16))
    except ValueError as error:
        raise refused(Reason.ROLE, "a role that this device does not know") from error
