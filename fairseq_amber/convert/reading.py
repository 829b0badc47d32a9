"""Reads a model of any kind that can be converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, NamedTuple

from fairseq_amber.convert.fairseq_checkpoint import (
    CHECKPOINT_NAME,
    NEW_HEAD,
    read_fairseq,
    read_trained_vocabulary,
)
from fairseq_amber.convert.hugging_face.import_model import read_hugging_face, read_own_vocabulary
from fairseq_amber.convert.hugging_face.sentence_modules import KEPT_FOLDER, read_sentence_modules
from fairseq_amber.convert.hugging_face.weight_files import WEIGHT_NAMES
from fairseq_amber.convert.pretrained import Head, Pretrained
from fairseq_amber.convert.source import CONFIG_NAME, encoder_folder, find_source
from fairseq_amber.convert.vocabulary import Vocabulary
from fairseq_amber.errors import UserError


class Source(NamedTuple):
    """A model that was read.

    Attributes:
        model: the model.
        is_checkpoint_of_ours: whether it is a checkpoint of this package.
        head: the head of a fine-tuned checkpoint.
        modules: the files of sentence-transformers that belong to it; see ``SentenceModules``.
        notes: what the user should know: what is left out or new.
        run: the settings of the run that saved a checkpoint, by fairseq's sections.
    """

    model: Pretrained
    is_checkpoint_of_ours: bool
    head: Head | None
    modules: dict[str, bytes]
    notes: list[str]
    run: Mapping[str, Any]


class Place(NamedTuple):
    """Where a model is.

    Attributes:
        path: the checkpoint, or the folder of Hugging Face.
        encoder: the part of a folder of Hugging Face that holds the encoder; None for a checkpoint.
    """

    path: Path
    encoder: Path | None


def find_model(source: Path) -> Place:
    """Finds the model that a path stands for.

    Args:
        source: a folder or a checkpoint; see ``find_source``.

    Raises:
        UserError: there is no such file, or no model in the folder.
    """
    source = find_source(source)
    if source.name in (CONFIG_NAME, *WEIGHT_NAMES) and source.is_file():
        source = source.parent
    encoder = encoder_folder(source)
    if (encoder / CONFIG_NAME).is_file():
        return Place(source, encoder)
    if not source.is_dir():
        return Place(source, None)
    if not (source / CHECKPOINT_NAME).is_file():
        raise UserError(
            f"{source} has neither {CONFIG_NAME} (Hugging Face) nor {CHECKPOINT_NAME} (fairseq); "
            "of a run, name a checkpoint in it, such as checkpoint_best.pt"
        )
    return Place(source / CHECKPOINT_NAME, None)


def model_files(source: Path) -> list[Path]:
    """Returns the files that hold the settings and the weights of a model, by name.

    Raises:
        UserError: as ``find_model``.
    """
    path, encoder = find_model(source)
    if encoder is None:
        return [path]
    kinds = ("config.json", ".safetensors", ".bin")
    return sorted(file for file in encoder.iterdir() if file.name.endswith(kinds))


def read_source(
    source: Path, data: Path | None = None, expected: Vocabulary | None = None
) -> Source:
    """Reads a model of any kind.

    Args:
        source: a folder or a checkpoint; see ``find_source``.
        data: the folder of the dictionary and the tokenizer of a checkpoint.
        expected: the vocabulary that the model has to have, where it is to read text of a data
            folder; by default any.

    Raises:
        UserError: ``source`` is not a model that can be converted, or has another vocabulary.
    """
    path, encoder = find_model(source)
    if encoder is not None:
        if data is not None:
            raise UserError("--data is for checkpoints; a Hugging Face folder has its vocabulary")
        imported = read_hugging_face(encoder, expected)
        modules, notes = read_sentence_modules(path, encoder)
        notes = imported.notes + notes
        if imported.left_out:
            notes.append(f"left out: {', '.join(sorted(imported.left_out))}")
        if imported.new_head:
            notes.append(NEW_HEAD)
        return Source(imported.model, False, None, modules, notes, {})
    checkpoint = read_fairseq(path, data, expected)
    kept = {}
    if path.name == CHECKPOINT_NAME:  # what this command wrote; the notes were given then
        kept = read_sentence_modules(path.parent / KEPT_FOLDER).files
    model, is_ours, head, notes, run = checkpoint
    return Source(model, is_ours, head, kept, notes, run)


def read_vocabulary_of(source: Path) -> Vocabulary | None:
    """Reads the vocabulary of a model, for text that the model is to read.

    Args:
        source: a folder of Hugging Face or a checkpoint.

    Returns:
        The vocabulary, with a symbol for each row of the model's embedding; None for a model of a
        type that is not read here.

    Raises:
        UserError: a file is missing or damaged.
    """
    path, encoder = find_model(source)
    return read_trained_vocabulary(path) if encoder is None else read_own_vocabulary(encoder)
