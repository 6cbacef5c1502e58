"""Joining a property: the joiner's side of pairing over a carrier, with retries that change nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import time
from collections.abc import Callable, Sequence

from hallway.errors import BadEnvelope, NetworkError, PairingRefused, Unreachable, Untrusted
from hallway.interfaces import Signaling
from hallway.model import Envelope, Refusal, RefusalCode
from hallway.runtime.tasks import in_thread
from hallway.trust.invitation import Place
from hallway.trust.joining import Joiner, Ticket
from hallway.trust.keys import DeviceKeys
from hallway.trust.membership import Membership
from hallway.trust.pairing_wire import CONTENT_TYPE, KIND, No
from hallway.trust.reasons import Reason
from hallway.trust.state import TrustState

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 3.0
"""For one request, the quarter of a second by which answers are paced included."""
REACH_SECONDS = 20.0
"""How long the inviting device may be silent before this one gives up."""
REFUSED_SECONDS = 1.5
"""How long all of its addresses may say that nobody listens there."""
PERSON_SECONDS = 300.0
"""How long a person may take over the decision; the window is not open for longer."""
PAUSE = 0.5
DONE_TRIES = 3

_PATIENT = {RefusalCode.RATE_LIMITED, RefusalCode.CLOSING}

_LOST = (
    "both devices must be on one network that lets them reach each other; if they are, the invitation has been used or is too old, "
    "or the device that invites has another address now"
)
_AGAIN = "run `hallway invite` again on the other device, and join with what it shows then"
_TEXTS = {
    No.CLOSED: ("the other device does not invite anybody just now: the window is closed, or was never open there", _AGAIN),
    No.BUSY: ("another device is joining just now", "try again when it is done"),
    No.USED: ("the invitation has been used", _AGAIN),
    No.FORM: ("the other device does not understand this one", "update hallway on both devices"),
    No.TOKEN: ("this is not the invitation that the other device shows now", _AGAIN),
    No.WRONG: ("the code is wrong", "look at it again; after three attempts the other device closes the window"),
    No.SESSION: ("the other device has forgotten this attempt", "try again"),
    No.NAME: ("another device of the property has that name", "choose another name with --device"),
    No.REVOKED: (
        "this device's key was revoked",
        "if the device is to come back, join with an empty state folder, so that it gets a new key",
    ),
    No.FULL: ("the property has as many devices as it may have", "revoke one that is not used any more"),
    No.DECLINED: ("the person at the other device said no", "compare the four characters on both screens"),
    No.FAILED: ("the other device could not write it down", "look at what it says there, then try again"),
}


def device_keys(state: TrustState) -> DeviceKeys:
    """The keys of the device: those of an attempt before, or new ones, which are on disk when this returns."""
    keys = state.load_keys()
    if keys is None:
        keys = DeviceKeys.generate(os.urandom)
        state.save_keys(keys)
    return keys


class Joining:
    """One attempt to join as ``name``, with the inviting device at one of ``places``."""

    def __init__(self, carrier: Signaling, places: Sequence[Place], joiner: Joiner) -> None:
        self._carrier = carrier
        self._places = tuple(places)
        self._joiner = joiner

    @classmethod
    def of(cls, carrier: Signaling, places: Sequence[Place], keys: DeviceKeys, name: str, ticket: Ticket) -> Joining:
        """The attempt of the device with ``keys``."""
        return cls(carrier, places, Joiner(keys, name, ticket, os.urandom))

    async def run(self, state: TrustState, waiting: Callable[[], None]) -> Membership:
        """Join, write everything down, and say so to the inviting device. ``waiting`` is called once if a person has to decide.

        Raises:
            PairingRefused: the inviting device, or this one, says no.
            NetworkError: it cannot be reached.
            TrustStateError, StorageFull: it cannot be written down.

        """
        try:
            place, second = await self._reach(self._joiner.first)
            membership = await self._confirm(place, self._joiner.third(second), waiting)
        except Untrusted as error:
            raise _impostor(error) from error
        await in_thread(state.save, membership)
        await self._say_done(place)
        return membership

    async def _reach(self, first: bytes) -> tuple[Place, bytes]:
        """The first of the places that takes it, and its answer."""
        begun, silent, causes = self._now(), False, dict[Place, Exception]()
        no: PairingRefused | None = None
        while self._now() < begun + (REACH_SECONDS if silent else REFUSED_SECONDS):
            for place in self._places:
                try:
                    return place, await self._post(place, first)
                except PairingRefused as error:
                    # Another device may have that address; what invites is perhaps at the next one.
                    no = no or error
                except (NetworkError, BadEnvelope) as error:
                    logger.debug("%s does not answer: %s", _url(place), error)
                    silent = silent or not isinstance(error, Unreachable)
                    causes[place] = error
            if no is not None:
                raise no
            await asyncio.sleep(PAUSE)
        tried = "; ".join(str(cause) for cause in causes.values())
        raise Unreachable(f"the device that invites is not there: {tried}", hint=_LOST)

    async def _confirm(self, place: Place, third: bytes, waiting: Callable[[], None]) -> Membership:
        heard = self._now()
        end, told = heard + PERSON_SECONDS, False
        while (now := self._now()) < end and now - heard < REACH_SECONDS:
            try:
                body = await self._post(place, third)
            except (NetworkError, BadEnvelope) as error:
                logger.debug("%s does not answer: %s", _url(place), error)
            else:
                heard = self._now()
                if (membership := self._joiner.joined(body, time.time())) is not None:
                    return membership
                if not told:
                    waiting()
                told = True
            await asyncio.sleep(PAUSE)
        raise Unreachable(f"the device at {_url(place)} has fallen silent", hint="try again: it goes on where it was")

    async def _say_done(self, place: Place) -> None:
        for _ in range(DONE_TRIES):
            try:
                await self._post(place, self._joiner.done())
            except (NetworkError, BadEnvelope) as error:
                logger.debug("%s has not heard that all is done: %s", _url(place), error)
            except PairingRefused:
                # The window is closed, so it has heard.
                return
            else:
                return

    async def _post(self, place: Place, body: bytes) -> bytes:
        """The body of the answer. A refusal that will pass is waited for, as long as for an answer."""
        end = self._now() + REACH_SECONDS
        while self._now() < end:
            envelope = Envelope(KIND, CONTENT_TYPE, body)
            outcome = await self._carrier.request(_url(place), envelope, self._now() + REQUEST_SECONDS)
            if isinstance(outcome, Envelope):
                return outcome.body
            if outcome.code not in _PATIENT:
                raise _refused(outcome)
            await asyncio.sleep(PAUSE)
        raise Unreachable(f"the device at {_url(place)} has too much to do", hint="somebody may be flooding it; try again in a minute")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _refused(refusal: Refusal) -> PairingRefused:
    try:
        word = No(refusal.message)
    except ValueError:
        word = No.CLOSED if refusal.code is RefusalCode.NOT_FOUND else No.FORM
    text, hint = _TEXTS[word]
    return PairingRefused(text, reason=word.value, hint=hint)


def _impostor(error: Untrusted) -> PairingRefused:
    known = {
        Reason.SEAL: "what answers there does not know the secret: it is not the device that invites",
        Reason.ISSUER: "another device answers there than the one that made the invitation",
    }
    text = known.get(Reason(error.reason), f"what the other device says does not hold together: {error}")
    return PairingRefused(text, reason=error.reason, hint=f"nothing was changed here; {_AGAIN}")


def _url(place: Place) -> str:
    ip, port = place
    host = f"[{ip}]" if isinstance(ip, ipaddress.IPv6Address) else str(ip)
    return f"http://{host}:{port}"
