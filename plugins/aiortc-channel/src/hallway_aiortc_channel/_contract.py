"""What we rely on in aiortc and aioice beyond their documented interfaces, checked once when a connector is made.

The two libraries have no hooks for interface policy, pacing or limits, so a few classes are extended. A release that renames what we
extend must fail with one clear sentence, not with a channel that hangs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import version

from hallway.errors import PluginError

SUPPORTED = {"aiortc": "1.16", "aioice": "0.13"}
"""The release series that were read and tested."""

METHODS = {
    "aioice.ice:Connection": (
        "connect", "close", "add_remote_candidate", "get_component_candidates", "request_received", "check_incoming", "data_received",
        "_add_remote_candidate", "_pair_remote_candidate", "_check_periodic", "_end_remote_candidates",
    ),
    "aioice.ice:StunProtocol": ("datagram_received", "request", "send_stun", "close"),
    "aioice.turn:TurnTransport": ("close",),
    "aiortc:RTCDtlsTransport": ("start", "stop", "_set_role"),
    "aiortc:RTCIceTransport": ("start", "stop"),
    "aiortc:RTCSctpTransport": (
        "start", "stop", "_handle_data", "_receive", "_receive_data_chunk", "_receive_sack_chunk",
        "_get_inbound_stream", "_send", "_send_chunk", "_set_state",
    ),
}  # fmt: skip
"""Methods that we call or override."""

FIELDS = {
    "aioice.ice:Connection": (
        "_protocols", "_queue", "_check_list", "_check_list_done", "_remote_candidates", "_remote_candidates_end",
        "_early_checks", "_closing",
    ),
    "aioice.turn:TurnTransport": ("_TurnTransport__close_task", "_TurnTransport__send_tasks"),
    "aiortc:RTCDtlsTransport": ("_ssl", "_task"),
    "aiortc:RTCIceGatherer": ("_connection",),
    "aiortc:RTCSctpTransport": (
        "_advertised_rwnd", "_cwnd", "_data_channel_queue", "_last_sacked_tsn", "_local_tsn", "_inbound_streams",
    ),
}  # fmt: skip
"""Attributes that a constructor sets and we read."""


def _wrong_versions() -> Iterator[str]:
    for library, series in SUPPORTED.items():
        installed = version(library)
        if not installed.startswith(f"{series}."):
            yield f"{library} {installed} is installed, {series}.* is needed"


def _load(place: str) -> type:
    module, _, name = place.partition(":")
    loaded: type = getattr(__import__(module, fromlist=[name]), name)
    return loaded


def _missing() -> Iterator[str]:
    for place, names in METHODS.items():
        yield from (f"{place}.{name}" for name in names if not hasattr(_load(place), name))
    for place, names in FIELDS.items():
        # The constructor's bytecode names what it sets: making an instance would need a running loop.
        known = _load(place).__init__.__code__.co_names  # type: ignore[misc]
        yield from (f"{place}.{name}" for name in names if name not in known)


@cache
def check_libraries() -> None:
    """Make sure that the installed aiortc and aioice are what this plugin was written for.

    Raises:
        PluginError: they are not; it names every difference.

    """
    problems = list(_wrong_versions()) or [f"{name} is gone" for name in _missing()]
    if problems:
        raise PluginError(
            "aiortc",
            "; ".join(problems),
            distribution=f"hallway-aiortc-channel {version('hallway-aiortc-channel')}",
            hint="install the versions that hallway-aiortc-channel asks for",
        )
