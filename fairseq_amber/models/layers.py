"""The number of a layer, as flags and arguments give it."""

from __future__ import annotations

from fairseq_amber.errors import UserError


def layer_number(flag: str, layer: int, depth: int, *, embeddings: bool = False) -> int:
    """A layer from 1 to ``depth``; a negative one counts from the end, so that -1 is the last.

    Args:
        flag: the name that an error blames, such as ``--sa-layer``.
        layer: as given.
        depth: how many layers the model has.
        embeddings: whether 0, the embeddings, counts as a layer too.

    Raises:
        UserError: the model has no such layer.
    """
    number = layer + depth + 1 if layer < 0 else layer
    if not (0 if embeddings else 1) <= number <= depth:
        hint = " (0: embeddings)" if embeddings else ""
        raise UserError(f"{flag} {layer}: the model has layers 1 to {depth}{hint}")
    return number
