"""Plugins of the workspace's own tests and profiles of hypothesis, chosen by ``HYPOTHESIS_PROFILE``, for every folder of tests."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["netlab.plugin", "attack_report"]

# Its tests run where nothing else of this folder is (tests/e2e/outside).
collect_ignore = ["contrib/plugin-template"]

settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("fuzz", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
