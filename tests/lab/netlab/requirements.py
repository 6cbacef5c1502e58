"""Whether a lab can be built here, and if not, why."""

from __future__ import annotations

import functools
import os
import shutil
import sys

from netlab.namespaces import Namespaces
from netlab.system import LabError, ip, nft


def missing() -> str | None:
    """What keeps this process from building a lab, as a clause, or None when nothing does."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "building network namespaces needs root"
    absent = [program for program in ("ip", "tc", "nft") if shutil.which(program) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return _refused()


@functools.cache
def _refused() -> str | None:
    """Try in earnest: the root of a container may lack the right to make namespaces, bridges or filters."""
    trial = Namespaces()
    try:
        namespace = trial.create("trial")
        ip(["link add br0 type bridge", "link add p0 type veth peer name p1"], namespace)
        nft(namespace, "table inet trial { }\ntable bridge trial { }\n")
    except LabError as error:
        return f"namespaces, bridges or filters are not permitted: {error}"
    finally:
        trial.demolish()
    return None
