"""Writes the text of the sets of AMBER_DATA that scripts/proof.sh measures by.

    python scripts/proof/text_of.py AMBER_DATA OUTPUT SET [SET ...]

The vocabulary is trimmed to it and to the text of training, which changes no cut: the numbers are
those of the whole vocabulary. Labels that stand beside the text do no harm.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Iterator

_NO_TEXT = (".gold", ".out", ".md")


def main(data: str, output: str, *sets: str) -> None:
    with open(output + ".new", "w", encoding="utf-8") as file:
        for path in (path for each in sets for path in sorted((Path(data) / each).rglob("*"))):
            if path.is_file() and path.suffix not in _NO_TEXT:
                for text in _texts(path):
                    if text.strip():
                        file.write(" ".join(text.split()) + "\n")
    os.replace(output + ".new", output)


def _texts(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        yield from _strings(json.loads(text))
    else:
        yield from text.split("\n")


def _strings(content: Any) -> Iterator[str]:
    """Yields every string of a JSON value that has text, keys and identifiers aside."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _strings(part)
    elif isinstance(content, dict):
        for key, part in content.items():
            if key not in ("id", "version"):
                yield from _strings(part)


if __name__ == "__main__":
    main(*sys.argv[1:])
