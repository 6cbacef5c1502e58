"""The shape of ``[plugins.template]``."""

from __future__ import annotations

import attrs

from hallway.config.options import between, option

NAME = "template"
"""The plugin's name: its entry point and its config table."""


@attrs.frozen
class TemplateConfig:
    """Options of `template`."""

    path: str = option(help="a folder that every device of the site can read and write")
    interval: float = option(help="seconds between two looks at the folder", default=1.0, check=between(0.01, 60))
    expiry: float = option(help="seconds until a device that shows no sign of life has gone", default=10.0, check=between(1, 600))
