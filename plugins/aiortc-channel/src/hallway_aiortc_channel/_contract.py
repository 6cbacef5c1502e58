"""What we rely on in aiortc and aioice beyond their documented interfaces, checked once when a connector is made.

The two libraries have no hooks for interface policy, pacing or limits, so a few classes are extended. A release that renames what we
extend must fail with one clear sentence, not with a channel that hangs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from importlib.metadata import version

from hallway.errors import PluginError

SUPPORTED = {"aiortc": "1.16", "aioice": "0.13"}
"""The release series that were read and tested."""

METHODS = {
    "aioice.ice:Connection": (
        "connect", "close", "add_remote_candidate", "get_component_candidates", "request_received", "check_incoming",
        "data_received", "build_request", "query_consent", "_add_remote_candidate", "_pair_remote_candidate", "_check_periodic",
        "_end_remote_candidates", "sendto", "recvfrom",
    ),
    "aioice.ice:CandidatePair": ("local_candidate", "remote_addr"),
    "aioice.ice:StunProtocol": ("datagram_received", "request", "send_stun", "close"),
    "aioice.turn:TurnTransport": ("close",),
    "aiortc:RTCDataChannel": ("_addBufferedAmount",),
    "aiortc:RTCDtlsTransport": ("start", "stop", "_set_role", "_write_ssl", "_send_data"),
    "aiortc:RTCIceTransport": ("start", "stop"),
    "aiortc:RTCSctpTransport": (
        "start", "stop", "_handle_data", "_receive", "_receive_chunk", "_receive_data_chunk", "_receive_sack_chunk",
        "_data_channel_flush", "_get_inbound_stream", "_send", "_send_chunk", "_send_sack", "_set_state",
        "_update_rto", "_t1_start", "_t1_expired", "_t3_start", "_t3_expired",
    ),
}  # fmt: skip
"""Methods that we call or override."""

FIELDS = {
    "aioice.ice:Connection": (
        "_protocols", "_queue", "_check_list", "_check_list_done", "_remote_candidates", "_remote_candidates_end",
        "_early_checks", "_closing", "_nominated", "_query_consent_task",
    ),
    "aioice.ice:CandidatePair": ("protocol", "remote_candidate"),
    "aioice.candidate:Candidate": ("_network_host",),
    "aioice.ice:StunProtocol": ("transactions",),
    "aioice.turn:TurnTransport": ("_TurnTransport__close_task", "_TurnTransport__send_tasks"),
    "aiortc:RTCDtlsTransport": ("_ssl", "_task", "encrypted", "_state", "_data_receiver", "_RTCDtlsTransport__handshake_done"),
    "aiortc:RTCIceGatherer": ("_connection",),
    "aiortc:RTCSctpTransport": (
        "_advertised_rwnd", "_cwnd", "_last_sacked_tsn", "_local_tsn", "_inbound_streams",
        "_data_channel_queue", "_data_channels", "_outbound_queue",
        "_rto", "_srtt", "_rttvar", "_t1_failures", "_sent_queue",
        "_last_received_tsn", "_reconfig_response_seq", "_remote_verification_tag",
        "_association_state", "_sack_duplicates", "_sack_misordered", "_sack_needed",
    ),
}  # fmt: skip
"""Attributes that a constructor sets and we read or set."""

NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "aioice.ice:Connection": {"send": ("sendto",), "recv": ("recvfrom",), "check_complete": ("_nominated",), "connect": ("query_consent",)},
    "aiortc:RTCIceTransport": {"__init__": ("_send", "_recv", "send", "recv")},
    "aiortc:RTCDtlsTransport": {"_recv_next": ("_recv", "_RTCDtlsTransport__handshake_done", "_data_receiver", "_handle_data")},
    "aiortc:RTCSctpTransport": {
        "_data_channel_flush": ("_data_channel_queue", "_send", "_addBufferedAmount"),
        "_handle_data": ("_sack_needed", "_send_sack"),
        "_receive_chunk": ("_last_received_tsn", "_reconfig_response_seq", "_remote_verification_tag", "_ssthresh", "initiate_tag"),
        "_receive_sack_chunk": ("_update_rto", "_acked", "_transmit"),
        "_send": ("_acked", "_book_size"),
        "_send_chunk": ("_send_data",),
        "_send_sack": ("_last_received_tsn", "_advertised_rwnd", "_sack_misordered", "_sack_duplicates", "_send_chunk"),
        "_t1_start": ("_rto", "_t1_expired"),
        "_t1_expired": ("_rto", "_t1_failures", "_t1_expired"),
        "_t3_start": ("_rto", "_t3_expired"),
        "_t3_restart": ("_rto", "_t3_expired"),
        "_transmit": ("_t3_start",),
        "_update_rto": ("_srtt", "_rttvar", "_rto"),
    },
}
"""What a method works with, where our override counts on it: a timer that no longer reads its timeout would still have its name."""


def _wrong_versions() -> Iterator[str]:
    for library, series in SUPPORTED.items():
        installed = version(library)
        if not installed.startswith(f"{series}."):
            yield f"{library} {installed} is installed, {series}.* is needed"


def _load(place: str) -> type:
    module, _, name = place.partition(":")
    loaded: type = getattr(__import__(module, fromlist=[name]), name)
    return loaded


def _named_by(place: str, method: str) -> Collection[str]:
    """What a method's bytecode names: making an instance, to look at it, would need a running loop."""
    found = getattr(_load(place), method, None)
    code = getattr(found, "__code__", None)
    return () if code is None else (*code.co_names, *code.co_freevars)


def _missing() -> Iterator[str]:
    for place, names in METHODS.items():
        yield from (f"{place}.{name}" for name in names if not hasattr(_load(place), name))
    for place, names in FIELDS.items():
        yield from (f"{place}.{name}" for name in names if name not in _named_by(place, "__init__"))
    for place, methods in NAMES.items():
        for method, names in methods.items():
            yield from (f"{place}.{method}'s {name}" for name in names if name not in _named_by(place, method))


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
