"""Reads a model of any kind that can be converted."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fairseq_amber.convert.fairseq_checkpoint import CHECKPOINT_NAME, read_fairseq
from fairseq_amber.convert.hugging_face.import_model import read_hugging_face
from fairseq_amber.convert.hugging_face.sentence_modules import KEPT_FOLDER, read_sentence_modules
from fairseq_amber.convert.hugging_face.weight_files import WEIGHT_NAMES
from fairseq_amber.convert.pretrained import Head, Pretrained
from fairseq_amber.convert.source import CONFIG_NAME, encoder_folder, find_source
from fairseq_amber.errors import UserError


class Source(NamedTuple):
    """A model that was read.

    Attributes:
        model: the model.
        is_checkpoint_of_ours: whether it is a checkpoint of this package.
        head: the head of a fine-tuned checkpoint.
        modules: the files of sentence-transformers that belong to it; see ``SentenceModules``.
        notes: what the user should know: what is left out or new.
    """

    model: Pretrained
    is_checkpoint_of_ours: bool
    head: Head | None
    modules: dict[str, bytes]
    notes: list[str]


def read_source(source: Path, data: Path | None) -> Source:
    """Reads a model of any kind.

    Args:
        source: a folder or a checkpoint; see ``find_source``.
        data: the folder of the dictionary and the tokenizer of a checkpoint.

    Raises:
        UserError: ``source`` is not a model that can be converted.
    """
    source = find_source(source)
    if source.name in (CONFIG_NAME, *WEIGHT_NAMES) and source.is_file():
        source = source.parent
    encoder = encoder_folder(source)
    if (encoder / CONFIG_NAME).is_file():
        if data is not None:
            raise UserError("--data is for checkpoints; a Hugging Face folder has its vocabulary")
        imported = read_hugging_face(encoder)
        modules, notes = read_sentence_modules(source, encoder)
        notes = imported.notes + notes
        if imported.left_out:
            notes.append(f"left out: {', '.join(sorted(imported.left_out))}")
        if imported.new_head:
            notes.append("it has no language model head: a new one has random weights")
        return Source(imported.model, False, None, modules, notes)
    if source.is_dir():
        if not (source / CHECKPOINT_NAME).is_file():
            raise UserError(
                f"{source} has neither {CONFIG_NAME} (Hugging Face) nor {CHECKPOINT_NAME} (fairseq)"
            )
        source = source / CHECKPOINT_NAME
    checkpoint = read_fairseq(source, data)
    kept = {}
    if source.name == CHECKPOINT_NAME:  # what this command wrote; the notes were given then
        kept = read_sentence_modules(source.parent / KEPT_FOLDER).files
    return Source(checkpoint.model, checkpoint.is_amber, checkpoint.head, kept, checkpoint.notes)
