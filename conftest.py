"""Plugins of the workspace's own tests, for every folder of tests."""

pytest_plugins = ["netlab.plugin"]
