"""libwebrtc as a whole: whether it is there, and what is set once for the process."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from hallway_libwebrtc_channel.errors import not_usable

if TYPE_CHECKING:
    from webrtc import RTCPeerConnection

logger = logging.getLogger(__name__)

SUPPORTED = "0.1"
"""The release series of wrtc that was read and tested; until 1.0 it may change at any time."""


def _check_version() -> None:
    try:
        installed = version("wrtc")
    except PackageNotFoundError as error:
        raise not_usable("the package wrtc is not installed") from error
    if not installed.startswith(f"{SUPPORTED}."):
        raise not_usable(f"wrtc {installed} is installed, {SUPPORTED}.* is needed")


@cache
def ready_engine() -> RTCPeerConnection:
    """Import libwebrtc, start its threads, and let it use loopback addresses, which it leaves out unless told before its first connection.

    They are kept from it again, one connection at a time, where the interface policy does not allow them. The closed connection that is
    returned keeps the threads: libwebrtc ends them with the last connection and would start them again with the next.

    Raises:
        PluginError: it is not installed, cannot be imported here, or is of another series.

    """
    _check_version()
    try:
        import webrtc
    except ImportError as error:
        raise not_usable(f"wrtc cannot be imported: {error}") from error
    try:
        webrtc.allow_loopback()
    except webrtc.InvalidStateError:
        logger.info("libwebrtc is in use already, without loopback addresses: devices of one machine need a network to meet")
    keeper = webrtc.RTCPeerConnection()
    keeper.close()
    return keeper
