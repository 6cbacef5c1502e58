"""Rosters: who belongs to the property in an epoch, who does not any more, and the group secret for those who do. Signed by an admin.

A roster travels as ``roster~credential``: the credential of the admin that signed it, which the root signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import attrs

from hallway.errors import Untrusted
from hallway.model import is_device_id
from hallway.trust import jws
from hallway.trust.claims import Claims, b64, wrong
from hallway.trust.credential import MAX_CREDENTIAL, SERIAL_BYTES, Chain, Credential, Role, read_role, verify_chain
from hallway.trust.group import GroupSecret
from hallway.trust.jws import Typ
from hallway.trust.keys import KEY_BYTES, SEAL_BYTES, SealingKey, SigningKey, check_sealing, seal_to, verifying_key
from hallway.trust.reasons import Reason, refused

MAX_MEMBERS = 128
MAX_REVOKED = 512
MAX_ADMINS = 16
MAX_ROSTER = 192 * 1024
"""Characters of one, at most: a full one has about 150,000."""


@attrs.frozen
class Member:
    """A device of the property: its key id, its credential's serial, its name, its role and the key to which the group secret is sealed."""

    sub: str
    serial: bytes
    name: str
    role: Role
    sealing: bytes

    @classmethod
    def of(cls, credential: Credential) -> Member:
        """The member that the credential is about."""
        return cls(credential.sub, credential.serial, credential.name, credential.role, credential.sealing)


@attrs.frozen
class Revocation:
    """A device that does not belong any more, since ``at`` (seconds since 1970); ``name`` is "" if the admin did not know it."""

    sub: str
    serial: bytes
    at: int
    name: str = ""
    named: int = 0
    """When the root named the newest of the admins that say so (seconds since 1970); each device finds that out for itself."""

    def json(self) -> dict[str, Any]:
        """Its claims."""
        return {"sub": self.sub, "ser": b64(self.serial), "at": self.at, **({"nm": self.name} if self.name else {})}

    @classmethod
    def read(cls, claims: Claims) -> Self:
        """Read it. Raises `Untrusted` (``claims``)."""
        name = claims.text("nm", 63) if claims.has("nm") else ""
        if name and not is_device_id(name):
            raise wrong("nm")
        return cls(claims.key_id("sub"), claims.octets("ser", SERIAL_BYTES), claims.number("at"), name)


@attrs.frozen
class Roster:
    """A verified roster. ``text`` is its form on the wire, ``digest`` SHA-256 of what was signed, ``chain`` its admin's."""

    text: str = attrs.field(repr=False)
    digest: bytes
    chain: Chain = attrs.field(repr=False)
    epoch: int
    previous: bytes
    issued: int
    min_epoch: int
    members: tuple[Member, ...]
    revoked: tuple[Revocation, ...]
    admins: tuple[str, ...] = attrs.field(repr=False)
    sealed: Mapping[str, bytes] = attrs.field(repr=False)

    @property
    def rank(self) -> tuple[int, bytes]:
        """Of two rosters the one of higher rank counts: the same one at every device."""
        return self.epoch, self.digest

    @property
    def revoked_ids(self) -> frozenset[str]:
        """The key ids of those that it revokes."""
        return frozenset(one.sub for one in self.revoked)

    def member(self, name: str) -> Member | None:
        """The member with that device name, compared without case."""
        return next((member for member in self.members if member.name.lower() == name.lower()), None)

    def secret(self, device: str, key: SealingKey) -> GroupSecret | None:
        """The group secret of its epoch, for the device with that key id and key; None if it is not for that device.

        Raises:
            Untrusted: what is there for the device cannot be opened.

        """
        sealed = self.sealed.get(device)
        if sealed is None:
            return None
        return GroupSecret(key.unseal(sealed, _info(self.chain.leaf.property_id, self.epoch, device)))


@attrs.frozen
class Draft:
    """What an admin wants a roster to say."""

    epoch: int
    members: tuple[Member, ...]
    revoked: tuple[Revocation, ...] = ()
    previous: bytes = bytes(jws.DIGEST)
    min_epoch: int = 0
    admins: tuple[str, ...] = ()


def following(
    current: Roster, *, revoke: Iterable[str] = (), add: Iterable[Member] = (), also: Iterable[Revocation] = (), now: float
) -> Draft:
    """The draft of the epoch after ``current``: without the key ids ``revoke``, with the members ``add``, and ``also`` revocations.

    Of more revocations than fit the newest stay: a device knows the others if it has ever heard of them.

    Raises:
        Untrusted: a name would be there twice.

    """
    gone, known = set(revoke), {member.sub: member for member in current.members}
    new = [_revocation(sub, known.get(sub), int(now)) for sub in sorted(gone)]
    revoked: dict[str, Revocation] = {}
    for one in (*new, *current.revoked, *also):
        revoked.setdefault(one.sub, one)
    kept = tuple(revoked.values())[:MAX_REVOKED]
    members = {member.sub: member for member in (*current.members, *add) if member.sub not in revoked}
    _check_names(members.values())
    return Draft(current.epoch + 1, tuple(members.values()), kept, current.digest, current.min_epoch, current.admins)


