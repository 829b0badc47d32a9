"""Checks that results were measured on the same test data."""

from __future__ import annotations

from typing import Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.results import Result


def check_same_test_data(results: Sequence[Result], remedy: str) -> None:
    """Refuses results of one task whose test data differ in a language.

    It compares the ``test_digest`` of each language; results without a digest are accepted.

    Args:
        results: results of one task.
        remedy: what the user can do; the error message ends with this text.

    Raises:
        UserError: two results were measured on different test data.
    """
    seen: dict[str, tuple[str, Result]] = {}
    for result in results:
        for language, parts in result.per_language.items():
            digest = parts.get("test_digest")
            if digest is None:
                continue
            known, other = seen.setdefault(language, (digest, result))
            if digest != known:
                raise UserError(
                    f"two results on {result.task} of {language} were measured on different test "
                    f"data: {other.system} on {_place(other)} and {result.system} on "
                    f"{_place(result)}; {remedy}"
                )


def _place(result: Result) -> str:
    """Returns the folder or file of the test data of a result, as far as the result says."""
    return result.config.get("gold") or result.config.get("test") or "an unknown place"
