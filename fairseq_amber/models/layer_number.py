"""The number of a layer, as flags and arguments name it."""

from __future__ import annotations

import re

from fairseq_amber.errors import UserError

_RANGE = re.compile(r"(-?\d+)(?:-(\d+))?")


def layer_number(flag: str, layer: int, depth: int, *, embeddings: bool = False) -> int:
    """Checks the number of a layer; a negative number counts from the end, so that -1 is the last.

    Args:
        flag: the flag or argument that an error names, such as ``--sa-layer``.
        layer: the number as given.
        depth: the number of layers of the model.
        embeddings: whether 0, the embeddings, counts as a layer too.

    Returns:
        The number of the layer, from 1 to ``depth``, or 0 for the embeddings.

    Raises:
        UserError: the model has no such layer.
    """
    number = layer + depth + 1 if layer < 0 else layer
    if not (0 if embeddings else 1) <= number <= depth:
        hint = " (0: embeddings)" if embeddings else ""
        raise UserError(f"{flag} {layer}: the model has layers 1 to {depth}{hint}")
    return number


def layer_numbers(flag: str, text: str, depth: int) -> list[int]:
    """Reads the numbers of several layers, of which 0 is the embeddings.

    Args:
        flag: the flag that an error names, such as ``--layers``.
        text: ``all``, or numbers and ranges, such as ``1,4,8`` or ``1-4,-1``.
        depth: the number of layers of the model.

    Returns:
        The layers in ascending order.

    Raises:
        UserError: the text has another form, or names a layer that the model does not have.
    """
    chosen: set[int] = set()
    for part in [f"0-{depth}"] if text == "all" else text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise UserError(f"{flag} {text}: expected all, or such as 1,4,8 or 1-8")
        first, last = (
            layer_number(flag, int(number), depth, embeddings=True)
            for number in (match[1], match[2] or match[1])
        )
        if last < first:
            raise UserError(f"{flag} {text}: the range {part.strip()} ends before it begins")
        chosen.update(range(first, last + 1))
    return sorted(chosen)
