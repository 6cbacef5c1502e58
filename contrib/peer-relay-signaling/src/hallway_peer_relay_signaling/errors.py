"""The errors of the control bus as those of a carrier, and the errors that peers get of us: who failed, at which step, and why."""

from __future__ import annotations

from typing import NoReturn

from hallway.errors import (
    BadEnvelope,
    ClosedError,
    ControlRefused,
    DeadlineExceeded,
    HallwayError,
    PeerUnavailable,
    RemoteViolation,
    Unreachable,
)
from hallway_peer_relay_signaling._messages import Failure, printable

BAD_ANSWER = "bad-answer"
TOO_SLOW = "too-slow"


class BadNews(RemoteViolation):
    """A peer told something that is not of the right shape."""

    code = "bad-request"


class TooMuchNews(RemoteViolation):
    """A peer tells more often than it may."""

    code = "rate-limited"


def closed() -> ClosedError:
    """What is raised after `aclose`."""
    return ClosedError("peer-relay was closed")


def failure_at_relay(error: HallwayError, target: str) -> Failure:
    """Why the second step, from the relay to the target, brought no answer."""
    match error:
        case PeerUnavailable():
            return Failure("relay", "not-linked", f"it has no open link to {target}")
        case DeadlineExceeded():
            return Failure("target", TOO_SLOW, "it did not answer in time")
        case ControlRefused(reason=reason):
            return Failure("target", _word(reason), printable(str(error)))
        case ClosedError():
            return Failure("relay", "closing", "it is closing")
        case _:
            return Failure("relay", _word(error.code), printable(str(error)))


def raise_first_step(error: HallwayError, relay: str, target: str) -> NoReturn:
    """Say why the first step, from us to the relay, brought no answer.

    Raises:
        DeadlineExceeded, BadEnvelope, ClosedError, Unreachable: as `Signaling.request`.

    """
    match error:
        case ClosedError() | BadEnvelope():
            raise error
        case DeadlineExceeded():
            raise DeadlineExceeded(f"no answer of {target} came through the relay {relay} in time") from error
        case ControlRefused(reason=reason):
            text = f"the relay {relay} did not take the request for {target}: {printable(str(error))} ({_word(reason)})"
            raise Unreachable(text, hint=f"see that peer-relay is in the signaling chain of {relay}") from error
        case _:
            raise Unreachable(f"the relay {relay} cannot be asked to reach {target}: {error}", hint=error.hint) from error


def raise_failure(failure: Failure, relay: str, target: str) -> NoReturn:
    """Say what a relay says of its own step.

    Raises:
        DeadlineExceeded, BadEnvelope, Unreachable: as `Signaling.request`.

    """
    if failure.by == "relay":
        raise Unreachable(f"the relay {relay} did not carry the request to {target}: {failure.message} ({failure.reason})")
    text = f"{target}, asked by the relay {relay}, gave no answer: {failure.message} ({failure.reason})"
    if failure.reason == TOO_SLOW:
        raise DeadlineExceeded(text)
    if failure.reason == BAD_ANSWER:
        raise BadEnvelope(text)
    raise Unreachable(text)


def _word(text: str) -> str:
    """A stranger's word for programs."""
    kept = "".join(letter for letter in text.lower()[:32] if letter in "abcdefghijklmnopqrstuvwxyz-").strip("-")
    return kept or "refused"
