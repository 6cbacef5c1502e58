"""Targets: what a stranger or a hostile member may send to a sealed device. A member signs and seals whatever it likes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import Random

import attrs
from jwt import PyJWS
from sealed_site import NOW, ORIGIN, Site, binding, description, offer
from tests.fuzz.target import TAKEN, Room, Run, Target, text_of

from hallway.errors import Untrusted
from hallway.model import DeviceInfo, Envelope, Refusal, RefusalCode
from hallway.trust import Signal, envelope, jws
from hallway.trust.credential import verify_chain
from hallway.trust.handing_over import _info, seal_roster
from hallway.trust.jws import Typ
from hallway.trust.keys import SigningKey, seal_to
from hallway.trust.roster import following
from hallway.trust.sealed_guard import SealedGuard

SITE = Site("a", "b", "c")
NEXT = SITE.next(SITE.roster, revoke=("c",))
_JWS = PyJWS(algorithms=[jws.ALGORITHM])


def guard(name: str) -> SealedGuard:
    """The same guard with the same chance each time."""
    one = SITE.guard(name)
    return SealedGuard(DeviceInfo(name, "hotel", epoch=f"start-{name}"), one.membership, one._reach, Random(name).randbytes)


def dialed() -> tuple[SealedGuard, Envelope]:
    """B, which has made an offer to A, and the offer: the same ones each time."""
    b = guard("b")
    return b, offer(b, "a")


def answered() -> tuple[SealedGuard, SealedGuard, Envelope]:
    """A, B and A's answer to the offer of B."""
    a, (b, made) = guard("a"), dialed()
    signal = a.read(made, NOW)
    return a, b, a.seal("b", description("answer", 2), NOW, reference=signal.reference)


def signed(typ: Typ, payload: bytes, key: SigningKey) -> str:
    """A payload, whatever it is, with a signature that holds."""
    return _JWS.encode(payload, key.private, algorithm=jws.ALGORITHM, headers={"typ": typ.value})


def payload_of(token: str) -> bytes:
    """What a token signs."""
    return bytes(PyJWS().decode_complete(token, options={"verify_signature": False})["payload"])


