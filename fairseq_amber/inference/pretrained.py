"""Reads a model of Hugging Face or of stock fairseq for inference, and says what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fairseq_amber.convert.fairseq_checkpoint import NEW_HEAD, read_fairseq
from fairseq_amber.convert.pretrained import Pretrained
from fairseq_amber.convert.reading import Place, read_source
from fairseq_amber.convert.vocabulary import load_vocabulary
from fairseq_amber.errors import warn


def read_pretrained(
    name: str | Path, place: Place, state: dict[str, Any] | None, data: str | Path | None
) -> Pretrained:
    """Reads a model that this package did not train, and warns of what is left out.

    Args:
        name: the path that the user gave.
        place: where the model is.
        state: the content of its checkpoint; None for a model of Hugging Face.
        data: a data folder, whose vocabulary the model has to have; None for the model's own.

    Raises:
        UserError: the model cannot be read, or has another vocabulary.
    """
    expected = None if data is None else load_vocabulary(Path(data))
    if state is None:
        source = read_source(place.path, expected=expected)
        model, notes = source.model, source.notes
    else:
        model, _, head, notes, _ = read_fairseq(place.path, expected=expected, state=state)
        if head is not None:
            notes.append(f"left out: the head for {head.kind}")
    for note in notes:
        if note != NEW_HEAD:  # nothing reads the language model head here
            warn(f"{name}: {note}")
    return model
