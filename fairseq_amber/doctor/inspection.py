"""What was checked of a folder or a file, and what is damaged in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Callable

from fairseq_amber.errors import UserError


class Inspection:
    """The findings about a folder or a file.

    Args:
        path: the folder or the file.
        kind: what it is, as people call it.

    Attributes:
        checked: how many of each kind of thing were checked.
        damages: a line for each damage, with the file and the remedy.
    """

    def __init__(self, path: Path, kind: str):
        self.path = path
        self.kind = kind
        self.checked: Counter[str] = Counter()
        self.damages: list[str] = []

    def check(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function that raises ``UserError`` for a damage.

        Args:
            what: what it checks, as a plural, such as "dictionaries".
            function: the function.
            *arguments: its arguments.

        Returns:
            What the function returns; None if it found a damage.
        """
        self.checked[what] += 1
        try:
            return function(*arguments)
        except UserError as error:
            self.damages.append(str(error))
            return None

    def as_json(self) -> dict[str, Any]:
        """Returns the findings, ready for JSON."""
        found = {"path": str(self.path), "kind": self.kind, "checked": dict(self.checked)}
        return {**found, "damages": self.damages}

    def as_text(self) -> str:
        """Returns the findings as lines that people read."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        lines = [f"{self.path}: {self.kind}", f"  checked: {counts}"]
        lines += [f"  {damage}" for damage in self.damages] or ["  no damage found"]
        return "\n".join(lines)