def sealed(content: bytes, to: SealedGuard) -> bytes:
    """Any bytes, sealed by a member."""
    secret, nonce = SITE.secret, bytes(12)
    head = envelope.VERSION + secret.kid
    padded = content.ljust(-(-max(1, len(content)) // envelope.STEP) * envelope.STEP, b"\0")
    return head + nonce + secret.aead.encrypt(nonce, padded, head + secret.tag(to.membership.keys.id))


def content_of(sent: Envelope, to: str) -> bytes:
    """What is in an envelope."""
    _, parts = envelope.open_sealed(sent.body, SITE.found(to)[0].id, lambda _: SITE.membership(to).book.held(SITE.secret.kid, NOW))
    return "~".join(parts).encode()


def outcome(found: Signal | Envelope | Refusal) -> str:
    """A guard never raises: it refuses."""
    assert isinstance(found, Signal | Envelope | Refusal)
    return found.message if isinstance(found, Refusal) else TAKEN


def trusted(call: Callable[..., object], *arguments: object) -> str:
    """The declared error of everything that is signed."""
    try:
        call(*arguments)
    except Untrusted as error:
        return error.reason
    return TAKEN


# Bytes of a stranger.


def envelopes() -> tuple[bytes, ...]:
    handed = seal_roster(NEXT, SITE.found("b")[0].id, SITE.found("b")[0].sealing.public)
    return b"\0" + offer(guard("a"), "b").body, b"\1" + answered()[2].body, b"\2" + handed


def open_envelope(_: Room) -> Run:
    def run(data: bytes) -> str:
        b, _ = dialed()
        return outcome(b.open(Envelope(("offer", "answer", "roster")[data[0] % 3] if data else "offer", "", data[1:]), ORIGIN, NOW))

    return run


def tokens() -> tuple[bytes, ...]:
    offered, (admin, _) = content_of(offer(guard("a"), "b"), "b").decode().split("~")[0], SITE.admins["admin"]
    return offered.encode(), SITE.devices["a"][1].tokens[0].encode(), signed(Typ.HELLO, b'{"v":1}', admin.identity).encode()


def verify_token(_: Room) -> Run:
    keys = {Typ.OFFER: SITE.found("a")[0], Typ.CREDENTIAL: SITE.found("admin")[0], Typ.HELLO: SITE.found("admin")[0]}
    publics = {typ: one.identity.private.public_key() for typ, one in keys.items()}

    def run(data: bytes) -> str:
        found = [trusted(jws.verify, text_of(data), typ, public, 8192) for typ, public in publics.items()]
        return TAKEN if TAKEN in found else found[0]

    return run


def roster_texts() -> tuple[bytes, ...]:
    return NEXT.text.encode(), SITE.roster.text.encode()


def learn_roster(_: Room) -> Run:
    def run(data: bytes) -> str:
        return trusted(guard("b").learn, text_of(data), NOW)

    return run


# Bytes of a member.


def contents() -> tuple[bytes, ...]:
    return (content_of(offer(guard("a"), "b"), "b"),)


def open_content(_: Room) -> Run:
    b = guard("b")

    def run(data: bytes) -> str:
        return outcome(guard("b").open(Envelope("offer", "", sealed(data[:32_000], b)), ORIGIN, NOW))

    return run


def packed_rosters() -> tuple[bytes, ...]:
    return (zlib.compress(NEXT.text.encode(), 9),)


def bombs() -> tuple[bytes, ...]:
    return zlib.compress(b"~" * 10_000_000, 9), zlib.compress(zlib.compress(b"~" * 1_000_000, 9), 9)


def unpack_roster(_: Room) -> Run:
    keys = SITE.found("b")[0]
    info = _info(guard("b").membership.property_id, keys.id)

    def run(data: bytes) -> str:
        body = seal_to(keys.sealing.public, data, info)
        return outcome(guard("b").open(Envelope("roster", "", body), ORIGIN, NOW))

    return run


@attrs.frozen
class Signs:
    """One kind of claims: a member signs any, and they are taken as they would come in. ``read`` gets the token."""

    name: str
    typ: Typ
    by: Callable[[], SigningKey]
    sample: Callable[[], str]
    read: Callable[[str], str]

    def target(self) -> Target:
        """The target whose input is the payload."""

        def make(_: Room) -> Run:
            key = self.by()
            return lambda data: self.read(signed(self.typ, data, key))

        return Target(self.name, lambda: (payload_of(self.sample()),), make, 24_000)


def _of(name: str) -> Callable[[], SigningKey]:
    return lambda: SITE.found(name)[0].identity


def _sealed_by_a(token: str, to: SealedGuard) -> bytes:
    return sealed("~".join((token, *SITE.found("a")[1].tokens)).encode()[:32_000], to)


def _offered(token: str) -> str:
    b = guard("b")
    return outcome(b.open(Envelope("offer", "", _sealed_by_a(token, b)), ORIGIN, NOW))


def _answered(token: str) -> str:
    b, _ = dialed()
    return outcome(b.open(Envelope("answer", "", _sealed_by_a(token, b)), ORIGIN, NOW))


def _challenged(token: str) -> str:
    b, _ = dialed()
    return TAKEN if b.helped(Refusal(RefusalCode.CHALLENGE, "", _sealed_by_a(token, b)), NOW) else "no"


def _challenge() -> str:
    late, (_, made) = guard("a"), dialed()
    refusal = late.open(made, ORIGIN, NOW + 1000)
    assert isinstance(refusal, Refusal)
    return content_of(Envelope("challenge", "", refusal.body), "b").decode().split("~")[0]


def _greeted(token: str) -> str:
    _, b, answer = answered()
    b.read(answer, NOW)
    refused = b.admit("a", {"proof": token}, binding(1, 2), NOW)
    assert refused is None or isinstance(refused, str)
    return TAKEN if refused is None else refused.rpartition("(")[2]


def _hello() -> str:
    a, _, _ = answered()
    return str(a.hello("b", binding(2, 1), NOW)["proof"])


def _admin_tokens() -> tuple[str, ...]:
    return SITE.admins["admin"][1].tokens


CLAIMS = (
    Signs("offer-claims", Typ.OFFER, _of("a"), lambda: str(tokens()[0], "ascii"), _offered),
    Signs("answer-claims", Typ.ANSWER, _of("a"), lambda: content_of(answered()[2], "b").decode().split("~")[0], _answered),
    Signs("challenge-claims", Typ.CHALLENGE, _of("a"), _challenge, _challenged),
    Signs("hello-claims", Typ.HELLO, _of("a"), _hello, _greeted),
    Signs(
        "credential-claims",
        Typ.CREDENTIAL,
        _of("admin"),
        lambda: SITE.devices["a"][1].tokens[0],
        lambda token: trusted(verify_chain, (token, *_admin_tokens()), SITE.root.public, NOW),
    ),
    Signs(
        "admin-claims",
        Typ.CREDENTIAL,
        lambda: SITE.root,
        lambda: _admin_tokens()[0],
        lambda token: trusted(verify_chain, (token,), SITE.root.public, NOW),
    ),
    Signs(
        "roster-claims",
        Typ.ROSTER,
        _of("admin"),
        lambda: SITE.signed(following(SITE.roster, now=NOW), SITE.secret).text.partition("~")[0],
        lambda token: trusted(guard("b").learn, f"{token}~{_admin_tokens()[0]}", NOW),
    ),
)

TARGETS = (
    Target("envelope", envelopes, open_envelope, 32 * 1024),
    Target("jws", tokens, verify_token, 12_000),
    Target("roster", roster_texts, learn_roster, 12_000),
    Target("sealed-content", contents, open_content, 32_000),
    Target("handed-roster", packed_rosters, unpack_roster, 8192, bombs),
    *(claims.target() for claims in CLAIMS),
)
