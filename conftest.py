"""Plugins of the workspace's own tests, for every folder of tests."""

pytest_plugins = ["netlab.plugin", "attack_report"]

# Its tests run where nothing else of this folder is (tests/e2e/outside).
collect_ignore = ["contrib/plugin-template"]
