"""A checkpoint of random weights with its vocabulary, and text as long as real text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from fairseq.data import Dictionary
from real_lengths import pair_lengths

from fairseq_amber.demo_corpus.languages import realisers
from fairseq_amber.demo_corpus.sampler import Sampler
from fairseq_amber.demo_corpus.tokens import text
from fairseq_amber.models.amber import AmberConfig, AmberModel
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME, MODEL_NAME, import_sentencepiece

_PIECES = 1000


class InferenceWork(NamedTuple):
    """What the commands work on.

    Attributes:
        checkpoint: a checkpoint of random weights.
        data: the folder of its dictionary and tokenizer.
        sources: lines of text.
        targets: the translation of each of these lines.
    """

    checkpoint: Path
    data: Path
    sources: list[str]
    targets: list[str]


def make(folder: Path, shape: dict[str, Any], lines: int, sentences: int) -> InferenceWork:
    """Makes a checkpoint and text.

    Sentences in German and English are drawn from the grammar of the demo corpus, a vocabulary is
    learned from them, sentences are joined until lines are as long as in real text, and weights are
    drawn.

    Args:
        folder: the folder for everything.
        shape: the shape of the model, in fairseq's names.
        lines: number of lines of the text.
        sentences: number of different sentences to draw, of which lines are joined at random.
    """
    says = realisers()
    translations: dict[str, str] = {}  # without repetitions
    for meaning in Sampler("speed").sentences():
        translations[text(says["de"](meaning))] = text(says["en"](meaning))
        if len(translations) == sentences:
            break
    pairs = list(translations.items())
    model_file = folder / MODEL_NAME
    sentencepiece = import_sentencepiece()
    with open(model_file, "wb") as file:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=(side for pair in pairs for side in pair),
            model_writer=file,
            vocab_size=_PIECES,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
    pieces = [processor.IdToPiece(number) for number in range(3, processor.GetPieceSize())]
    listed = "".join(f"{piece} 1\n" for piece in pieces)
    (folder / DICTIONARY_NAME).write_text(listed, encoding="utf-8")
    subwords = [len(ids) for ids in processor.Encode([first for first, _ in pairs])]
    sources, targets = _joined(pairs, np.array(subwords), lines)
    checkpoint = _checkpoint(folder, shape)
    return InferenceWork(checkpoint, folder, sources, targets)


def _joined(
    pairs: list[tuple[str, str]], subwords: np.ndarray, lines: int
) -> tuple[list[str], list[str]]:
    """Different lines, each of as many sentences as come nearest to the wanted length, or more."""
    rng = np.random.default_rng(1)
    wanted = pair_lengths(lines, rng)[:, 0]
    seen: set[tuple[int, ...]] = set()
    sides: tuple[list[str], list[str]] = ([], [])
    for length in wanted:
        chosen = rng.integers(0, len(pairs), 1 + int(length // subwords.min()))
        total = np.cumsum(subwords[chosen])
        chosen = chosen[: 1 + int(np.abs(total - length).argmin())]
        while tuple(chosen) in seen:  # a repeated line would be encoded only once
            chosen = np.append(chosen, rng.integers(0, len(pairs)))
        seen.add(tuple(chosen))
        for side, joined in enumerate(sides):
            joined.append(" ".join(pairs[index][side] for index in chosen))
    return sides


def _checkpoint(folder: Path, shape: dict[str, Any]) -> Path:
    """Writes a checkpoint as fairseq-train does."""
    dictionary = Dictionary.load(str(folder / DICTIONARY_NAME))
    dictionary.add_symbol("<mask>")
    torch.manual_seed(1)
    model = AmberModel.build_model(AmberConfig(**shape), _Task(dictionary))
    path = folder / "checkpoint.pt"
    cfg = {"model": {"_name": "amber", **shape}, "task": {"data": str(folder)}}
    state = {"args": None, "cfg": cfg, "model": model.state_dict(), "optimizer_history": []}
    torch.save(state, path)
    return path


class _Task(NamedTuple):
    """The part of a task that building a model needs."""

    source_dictionary: Any
