"""Errors that the user can correct, and warnings: each is one clear line."""

from __future__ import annotations

import functools
import logging
import re
import sys
from typing import Any, Callable, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

PROGRAM = "fairseq-amber"  # begins every line on stderr
LOGGER = logging.getLogger("fairseq_amber")

# What a terminal obeys in place of showing it: control characters, line ends of Unicode, marks that
# reverse the text, and halves of characters, which no encoding has.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(Exception):
    """Bad input, or a missing file or package.

    The message says what is wrong, where, and what the user can do. The command line prints
    it as one line without a traceback and exits with status 2.
    """


def one_line(text: str) -> str:
    """Returns a text that a terminal shows in one line, as it is: a character that the terminal
    would obey becomes an escape, such as ``\\n`` or ``\\x1b``."""
    return _OBEYED.sub(lambda match: repr(match[0])[1:-1], text)


def warn(message: str) -> None:
    """Warns the user of something that affects the result, in one line.

    The package's logger takes the line, so that the log of ``fairseq-train`` and its
    ``--log-file`` have it. ``fairseq-amber`` shows it on stderr, and so does a program that has
    configured no logging.
    """
    if LOGGER.hasHandlers():
        LOGGER.warning(one_line(message))
    else:
        print(warning_line(message), file=sys.stderr)


def warning_line(message: str) -> str:
    """Returns a warning as stderr shows it."""
    return f"{PROGRAM}: warning: {one_line(message)}"


def error_line(error: UserError) -> str:
    """Returns an error as stderr shows it."""
    return f"{PROGRAM}: error: {one_line(str(error))}"


def file_error(error: OSError) -> UserError | None:
    """Returns the error for a file or folder that the system refuses, wherever it was asked for.

    Where a module knows what a file is for, it says so itself. This is for the rest: a folder of
    somebody else, a path that is too long, a disk that is gone.

    Returns:
        The error; None if the system's own names no file.
    """
    if error.filename is None or error.strerror is None:
        return None
    return UserError(
        f"cannot use {error.filename}: {error.strerror}; give a path that this user can reach"
    )


def exit_clearly(function: Function) -> Function:
    """Makes a function that ``fairseq-train`` calls end with one line on ``UserError``, and
    on a file that the system refuses.

    fairseq wraps ordinary exceptions of a hook in its own and prints every traceback, but
    ``SystemExit`` passes through.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise SystemExit(error_line(error)) from None
        except OSError as error:
            clear = file_error(error)
            if clear is None:
                raise
            raise SystemExit(error_line(clear)) from None

    return wrapper  # type: ignore[return-value]
