"""Every target, by name."""

from __future__ import annotations

from tests.fuzz import channel_targets, command_targets, file_targets, network_targets, pairing_targets, trust_targets

_MODULES = (trust_targets, pairing_targets, channel_targets, network_targets, command_targets, file_targets)
TARGETS = {target.name: target for module in _MODULES for target in module.TARGETS}
