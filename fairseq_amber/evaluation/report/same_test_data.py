"""Checks that results can be compared: each is another one, and their test data is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.results import Result


def check_different(paths: Sequence[Path], results: Sequence[Result]) -> None:
    """Refuses two files that hold one result, such as a copy, which is no second seed.

    Args:
        paths: the files.
        results: the result in each. Those without a checkpoint are accepted: two seeds may score
            alike.

    Raises:
        UserError: two results are equal.
    """
    for number, (path, result) in enumerate(zip(paths, results)):
        if "checkpoint" in result.config and result in results[:number]:
            other = paths[results.index(result)]
            raise UserError(f"{path} holds the same result as {other}; give each result once")


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
