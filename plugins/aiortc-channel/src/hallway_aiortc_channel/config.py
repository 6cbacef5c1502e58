"""The shape of ``[plugins.aiortc]``."""

from __future__ import annotations

import attrs

from hallway.webrtc.config import WebrtcConfig


@attrs.frozen
class AiortcConfig(WebrtcConfig):
    """The keys of ``[plugins.aiortc]``."""
