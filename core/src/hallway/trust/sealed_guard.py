"""The sealed mode: signed and sealed descriptions, HELLO that binds both ends to the channel, and nobody admitted who does not belong."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import attrs

from hallway.errors import ClockDoubtful, MisuseError, NotAdmin, PeerUnavailable, Untrusted
from hallway.model import Binding, Candidate, Description, DeviceInfo, Envelope, Origin, Refusal, RefusalCode
from hallway.protocol.throttle import Throttle
from hallway.trust import admin, envelope, hello, sdp_policy
from hallway.trust.credential import Chain
from hallway.trust.exchanges import Exchanges, OwnOffer
from hallway.trust.guard import Guard, Mark, Signal
from hallway.trust.handing_over import seal_credential, seal_roster, unseal
from hallway.trust.hello import Transcript
from hallway.trust.keys import Random
from hallway.trust.membership import Membership
from hallway.trust.messages import SESSION_BYTES, Head, Message
from hallway.trust.names import Names
from hallway.trust.open_guard import WEBRTC, WIRE_VERSION
from hallway.trust.reasons import Reason, refused
from hallway.trust.receiving import Crowded, NeedsChallenge, NeedsRenewal, NeedsRoster, Received, Receiver
from hallway.trust.replay import Challenges, Repeated, ReplayCache
from hallway.trust.roster_book import News
from hallway.webrtc.candidates import Reach

logger = logging.getLogger(__name__)

Made = TypeVar("Made")

NeedsHelp = NeedsChallenge | NeedsRenewal | NeedsRoster

CONTENT_TYPE = "application/octet-stream"
ROSTER = "roster"
"""The kind of an envelope that hands over what its receiver lacks: a roster, or a new credential."""
REFUSED = "refused"
"""All that a refusal says: why is in this device's log and counters, and would help an attacker to try on."""
MAX_ADMITTED = 512
"""Peers whose last HELLO is remembered, at most."""
LOG_PERIOD = 60.0
"""Seconds between two lines of the log about refusals of one reason: strangers must not fill it. The counters have them all."""

_CODES = {
    # Carriers refuse what is too large, so that this is too small to be anything.
    Reason.SIZE.value: RefusalCode.UNAUTHENTICATED,
    Reason.FORM.value: RefusalCode.UNAUTHENTICATED,
    Reason.KID.value: RefusalCode.UNAUTHENTICATED,
    Reason.SEAL.value: RefusalCode.UNAUTHENTICATED,
    Reason.DESCRIPTION.value: RefusalCode.BAD_DESCRIPTION,
    Reason.FULL.value: RefusalCode.RATE_LIMITED,
}


@attrs.frozen
class Standing:
    """What the HELLO of a peer has proved: its chain, and the epoch and digest of what was known there (`RosterBook.rank`)."""

    chain: Chain = attrs.field(repr=False)
    rank: tuple[int, bytes]


