"""Checks names that come from a file before they become a part of a path.

A folder that was fetched may hold any name in its JSON files, labels and languages. A name that
passes here leads to nothing outside of the folder that it is joined to.
"""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.errors import UserError


def check_name(name: object, what: str, source: str | Path) -> str:
    """Returns a name that is the name of a file or folder, or a part of one.

    Args:
        name: the name, as it was read.
        what: what it names, for the error: "language".
        source: the file that holds it, for the error.

    Raises:
        UserError: it is not text, is empty, is ``.`` or ``..``, or holds a separator of paths, a
            control character, or half of a surrogate pair.
    """
    if (
        not isinstance(name, str)
        or name in ("", ".", "..")
        or any(character in "/\\" or not _is_printed(character) for character in name)
    ):
        raise UserError(
            f"{source}: the {what} {ascii(name)} cannot be part of a file name; remove it, or "
            "fetch the file from somebody you trust"
        )
    return name


def check_relative(path: object, what: str, source: str | Path) -> str:
    """Returns a path that stays inside of the folder that it is joined to.

    Args:
        path: the path, as it was read: names that ``/`` separates.
        what: what it names, for the error.
        source: the file that holds it, for the error.

    Raises:
        UserError: it is not text, is absolute, or has a part that ``check_name`` refuses.
    """
    for part in path.split("/") if isinstance(path, str) else [None]:
        try:
            check_name(part, what, source)
        except UserError:
            raise UserError(
                f"{source}: the {what} {ascii(path)} is not a path inside of the folder; remove "
                "it, or fetch the file from somebody you trust"
            ) from None
    return str(path)


def _is_printed(character: str) -> bool:
    code = ord(character)
    return 0x20 <= code < 0x7F or (code >= 0xA0 and not 0xD800 <= code < 0xE000)
