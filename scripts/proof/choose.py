"""Chooses how the words of each system of scripts/proof.sh are aligned, by development pairs alone.

    python scripts/proof/choose.py DEV_RESULTS CHOSEN

DEV_RESULTS has SYSTEM-SEED-METHOD.json of ``fairseq-amber aer`` for several layers. CHOSEN gets a
line for each system: its name, the method and the layer with the lowest alignment error rate, as
mean over language pairs and seeds, and that rate, between tabs. Of equal ones the first method by
name and the lowest layer are taken. A system that CHOSEN has already keeps its line, because test
pairs have been aligned by it.
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean


def main(results: str, chosen: str) -> None:
    rates = defaultdict(list)
    for path in sorted(Path(results).glob("*.json")):
        system, _, method = path.stem.rsplit("-", 2)
        pairs = json.loads(path.read_text(encoding="utf-8"))["per_language"].values()
        for layer in next(iter(pairs))["layers"]:
            rate = mean(pair["layers"][layer] for pair in pairs)
            rates[system, method, int(layer)].append(rate)
    best = {}
    for (system, method, layer), found in rates.items():
        best[system] = min(best.get(system, (101.0,)), (mean(found), method, layer))
    lines = {
        system: f"{system}\t{method}\t{layer}\t{rate:.2f}"
        for system, (rate, method, layer) in best.items()
    }
    if Path(chosen).exists():
        kept = Path(chosen).read_text(encoding="utf-8").splitlines()
        lines.update({line.split("\t")[0]: line for line in kept})
    text = "".join(lines[system] + "\n" for system in sorted(lines))
    Path(chosen + ".new").write_text(text, encoding="utf-8")
    os.replace(chosen + ".new", chosen)


if __name__ == "__main__":
    main(*sys.argv[1:])
