"""Configuration: its shape, where it comes from, and every mistake in it at once."""

from hallway.config.json_schema import json_schema
from hallway.config.loading import config_from_arguments, config_from_mapping, load_config
from hallway.config.options import between, option
from hallway.config.plain import plain
from hallway.config.schema import Config

__all__ = ["Config", "between", "config_from_arguments", "config_from_mapping", "json_schema", "load_config", "option", "plain"]
