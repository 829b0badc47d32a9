"""The parts of scripts/stress.sh: python scripts/stress [PART ...].

A part is a module with ``run(settings, folder)``, which prints a line of its counts and returns how
many failures it saw.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

# Each part, with its module in this folder.
PARTS = {
    "kills": "kills",
    "disk": "disk",
    "disk-commands": "disk_commands",
    "interrupts": "interrupts",
    "two-at-once": "two_at_once",
    "damage": "damage",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="stress", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all"
    )
    parser.add_argument("--kills", type=int, default=100, help="number of kills")
    parser.add_argument("--fills", type=int, default=10, help="number of full disks")
    parser.add_argument("--interrupts", type=int, default=60, help="number of ended commands")
    parser.add_argument("--pairs", type=int, default=28, help="number of pairs at once")
    parser.add_argument("--damages", type=int, default=2000, help="number of damaged files")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments")
    parser.add_argument("--work", type=Path, help="folder of the runs; default: a temporary one")
    parser.add_argument(
        "--data", type=Path, help="a prepared data folder; default: made from noise"
    )
    settings = parser.parse_args()
    unknown = set(settings.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {unknown.pop()}; there are {', '.join(PARTS)}")
    failures = 0
    with tempfile.TemporaryDirectory(prefix="stress-") as temporary:
        for part in settings.parts or PARTS:
            folder = (settings.work or Path(temporary)) / part
            folder.mkdir(parents=True)
            failures += importlib.import_module(PARTS[part]).run(settings, folder)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
