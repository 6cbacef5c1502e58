"""Every error of hallway, named by whose doing it is.

::

    HallwayError                      code, message, hint
    ├── ConfigError                   the operator's: every mistake at once, each with its path
    ├── PluginError                   a plugin's: names its distribution, version and cause
    ├── MisuseError                   ours, the calling program's
    │   ├── ClosedError               we closed it ourselves
    │   ├── BusyError                 two tasks did what one may do at a time
    │   ├── BadMessage                not a JSON value, nor bytes
    │   ├── BadInvitation             not the text of an invitation, or a code, or with a slip in it
    │   ├── MessageTooLarge           larger than the channel takes
    │   ├── PeerUnavailable           nothing known of that peer
    │   └── OutboxFull                more waits for that peer than may wait
    ├── ControlRefused                the peer's: said no to a request over the open link
    ├── CommandRefused                the running device's: said no to a command over its control socket
    ├── PairingRefused                the inviting device's: this device is not taken in, with the reason
    ├── ControlUnavailable            this machine's: a control socket cannot be made or used
    ├── RemoteViolation               the peer's: broke the protocol
    │   ├── BadDescription            an offer or answer that cannot be used
    │   ├── BadEnvelope               signaling bytes that cannot be read
    │   ├── BadFrame                  a frame that cannot be read
    │   └── Untrusted                 what cannot be proved to come from a member of the property, with the reason
    ├── DeliveryFailed                nobody's alone: a message that waited for a peer will never be delivered
    ├── StoreError                    this machine's: the files that hold the outbox and the inbox
    │   ├── StoreBusy                 the operator's: another process has them
    │   ├── StoreUnusable             the operator's: no such folder, no permission, a newer version's, another program's
    │   ├── StorageFull               the disk is full, or its quota used up; works again when there is room
    │   └── StoreDamaged              the disk or the database is broken
    ├── TrustStateError               the operator's: the folder that holds this device's keys and enrolment
    │   ├── NotEnrolled               it holds no enrolment
    │   ├── StateExposed              others could read or change it
    │   ├── StateUnusable             no such folder, no permission, no room
    │   ├── StateCorrupt              a file in it is not what was written
    │   ├── WrongPassphrase           it does not open the recovery file
    │   ├── AlreadyEnrolled           it holds an enrolment, and not the one that was asked for
    │   ├── NotAdmin                  this device may not take others in or turn them away
    │   ├── ClockDoubtful             the clock of this admin is years ahead of all that was signed before
    │   └── StateBusy                 another process has it
    └── NetworkError                  nobody's: the network between
        ├── Unreachable               refused, no route, reset
        ├── DeadlineExceeded          nothing came in time
        ├── ChannelClosed             the channel ended: the peer closed it, or the network did
        ├── SignalingUnavailable      a signaling plugin cannot come up now
        ├── DiscoveryUnavailable      a discovery plugin cannot come up now
        └── NoSignalingError          no entry of the signaling chain came up: every attempt with its reason

``code`` is a stable word for programs (it is what ``--json`` prints), ``str(error)`` says who did what, ``hint`` says what to do next.
Plugins map the errors of their libraries to these at their edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs


class HallwayError(Exception):
    """The root of all errors that hallway raises on purpose."""

    code: str = "error"
    hint: str

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


UNKNOWN_KEY = "is not a known key"
"""How the problem of a `Mistake` about a key that does not exist begins."""


@attrs.frozen
class Mistake:
    """One thing that is wrong in a configuration.

    ``path`` is the dotted key (``plugins.http-local.port``), ``problem`` a clause without a full stop, ``suggestion`` what to write instead
    or "".
    """

    path: str
    problem: str
    suggestion: str = ""

    def __str__(self) -> str:
        """One line for a terminal."""
        tail = f" ({self.suggestion})" if self.suggestion else ""
        return f"{self.path}: {self.problem}{tail}"


class ConfigError(HallwayError):
    """The configuration has mistakes; all of them are in ``mistakes``."""

    code = "config"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        count = len(self.mistakes)
        noun = "mistake" if count == 1 else "mistakes"
        known = any(mistake.problem.startswith(UNKNOWN_KEY) for mistake in self.mistakes)
        hint = "every key is in docs/reference/config.md, and `hallway config schema` prints them all" if known else ""
        super().__init__(f"{count} {noun} in the configuration:\n{lines}", hint=hint)


class PluginError(HallwayError):
    """A plugin cannot be loaded or broke the plugin contract."""

    code = "plugin"

    def __init__(self, plugin: str, problem: str, *, distribution: str = "an unknown distribution", hint: str = "") -> None:
        super().__init__(f"plugin {plugin!r} from {distribution}: {problem}", hint=hint)
        self.plugin = plugin
        self.problem = problem
        self.distribution = distribution


class MisuseError(HallwayError):
    """The calling program asked for something that cannot be."""

    code = "misuse"


class ClosedError(MisuseError):
    """We closed it ourselves, earlier."""

    code = "closed"


class BusyError(MisuseError):
    """Two tasks did at once what one may do at a time."""

    code = "busy"


class BadMessage(MisuseError):
    """The message is not a JSON value, nor bytes."""

    code = "bad-message"


class BadInvitation(MisuseError):
    """The text is no invitation or code, or has been mistyped."""

    code = "bad-invitation"


class MessageTooLarge(MisuseError):
    """The message is larger than the channel to that peer takes."""

    code = "message-too-large"


class PeerUnavailable(MisuseError):
    """Nothing is known of that peer, or there is no open link to it for a message that is not to wait."""

    code = "peer-unavailable"


class OutboxFull(MisuseError):
    """More waits for some peers than may wait; nothing was stored for those in ``peers``."""

    code = "outbox-full"

    def __init__(self, peers: Sequence[str]) -> None:
        self.peers = tuple(peers)
        names = ", ".join(self.peers)
        super().__init__(
            f"the outbox is full for {names}",
            hint="send again when messages have been delivered, give messages a time to live, or raise the quota in [delivery]",
        )


class ControlRefused(HallwayError):
    """The peer said no to a request over the open link; ``reason`` is its word for it."""

    code = "refused"

    def __init__(self, message: str, *, reason: str = "refused", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class CommandRefused(HallwayError):
    """A running device said no to a command over its control socket; ``code`` is that of its own error."""

    code = "refused"

    def __init__(self, message: str, *, code: str = "refused", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class PairingRefused(HallwayError):
    """The device that invites does not take this one in; ``reason`` is the word for why (`hallway.trust.pairing_wire.No`)."""

    code = "pairing-refused"

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ControlUnavailable(HallwayError):
    """The control socket of a device cannot be made, or is not to be trusted."""

    code = "control-unavailable"


class RemoteViolation(HallwayError):
    """The peer broke the protocol."""

    code = "protocol"


class BadDescription(RemoteViolation):
    """An offer or an answer that cannot be used."""

    code = "bad-description"


class BadEnvelope(RemoteViolation):
    """Signaling bytes that cannot be read."""

    code = "bad-envelope"


class BadFrame(RemoteViolation):
    """A frame that cannot be read."""

    code = "bad-frame"


class Untrusted(RemoteViolation):
    """What a peer sent is not proved to come from a member that may send it; ``reason`` is the word for why (`hallway.trust.reasons`)."""

    code = "untrusted"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TrustStateError(HallwayError):
    """The folder with this device's keys and enrolment lets us down."""

    code = "trust-state"


