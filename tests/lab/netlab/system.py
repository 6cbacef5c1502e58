"""The programs that build a lab: `ip` with its `tc`, and `nft`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

COMMAND_TIMEOUT = 20.0
"""Seconds that one of them may take; they take milliseconds."""


class LabError(Exception):
    """The lab cannot do what was asked, or a process in it did not do what was awaited."""


def command(argv: Sequence[str], stdin: str = "") -> str:
    """Run a program in the machine's own namespace and return what it printed.

    Raises:
        LabError: it failed; the message holds its own words.

    """
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=False)
    if done.returncode:
        script = f"\n{stdin}" if stdin else ""
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip() or done.stdout.strip()}{script}")
    return done.stdout


def ip(lines: Sequence[str], namespace: str | None = None) -> None:
    """Run several `ip` commands as one batch, in ``namespace`` or else in the machine's own."""
    inside = ("-n", namespace) if namespace else ()
    command(["ip", *inside, "-batch", "-"], "\n".join(lines) + "\n")


def nft(namespace: str, script: str) -> None:
    """Load an nft script in ``namespace``; it holds as a whole or not at all."""
    command(["ip", "netns", "exec", namespace, "nft", "-f", "-"], script)


def traffic_control(namespace: str, arguments: str) -> None:
    """Run one `tc` command in ``namespace``."""
    command(["ip", "netns", "exec", namespace, "tc", *arguments.split()])


def configure(namespace: str, settings: Mapping[str, str], script: str = "") -> None:
    """Write sysctl ``settings`` (path below /proc/sys to value; what this kernel lacks is left out) and load an nft script."""
    writes = "".join(f"[ ! -e /proc/sys/{path} ] || echo {value} > /proc/sys/{path}\n" for path, value in settings.items())
    load = "exec nft -f -" if script else ""
    command(["ip", "netns", "exec", namespace, "sh", "-ec", writes + load], script)


def nft_list(namespace: str, kind: str, name: str) -> dict[str, Any]:
    """One object (``kind`` is ``counter`` or ``set``) of the namespace's table ``inet lab``, as `nft -j` shows it."""
    listing = command(["ip", "netns", "exec", namespace, "nft", "-j", "list", kind, "inet", "lab", name])
    found: dict[str, Any] = next(item[kind] for item in json.loads(listing)["nftables"] if kind in item)
    return found


def set_counters(namespace: str, name: str) -> dict[str, int]:
    """The packet counters of an nft set, by element."""
    elements = (entry["elem"] for entry in nft_list(namespace, "set", name).get("elem", ()))
    return {element["val"]: element["counter"]["packets"] for element in elements}
