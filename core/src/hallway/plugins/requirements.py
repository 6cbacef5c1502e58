"""Whether an installed plugin is made for this version of hallway: installers check it, and may be told not to."""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

OURS = "hallway"


def unmet(distribution: Distribution | None) -> str | None:
    """What ``distribution`` needs of hallway and does not have, as a clause; None if nothing is amiss."""
    try:
        here = version(OURS)
    except PackageNotFoundError:
        return None
    needs = (_specifier(text) for text in (distribution.requires or () if distribution else ()))
    wanted = [need for need in needs if need is not None and not need.specifier.contains(here, prereleases=True)]
    return f"it needs {wanted[0]}, and this is {OURS} {here}" if wanted else None


def _specifier(text: str) -> Requirement | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    return requirement if applies and canonicalize_name(requirement.name) == OURS else None
