"""Mistakes that the person at the keyboard can mend end in one clear line."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class UserError(Exception):
    """Bad input, a missing file or package: the message says what, where, and the remedy.

    The command line prints it as one line without a traceback and exits with status 2.
    """


def warn(message: str) -> None:
    """Says on stderr, in one line, what the person at the keyboard should know of the result."""
    print(f"fairseq-amber: warning: {message}", file=sys.stderr)


def exit_clearly(function: Function) -> Function:
    """For what ``fairseq-train`` calls: a :class:`UserError` ends the process with its one line.

    fairseq wraps ordinary exceptions of a hook in its own and prints every traceback; SystemExit
    passes through.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise SystemExit(f"fairseq_amber: error: {error}") from None

    return wrapper  # type: ignore[return-value]
