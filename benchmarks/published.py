"""Shows what a benchmark found."""

from __future__ import annotations

from pathlib import Path


def publish(text: str, output: Path | None) -> None:
    """Prints a text, and writes it to a file if one is named, whose folder is made if needed."""
    print(text)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")
