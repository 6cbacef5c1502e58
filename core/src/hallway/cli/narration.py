"""What happens, in words."""

from __future__ import annotations

import json

from hallway.events import (
    Delivered,
    ErrorHappened,
    Event,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    PeerFound,
    PeerLost,
    PeerPath,
    SignalingMode,
    Undelivered,
    bytes_as_json,
)

REASONS = {
    "bye": "it said goodbye",
    "timeout": "it has fallen silent",
    "restarted": "it has restarted",
    "address-changed": "its address has changed",
    "revoked": "it is no longer trusted",
    "protocol": "it broke the protocol",
    "closed": "the connection was closed",
}
"""What each `hallway.protocol.effects.DownReason` means, as a clause."""


def sentence(event: Event) -> str:
    """One line for a terminal."""
    match event:
        case SignalingMode(mode):
            text = "signaling is down; it keeps trying" if mode == "none" else f"signaling is {mode}"
        case PeerFound(peer_id, plugin):
            text = f"found {peer_id} by {plugin}"
        case PeerLost(peer_id, plugin):
            text = f"{peer_id} is out of sight of {plugin}"
        case PeerConnected(peer_id, signaling, channel, ms):
            text = f"linked to {peer_id} over {channel}, signaled by {signaling}, in {ms:.0f} ms"
        case PeerPath(peer_id, signaling, channel):
            text = f"the link to {peer_id} is now over {channel}, signaled by {signaling}"
        case PeerDisconnected(peer_id, reason):
            text = f"the link to {peer_id} is down: {REASONS.get(reason, reason)}"
        case _:
            text = _of_messages(event)
    return text


def _of_messages(event: MessageReceived | Delivered | Undelivered | ErrorHappened) -> str:
    match event:
        case MessageReceived(peer_id, message):
            text = f"{peer_id} says {json.dumps(message, default=bytes_as_json)}"
        case Delivered(peer_id, message_id):
            text = f"{peer_id} has the message {message_id}"
        case Undelivered(peer_id, message_id, reason):
            text = f"the message {message_id} to {peer_id} is a dead letter: {reason}"
        case ErrorHappened(code, problem, hint):
            text = f"error {code}: {problem}{hint and f'; {hint}'}"
    return text
