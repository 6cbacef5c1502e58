"""The shape of ``[plugins.libwebrtc]``."""

from __future__ import annotations

import attrs

from hallway.webrtc.config import WebrtcConfig


@attrs.frozen
class LibwebrtcConfig(WebrtcConfig):
    """The keys of ``[plugins.libwebrtc]``."""
