"""All edits of the official fairseq 0.12.2, in the order in which they are applied.

Run this file to print the table of README.md.
"""

from __future__ import annotations

from pathlib import Path

import build_edits
import checkpoint_edits
import configuration_edits
import model_edits
import training_edits
import version_edits
from edit import Edit, EditError

EDITS: tuple[Edit, ...] = (
    *configuration_edits.EDITS,
    *version_edits.EDITS,
    *training_edits.EDITS,
    *checkpoint_edits.EDITS,
    *model_edits.EDITS,
    *build_edits.EDITS,
)


def apply(source: Path) -> None:
    """Edits the unpacked fairseq 0.12.2 in ``source``.

    Raises:
        EditError: an edit does not fit; then nothing is changed.
    """
    texts: dict[Path, str] = {}
    for edit in EDITS:
        path = source / edit.file
        if path not in texts:
            if not path.is_file():
                raise EditError(f"edit {edit.name}: no file {edit.file}")
            texts[path] = path.read_text(encoding="utf-8")
        texts[path] = edit.applied_to(texts[path])
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")


def table() -> str:
    """Returns the edits as a Markdown table."""
    rows = ["| edit | file | why | upstream |", "|---|---|---|---|"]
    for edit in EDITS:
        repository, _, number = edit.issue.partition("#")
        link = f"[#{number}](https://github.com/{repository}/issues/{number})" if number else ""
        rows.append(f"| {edit.name} | `{edit.file}` | {edit.reason} | {link} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
