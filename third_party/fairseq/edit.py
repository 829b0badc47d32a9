"""One change to a file of fairseq."""

from __future__ import annotations

from dataclasses import dataclass


class EditError(Exception):
    """An edit does not fit the source tree that it is applied to."""


@dataclass(frozen=True)
class Edit:
    """Replaces a short text that occurs exactly once in a file.

    Attributes:
        name: name of the edit.
        file: path of the file in the source tree.
        anchor: the text to replace.
        replacement: the new text.
        reason: why fairseq is changed.
        issue: the public issue about it, as ``owner/repository#number``; empty if there is none.
        until: if given, all text from the anchor up to this one, exclusive, is replaced.
    """

    name: str
    file: str
    anchor: str
    replacement: str
    reason: str
    issue: str
    until: str = ""

    def applied_to(self, text: str) -> str:
        """Edits a text.

        Raises:
            EditError: the anchor does not occur exactly once, or ``until`` does not follow it.
        """
        if text.count(self.anchor) != 1:
            raise EditError(
                f"edit {self.name}: {self.file}: {self.anchor!r} must occur once, "
                f"occurs {text.count(self.anchor)} times"
            )
        start = text.index(self.anchor)
        end = start + len(self.anchor)
        if self.until:
            if self.until not in text[end:]:
                raise EditError(
                    f"edit {self.name}: {self.file}: {self.until!r} does not follow the anchor"
                )
            end = text.index(self.until, end)
        return text[:start] + self.replacement + text[end:]
