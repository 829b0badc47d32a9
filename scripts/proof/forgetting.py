"""Tabulates what an encoder of scripts/proof.sh keeps: English, languages of its text, and others.

    python scripts/proof/forgetting.py OUT "fr ja zh" SYSTEM [SYSTEM ...]

OUT/forgetting.md gets a row for each task and system: the mean score over the test languages of
each kind, and over seeds. The languages are those of the text of training beside English. Results
are OUT/tatoeba/SYSTEM.json and OUT/transfer/TASK-SYSTEM/SEED/test.json, as far as they are there.
"""

import json
import os
import sys
from pathlib import Path
from statistics import mean

# Tatoeba's names of the languages that AMBER_DATA has training text of
_NAMES = "ar=ara de=deu es=spa fr=fra hi=hin ja=jpn ru=rus sw=swh tr=tur zh=cmn"
_THREE = dict(pair.split("=") for pair in _NAMES.split())
_KINDS = ("English", "in the text", "not in the text")


def main(out: str, languages: str, *systems: str) -> None:
    known = {*languages.split(), *(_THREE.get(name, name) for name in languages.split())}
    lines = [f"| task | system | {' | '.join(_KINDS)} |", "|---|---|---:|---:|---:|"]
    for task, by_system in _results(Path(out), systems).items():
        for system, results in by_system.items():
            scores = {kind: [] for kind in _KINDS}
            for per_language in results:
                for name, parts in per_language.items():
                    scores[_kind(name, known)].append(parts["score"])
            cells = [f"{mean(found):.1f}" if found else "" for found in scores.values()]
            lines.append(f"| {task} | {system} | {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    Path(out, "forgetting.md.new").write_text(text, encoding="utf-8")
    os.replace(Path(out, "forgetting.md.new"), Path(out, "forgetting.md"))
    print(text, end="")


def _results(out: Path, systems: tuple) -> dict:
    """Returns, for each task and system, the scores by language of each result."""
    found: dict = {}
    for system in systems:
        paths = [("retrieval", out / "tatoeba" / f"{system}.json")]
        for path in sorted(out.glob(f"transfer/*-{system}/*/test.json")):
            task = path.parts[-3][: -len(system) - 1]
            if "-" not in task:  # else the end of another system's name
                paths.append((task, path))
        for task, path in paths:
            if path.exists():
                content = json.loads(path.read_text(encoding="utf-8"))
                found.setdefault(task, {}).setdefault(system, []).append(content["per_language"])
    return found


def _kind(name: str, known: set) -> str:
    """Returns which kind of language a score is of, which is named fr, or fra-eng for retrieval."""
    language = name.split("-")[0]
    if language == "en":
        return _KINDS[0]
    return _KINDS[1] if language in known else _KINDS[2]


if __name__ == "__main__":
    main(*sys.argv[1:])
