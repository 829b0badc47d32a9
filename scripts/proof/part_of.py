"""Writes part of the labels in AMBER_DATA, evenly spread, in a folder of the same layout.

    python scripts/proof/part_of.py AMBER_DATA FOLDER LABELS TESTS

Training files get LABELS examples, others TESTS. An example is a sentence with its tags or a line;
of the paragraphs with questions, of which each has several, a quarter of these numbers is taken.
The English dev set of PAWS-X, of which its recipe makes a training file, stays whole.
"""

import json
import sys
from pathlib import Path
from typing import List, Sequence, TypeVar

_Item = TypeVar("_Item")


def main(data: str, folder: str, labels: str, tests: str) -> None:
    root = Path(data)
    for path in sorted(
        [*(root / "tagging").rglob("*.tsv"), *(root / "nli").rglob("*.tsv")]
        + [*(root / "paraphrase").rglob("*.tsv"), *(root / "qa").rglob("*.json")]
    ):
        wanted = int(labels if "train" in path.name else tests)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            text = _paragraphs(text, wanted // 4)
        elif "tagging" in path.parts:
            sentences = [part for part in text.split("\n\n") if part.strip()]
            text = "".join(part.strip("\n") + "\n\n" for part in spread(sentences, wanted))
        elif path.name != "dev-en.tsv" or "paraphrase" not in path.parts:
            text = "".join(line + "\n" for line in spread(text.rstrip("\n").split("\n"), wanted))
        target = Path(folder) / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _paragraphs(text: str, wanted: int) -> str:
    """Returns a file of SQuAD's form with so many of its paragraphs."""
    content = json.loads(text)
    pairs = [(a, p) for a, article in enumerate(content["data"]) for p in article["paragraphs"]]
    kept = spread(pairs, wanted)
    content["data"] = [
        {**article, "paragraphs": [p for number, p in kept if number == a]}
        for a, article in enumerate(content["data"])
    ]
    content["data"] = [article for article in content["data"] if article["paragraphs"]]
    return json.dumps(content, ensure_ascii=False)


def spread(items: Sequence[_Item], wanted: int) -> List[_Item]:
    """Returns so many of the items, or all, spread evenly and in their order."""
    n = len(items)
    if wanted >= n:
        return list(items)
    return [item for i, item in enumerate(items) if (i + 1) * wanted // n > i * wanted // n]


if __name__ == "__main__":
    main(*sys.argv[1:])