class NotEnrolled(TrustStateError):
    """The folder holds no enrolment."""

    code = "not-enrolled"


class StateExposed(TrustStateError):
    """Somebody else than its owner could read or change the folder or a file in it; nothing was read."""

    code = "state-exposed"


class StateUnusable(TrustStateError):
    """The folder or a file in it cannot be read or written."""

    code = "state-unusable"


class StateCorrupt(TrustStateError):
    """A file of the folder is not what was written to it."""

    code = "state-corrupt"


class WrongPassphrase(TrustStateError):
    """The passphrase does not open the recovery file."""

    code = "wrong-passphrase"


class AlreadyEnrolled(TrustStateError):
    """The folder holds an enrolment already, and not the one that was asked for."""

    code = "already-enrolled"


class NotAdmin(TrustStateError):
    """The device is no admin of its property: it may not take others in or turn them away."""

    code = "not-admin"


class ClockDoubtful(TrustStateError):
    """By the clock of this admin every credential of its property has ended, and nobody bears it out: it takes nobody in by that time."""

    code = "clock-doubtful"


class StateBusy(TrustStateError):
    """Another process has the folder."""

    code = "state-busy"


class DeliveryFailed(HallwayError):
    """A message that waited for a peer has expired, was refused or taken back, or nobody was to tell."""

    code = "delivery-failed"


class StoreError(HallwayError):
    """The files of the store let us down."""

    code = "store"


class StoreBusy(StoreError):
    """Another process has the store."""

    code = "store-busy"


class StoreUnusable(StoreError):
    """The store cannot be opened as it is."""

    code = "store-unusable"


class StorageFull(StoreError):
    """There is no room for what was to be stored, and nothing of it was."""

    code = "storage-full"


class StoreDamaged(StoreError):
    """The store cannot be read or written; what was asked for was not done."""

    code = "store-damaged"


class NetworkError(HallwayError):
    """The network between two devices failed."""

    code = "network"


class Unreachable(NetworkError):
    """Refused, no route, or reset before an answer."""

    code = "unreachable"


class DeadlineExceeded(NetworkError):
    """Nothing came in time."""

    code = "deadline-exceeded"


class ChannelClosed(NetworkError):
    """The channel has ended, by the peer or by the network."""

    code = "channel-closed"


class SignalingUnavailable(NetworkError):
    """A signaling plugin cannot come up now; it is tried again later."""

    code = "signaling-unavailable"


class DiscoveryUnavailable(NetworkError):
    """A discovery plugin cannot come up now; it is tried again later."""

    code = "discovery-unavailable"


class NoSignalingError(NetworkError):
    """No entry of the signaling chain came up. ``attempts`` maps each plugin name to its reason."""

    code = "no-signaling"

    def __init__(self, attempts: dict[str, str]) -> None:
        self.attempts = dict(attempts)
        tried = "; ".join(f"{plugin}: {reason}" for plugin, reason in attempts.items())
        super().__init__(
            f"no signaling came up. Tried {tried}",
            hint="mend what the reasons name, or name another plugin in [signaling].chain",
        )