def _revocation(sub: str, member: Member | None, at: int) -> Revocation:
    return Revocation(sub, bytes(SERIAL_BYTES), at) if member is None else Revocation(sub, member.serial, at, member.name)


def issue_roster(admin: SigningKey, own: Chain, draft: Draft, secret: GroupSecret, now: float) -> str:
    """Sign a roster. After a revocation ``secret`` must be new; when a device was only added it may be the one of before.

    Raises:
        Untrusted: ``own`` is no admin's, or the draft is larger than a roster may be.

    """
    leaf = own.leaf
    if leaf.role is not Role.ADMIN or leaf.sub != admin.id:
        raise refused(Reason.ISSUER, f"{leaf.name} is no admin of the property, and issues no roster")
    if len(draft.members) > MAX_MEMBERS or len(draft.revoked) > MAX_REVOKED or len(draft.admins) > MAX_ADMINS:
        raise refused(Reason.SIZE, f"a roster has at most {MAX_MEMBERS} members, {MAX_ADMINS} admins and {MAX_REVOKED} revocations")
    _check_names(draft.members)
    sealed = {
        member.sub: b64(seal_to(member.sealing, secret.raw(), _info(leaf.property_id, draft.epoch, member.sub))) for member in draft.members
    }
    claims: dict[str, Any] = {
        "pid": b64(leaf.property_id),
        "ep": draft.epoch,
        "prev": b64(draft.previous),
        "iat": int(now),
        "min_ep": draft.min_epoch,
        "cred": b64(own.digest),
        "admins": list(draft.admins),
        "revoked": [one.json() for one in draft.revoked],
        "members": [_member_json(member) for member in draft.members],
        "gk": sealed,
    }
    return f"{jws.sign(Typ.ROSTER, claims, admin)}~{own.tokens[0]}"


def verify_roster(text: str, root: bytes, now: float | None) -> Roster:
    """Verify a roster with the root's public key. ``now`` None: whenever its admin's credential was valid.

    Raises:
        Untrusted: it is not an admin's of this property, or not of the form.

    """
    if len(text) > MAX_ROSTER + MAX_CREDENTIAL + 1:
        raise refused(Reason.SIZE, "a roster is too large")
    token, _, credential = text.partition("~")
    chain = verify_chain([credential], root, now)
    claims = jws.verify(token, Typ.ROSTER, verifying_key(chain.leaf.identity), MAX_ROSTER)
    if claims.octets("pid", jws.DIGEST) != chain.leaf.property_id:
        raise refused(Reason.PROPERTY, "a roster is of another property")
    if claims.octets("cred", jws.DIGEST) != chain.digest:
        raise refused(Reason.ISSUER, "a roster was signed under another credential of its admin")
    roster = Roster(
        text=text,
        digest=jws.digest(token),
        chain=chain,
        epoch=claims.number("ep"),
        previous=claims.octets("prev", jws.DIGEST),
        issued=claims.number("iat"),
        min_epoch=claims.number("min_ep"),
        members=claims.each("members", MAX_MEMBERS, _read_member),
        revoked=claims.each("revoked", MAX_REVOKED, Revocation.read),
        admins=claims.texts("admins", MAX_ADMINS, MAX_CREDENTIAL),
        sealed=_read_sealed(claims.inner("gk")),
    )
    _check_whole(roster)
    return roster


def _check_whole(roster: Roster) -> None:
    if roster.chain.leaf.sub in roster.revoked_ids:
        raise refused(Reason.ISSUER, "an admin cannot revoke itself: another one must")
    subs = {member.sub for member in roster.members}
    if len(subs) != len(roster.members) or subs & roster.revoked_ids or not roster.sealed.keys() <= subs:
        raise wrong("members")
    if not roster.epoch > 0 or roster.min_epoch > roster.epoch:
        raise wrong("ep")
    try:
        _check_names(roster.members)
    except Untrusted as error:
        raise wrong("members") from error


def _check_names(members: Iterable[Member]) -> None:
    names = [member.name.lower() for member in members]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise refused(Reason.NAME, f"two members have the name {twice}")


def _info(pid: bytes, epoch: int, device: str) -> bytes:
    return b"hallway 1 group secret" + pid + epoch.to_bytes(8, "big") + device.encode()


def _member_json(member: Member) -> dict[str, str]:
    return {"sub": member.sub, "ser": b64(member.serial), "nm": member.name, "role": member.role.value, "xk": b64(member.sealing)}


def _read_member(claims: Claims) -> Member:
    name = claims.text("nm", 63)
    if not is_device_id(name):
        raise wrong("nm")
    sealing = claims.octets("xk", KEY_BYTES)
    # The next roster is sealed to it, whoever makes that.
    check_sealing(sealing)
    return Member(claims.key_id("sub"), claims.octets("ser", SERIAL_BYTES), name, read_role(claims), sealing)


def _read_sealed(claims: Claims) -> dict[str, bytes]:
    if len(claims.values) > MAX_MEMBERS:
        raise wrong("gk")
    return {str(sub): claims.octets(str(sub), KEY_BYTES + SEAL_BYTES) for sub in claims.values}
