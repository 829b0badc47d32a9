"""Tokenizers that are learnt from a few lines, and the words of their pieces."""

from __future__ import annotations

import io
from importlib.util import find_spec

import numpy as np
import pytest

from fairseq_amber.tokenizers.subwords import SentencePiece
from fairseq_amber.tokenizers.wordpiece import WordPiece
from fairseq_amber.tokenizers.wordpiece_files import WordPieceSettings, parse_wordpiece


def sentencepiece_of(lines: list[str], size: int) -> SentencePiece:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=size,
        character_coverage=0.9995,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return SentencePiece(model.getvalue())


def wordpiece_of(lines: list[str], size: int) -> WordPiece:
    """An uncased one, which drops accents: the one that changes text most."""
    tokenizers = pytest.importorskip("tokenizers")
    learner = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    learner.normalizer = tokenizers.normalizers.BertNormalizer()
    learner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False,
    )
    learner.train_from_iterator(lines, trainer)
    pieces = sorted(learner.get_vocab(), key=learner.get_vocab().__getitem__)
    settings = WordPieceSettings(True)
    return WordPiece(parse_wordpiece("\n".join(pieces).encode("utf-8"), settings.encode()))


def slow_starts(lines, split, lengths, offsets) -> np.ndarray:
    """Which pieces begin a word: those whose first character is of another word than that of the
    piece before, where the words are found by their characters one by one."""
    starts, rest = [], list(map(tuple, offsets.tolist()))
    for line, length in zip(lines, lengths.tolist()):
        numbers = {}  # of the word of each character
        at = 0
        for number, word in enumerate(split(line)):
            for character in word:
                while at < len(line) and line[at] != character:
                    at += 1
                numbers[at] = number
                at += 1
        own = [begin for begin, _ in rest[:length]]
        del rest[:length]
        words = [max((n for c, n in numbers.items() if c <= begin), default=-1) for begin in own]
        starts += [n == 0 or words[n] != words[n - 1] for n in range(length)]
    return np.array(starts, dtype=bool)


def basic_tokeniser():
    """BERT's own, which keeps capitals; it has moved between versions of transformers."""
    legacy = "transformers.models.bert.tokenization_bert_legacy"
    name = legacy if find_spec("transformers") and find_spec(legacy) else legacy[: -len("_legacy")]
    module = pytest.importorskip(name)
    return module.BasicTokenizer(do_lower_case=False).tokenize
