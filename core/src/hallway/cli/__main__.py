"""``python -m hallway.cli``: the ``hallway`` command."""

from hallway.cli.main import main

main()
