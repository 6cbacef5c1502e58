"""A device whose channels cannot say which certificates they have: ``unbound_device.py ARGUMENT...``, as for ``hallway``."""

from __future__ import annotations

from hallway.cli.main import main
from hallway_aiortc_channel.channel import AiortcChannel

AiortcChannel.binding = property(lambda _: None)  # type: ignore[assignment, method-assign]

if __name__ == "__main__":
    main()