class SealedGuard(Guard):
    """The guard of a device that is enrolled. ``reach`` tells where candidates may lie now; ``random`` makes nonces and session ids."""

    def __init__(self, device: DeviceInfo, membership: Membership, reach: Callable[[], Reach], random: Random) -> None:
        self.membership = membership
        self.refusals: Counter[str] = Counter()
        """How many of each reason."""
        self._device = device
        self._reach = reach
        self._random = random
        self._exchanges = Exchanges()
        self._challenges = Challenges(random)
        self._receiver = Receiver(membership, ReplayCache(), self._challenges)
        self._told = Throttle(LOG_PERIOD)
        self._asked: dict[str, bytes] = {}
        self._names = Names(membership)
        self._admitted: dict[str, Standing] = {}
        self._listeners: list[Callable[[frozenset[str]], None]] = []

    def seal(self, to: str, content: Description | Candidate, now: float, *, reference: str = "") -> Envelope:
        """See `Guard.seal`. ``reference``: of the offer that ``content`` answers; "" is the newest of ``to``.

        Raises:
            PeerUnavailable: no member has that name, or it made no offer that could be answered.
            MisuseError: it is a trickled candidate, or of a kind whose channels prove nothing.
            Untrusted: the policy forbids our own description.

        """
        if isinstance(content, Candidate) or content.kind != WEBRTC:
            raise MisuseError("sealed security carries complete descriptions of kind webrtc only", hint="use a channel plugin of that kind")
        peer = self._names.id_of(to)
        allowed = sdp_policy.apply(content.sdp + _lines(content), content.type, self._reach())
        message = Message(
            content.type,
            self._head(peer, now),
            content.kind,
            allowed.sdp,
            allowed.fingerprint,
            (WIRE_VERSION, self._device.epoch),
        )
        if content.type == "offer":
            return self._seal_offer(message, now)
        return self._seal_answer(message, reference, now)

    def open(self, envelope: Envelope, origin: Origin, now: float) -> Signal | Envelope | Refusal:
        """See `Guard.open`. The refusal, which anybody may read, names nobody and gives no reason."""
        try:
            if envelope.kind == ROSTER:
                self._counted(self.handed_over, envelope.body, now)
                return Envelope.accepted()
            return self.read(envelope, now)
        except NeedsChallenge as error:
            return self._help(error, RefusalCode.CHALLENGE, now)
        except (NeedsRenewal, NeedsRoster) as error:
            return self._help(error, RefusalCode.STALE_ROSTER, now)
        except Untrusted as error:
            self._log(error.reason, origin, now)
            return _refusal(error)

    def _log(self, reason: str, origin: Origin, now: float) -> None:
        if self._told.lets(reason, now):
            where, count = origin.address or "somebody", self.refusals[reason]
            logger.warning("what came from %s over %s is refused: %s (%d so far)", where, origin.plugin, reason, count)

    def _help(self, error: NeedsHelp, code: RefusalCode, now: float) -> Refusal:
        try:
            return Refusal(code, REFUSED, self.help(error, now))
        except Untrusted as failure:
            return _refusal(failure)
        except (NotAdmin, ClockDoubtful):
            return _refusal(error)

    def shown(self, refusal: Refusal) -> Refusal:
        """See `Guard.shown`: the code, and no sentence of it."""
        return Refusal(refusal.code, REFUSED, refusal.body)

    def helped(self, refusal: Refusal, now: float) -> bool:
        """See `Guard.helped`. What is no help is refused quietly, as whoever answered has refused us."""
        take = {RefusalCode.CHALLENGE: self.challenged, RefusalCode.STALE_ROSTER: self.handed_over}.get(refusal.code)
        if take is None or not refusal.body:
            return False
        try:
            self._counted(take, refusal.body, now)
        except Untrusted:
            return False
        return True

    def hand_over(self, to: str, refusal: Refusal, now: float) -> Envelope | None:
        """See `Guard.hand_over`: the roster, to a member that cannot open what is sealed with the newest secret; and what we have refused
        with, to one whose answer needs it.
        """
        if refusal.code is RefusalCode.STALE_ROSTER and refusal.body:
            return Envelope(ROSTER, CONTENT_TYPE, refusal.body)
        member = self.membership.book.current.member(to)
        if refusal.code is not RefusalCode.UNAUTHENTICATED or member is None:
            return None
        return Envelope(ROSTER, CONTENT_TYPE, seal_roster(self.membership.book.current, member.sub, member.sealing))

    def read(self, envelope: Envelope, now: float) -> Signal:
        """Read an envelope.

        Raises:
            NeedsChallenge, NeedsRenewal, NeedsRoster: the sender may be helped: `help` makes what to send back.
            Untrusted: it may not.

        """
        return self._counted(self._read, envelope, now)

    def _counted(self, work: Callable[..., Made], *arguments: Any) -> Made:
        try:
            return work(*arguments)
        except Untrusted as error:
            self.refusals[error.reason] += 1
            raise

    def help(self, error: NeedsHelp, now: float) -> bytes:
        """What to send back to a member whose clock differs (a sealed challenge), or that needs the roster or a new credential.

        Raises:
            Untrusted: too many challenges are out, or this device cannot renew any more.
            NotAdmin: it could not at any time.
            ClockDoubtful: it cannot before its clock is right.

        """
        peer = error.received.chain.leaf
        if isinstance(error, NeedsRenewal):
            return seal_credential(admin.renewed(self.membership, error.received.chain, now, self._random), peer)
        if isinstance(error, NeedsRoster):
            return seal_roster(self.membership.book.current, peer.sub, peer.sealing)
        head = self._head(peer.sub, now)
        given = self._challenges.give(peer.sub, now)
        return self._sealed(Message("challenge", head, answers=error.received.message.digest, challenge=given))[0]

    def challenged(self, body: bytes, now: float) -> None:
        """Take in a challenge: the next offer to that peer gives it back. Raises `Untrusted` if it is not one for an offer of ours."""
        received = self._receiver.open(body, "challenge", now, self._exchanges.waiting(now))
        offer = self._exchanges.own(received.message.answers or b"", now)
        if offer is None or offer.to != received.chain.leaf.sub:
            raise refused(Reason.ANSWER, "a challenge is about an offer to another device")
        self._asked[received.chain.leaf.sub] = received.message.challenge or b""

    def handed_over(self, body: bytes, now: float) -> News:
        """Take in a roster, or a credential, that a peer has sealed to this device. Raises `Untrusted`; then nothing has changed."""
        content = unseal(body, self.membership.keys, self.membership.property_id)
        if isinstance(content, str):
            return self.learn(content, now)
        self.membership.renewed(content, now)
        self.changed()
        return News(replaced=False, revoked=frozenset())

    def learn(self, roster: str, now: float) -> News:
        """Take in a roster, and tell those who `watch`. Raises `Untrusted`; then nothing has changed."""
        names = self._names.by_id()
        news = self.membership.learn(roster, now)
        self._names.forget_fallen()
        if news:
            self.changed(frozenset(names[sub] for sub in news.revoked if sub in names))
        return news

    def watch(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call ``listener`` with the names of those that are revoked since, each time after the membership has changed."""
        self._listeners.append(listener)

    def changed(self, revoked: frozenset[str] = frozenset()) -> None:
        """The membership has changed: tell those who `watch`."""
        for listener in self._listeners:
            listener(revoked)

    def standing(self, name: str) -> Standing | None:
        """What the HELLO of the device ``name`` has proved of it; None without one."""
        return self._admitted.get(name.lower())

    def status(self) -> dict[str, Any]:
        """See `Guard.status`: the epoch of the roster in force, and how many envelopes and HELLOs were refused, by reason."""
        return {"epoch": self.membership.book.current.epoch, "refused": dict(self.refusals)}

    def knows(self, device_id: str) -> bool:
        """See `Guard.knows`: whether it is a member, as far as this device has heard."""
        try:
            self._names.id_of(device_id)
        except PeerUnavailable:
            return False
        return True

    def hello(self, to: str, binding: Binding | None, now: float) -> dict[str, Any]:
        """See `Guard.hello`: our proof and our epoch; without a binding or an exchange it is empty, and the peer refuses it."""
        transcript = self._transcript(to, binding, now)
        if transcript is None or binding is None:
            return {}
        book = self.membership.book
        return {"proof": hello.prove(self.membership.keys.identity, transcript, binding, book.rank), "ep": book.current.epoch}

    def admit(self, sender: str, section: Any, binding: Binding | None, now: float) -> str | None:
        """See `Guard.admit`."""
        try:
            self._counted(self._admit, sender, section, binding, now)
        except Untrusted as error:
            return f"{error} ({error.reason})"
        return None

    def _admit(self, sender: str, section: Any, binding: Binding | None, now: float) -> None:
        if binding is None:
            raise refused(Reason.BINDING, "the channel cannot say which certificates it has, and sealed security needs to know")
        transcript = self._transcript(sender, binding, now, unadmitted=True)
        if transcript is None:
            raise refused(Reason.HELLO, f"HELLO of {sender} belongs to no exchange of descriptions that waits for one")
        proof = section.get("proof") if isinstance(section, dict) else None
        if not isinstance(proof, str):
            raise refused(Reason.HELLO, f"HELLO of {sender} proves nothing")
        rank = hello.check(proof, self.membership.keys.id, transcript, binding)
        if not self.membership.trusts(transcript.peer, now):
            raise refused(Reason.REVOKED, f"{sender} does not belong to the property any more")
        self._exchanges.admitted(transcript)
        self._admitted.pop(sender.lower(), None)
        if len(self._admitted) >= MAX_ADMITTED:
            self._admitted.pop(next(iter(self._admitted)))
        self._admitted[sender.lower()] = Standing(transcript.peer, rank)

    def _transcript(self, peer: str, binding: Binding | None, now: float, *, unadmitted: bool = False) -> Transcript | None:
        if binding is None:
            return None
        try:
            return self._exchanges.transcript(self._names.id_of(peer), binding, now, unadmitted=unadmitted)
        except PeerUnavailable:
            return None

    def _read(self, envelope: Envelope, now: float) -> Signal:
        kind: Literal["offer", "answer"]
        if envelope.kind == "offer":
            kind = "offer"
        elif envelope.kind == "answer":
            kind = "answer"
        else:
            raise refused(Reason.FORM, "sealed security has offers and answers only")
        self._exchanges.forget(now)
        received = self._receiver.open(envelope.body, kind, now, self._exchanges.waiting(now))
        message, leaf = received.message, received.chain.leaf
        if message.kind != WEBRTC:
            raise refused(Reason.DESCRIPTION, "sealed security takes descriptions of kind webrtc only")
        allowed = sdp_policy.apply(message.sdp, kind, self._reach())
        if allowed.fingerprint != message.fingerprint:
            raise refused(Reason.FINGERPRINT, f"{leaf.name} signed for another certificate than its description names")
        self._remember(received, now)
        version, start = message.capabilities or (WIRE_VERSION, "")
        return Signal(
            leaf.name,
            self._device.device_id,
            Description(WEBRTC, kind, allowed.sdp),
            mark=Mark(version, start),
            reference=message.digest.hex(),
        )

    def _remember(self, received: Received, now: float) -> None:
        message, leaf = received.message, received.chain.leaf
        if message.type == "offer":
            self._names.learn(received.chain)
            self._exchanges.received(received, now)
            return
        offer = self._exchanges.own(message.answers or b"", now)
        if offer is None or offer.to != leaf.sub:
            raise refused(Reason.ANSWER, f"{leaf.name} answers an offer that was made to another device")
        self._names.learn(received.chain)
        described = Transcript("offerer", offer.digest, message.digest, offer.fingerprint, message.fingerprint, received.chain)
        self._exchanges.described(described, now)

    def _head(self, to: str, now: float) -> Head:
        own = self.membership
        current, session, time = own.book.current, self._random(SESSION_BYTES), int(own.time(now))
        return Head(own.property_id, current.epoch, own.keys.id, to, session, time, own.chain.digest, current.digest, own.use)

    def _seal_offer(self, message: Message, now: float) -> Envelope:
        peer = message.head.to
        body, digest = self._sealed(attrs.evolve(message, challenge=self._asked.pop(peer, None)))
        self._exchanges.offered(OwnOffer(peer, digest, message.fingerprint, now))
        return Envelope("offer", CONTENT_TYPE, body)

    def _seal_answer(self, message: Message, reference: str, now: float) -> Envelope:
        received = self._exchanges.offer_of(message.head.to, reference, now)
        if received is None:
            raise PeerUnavailable("there is no offer of that peer to answer", hint="wait for its next one")
        offer = received.message
        body, digest = self._sealed(attrs.evolve(message, answers=offer.digest))
        described = Transcript("answerer", offer.digest, digest, message.fingerprint, offer.fingerprint, received.chain)
        self._exchanges.described(described, now)
        return Envelope("answer", CONTENT_TYPE, body)

    def _sealed(self, message: Message) -> tuple[bytes, bytes]:
        own = self.membership
        token, digest = message.sign(own.keys.identity)
        nonce = self._random(envelope.NONCE_BYTES)
        return envelope.seal(own.book.secret, message.head.to, (token, *own.chain.tokens), nonce), digest


def _refusal(error: Untrusted) -> Refusal:
    match error:
        case Repeated():
            return Refusal(RefusalCode.REPLAY, REFUSED)
        case Crowded():
            return Refusal(RefusalCode.UNAUTHENTICATED, REFUSED)
    return Refusal(_CODES.get(error.reason, RefusalCode.FORBIDDEN), REFUSED)


def _lines(content: Description) -> str:
    """The candidates beside a description, as lines of its SDP; what is no line of SDP is found by the policy."""
    return "".join(f"a={candidate.candidate.removeprefix('a=')}\r\n" for candidate in content.candidates if candidate.candidate)
