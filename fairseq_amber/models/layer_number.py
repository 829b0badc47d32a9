"""The number of a layer, as flags and arguments name it."""

from __future__ import annotations

from fairseq_amber.errors import UserError


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
