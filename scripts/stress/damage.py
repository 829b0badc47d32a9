"""Damages every kind of file that fairseq-amber reads, and counts what its commands do.

It is the part ``damage`` of scripts/stress.sh, and a program:

    python scripts/stress/damage.py --count 5000

A command must give the same result, or end with status 2 and one line that names the file. Where
any content would do, as in a text, the result may differ ("other"). Anything else is "wrong".
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from itertools import chain, cycle
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "tests" / "shared"))

VERDICTS = ("unharmed", "other", "named", "wrong")
GROUPS = ("corpus", "measuring", "tasks", "models", "wordpieces")


def run(settings: argparse.Namespace, folder: Path) -> int:
    """Damages files in turn until ``settings.damages`` are done, and prints the table.

    Returns:
        How many commands did something wrong; each is shown.
    """
    import fairseq  # noqa: F401  (first, so that the plugin registers itself)
    import torch

    from damage_scenes import Scenes
    from damage_trials import command_line, damages, judge, run_whole

    torch.set_num_threads(1)
    (root := folder / "world").mkdir()
    scenes, out = Scenes(root), folder / "out"
    groups = getattr(settings, "groups", GROUPS)
    trials = list(chain.from_iterable(getattr(scenes, name)() for name in groups))
    results = [run_whole(trial, out) for trial in trials]
    made = [
        damages(trial.file.read_bytes(), random.Random(f"{settings.seed} {number}"))
        for number, trial in enumerate(trials)
    ]
    table: dict[str, Counter] = {}
    for _, number in zip(range(settings.damages), cycle(range(len(trials)))):
        trial, (name, damaged) = trials[number], next(made[number])
        outcome = judge(trial, damaged, results[number], out)
        table.setdefault(trial.kind, Counter())[outcome.verdict] += 1
        if outcome.verdict == "wrong":
            file = trial.file.relative_to(root)
            print(f"wrong: {file}, {name}: {command_line(trial)}: {outcome.detail}", flush=True)
    total = sum(table.values(), Counter())
    print(f"{'kind of file':36}" + "".join(f"{verdict:>10}" for verdict in VERDICTS))
    for kind, counts in sorted(table.items()):
        print(f"{kind:36}" + "".join(f"{counts[verdict]:10,}" for verdict in VERDICTS))
    counts = ", ".join(f"{total[verdict]:,} {verdict}" for verdict in VERDICTS)
    print(f"damage: {settings.damages:,} damaged files, {len(trials)} commands: {counts}")
    return total["wrong"]


def main() -> int:
    """Runs the part alone; returns 1 if a command did something wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, dest="damages", help="of damaged files")
    parser.add_argument("--seed", type=int, default=1, help="seed of the damages")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS, help="of files")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stress-") as folder:
        return int(run(settings, Path(folder)) > 0)


if __name__ == "__main__":
    sys.exit(main())
