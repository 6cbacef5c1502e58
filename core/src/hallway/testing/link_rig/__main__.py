"""Lives one seed again and tells its story: ``python -m hallway.testing.link_rig --seed 7 --devices 3``."""

from __future__ import annotations

import argparse
import sys

from hallway.testing.link_rig.lives import live
from hallway.testing.link_rig.values import Ends, PromiseBroken, Setting


def main(arguments: list[str] | None = None) -> int:
    """Print the story of a life. Returns 0 if all was well, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m hallway.testing.link_rig", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--sight", choices=[each.value for each in Ends], default="both")
    parser.add_argument("--reach", choices=[each.value for each in Ends], default="both")
    parser.add_argument("--faulty", type=float, default=20.0)
    parser.add_argument("--cloud", action="store_true")
    given = parser.parse_args(arguments)
    try:
        outcome = live(given.seed, Setting(given.devices, Ends(given.sight), Ends(given.reach), given.cloud, given.faulty))
    except PromiseBroken as broken:
        sys.stdout.write(f"{broken}\n")
        return 1
    told = outcome.complaint or f"all is well\n{outcome.rig.story(*outcome.rig.ends_of(outcome.rig.last_down()))}"
    sys.stdout.write(f"{told}\n")
    return 0 if outcome.complaint is None else 1


if __name__ == "__main__":
    sys.exit(main())
