"""What a person may choose when preparing text. The field names are those of the flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VocabularySettings:
    """How a SentencePiece model is learnt.

    vocab_size: pieces, SentencePiece's ``<unk>``, ``<s>`` and ``</s>`` included.
    vocab_alpha: languages are sampled in proportion to lines ** vocab_alpha (mBERT's recipe: 0.7).
    vocab_sentences: lines sampled at most.
    """

    vocab_size: int = 32000
    model_type: str = "unigram"
    character_coverage: float = 0.9995
    vocab_alpha: float = 0.7
    vocab_sentences: int = 2_000_000
    seed: int = 1


@dataclass(frozen=True)
class FilterSettings:
    """Which lines of the training and validation text are dropped. Lengths are in subwords,
    special tokens not counted.

    max_length: of each side of a pair; 254 is the most with which every ``<s> x </s> y </s>``
        fits 512 positions.
    max_mono_length: of a monolingual line; 510 is the most with which ``<s> x </s>`` does.
    max_ratio: longer side / shorter side, sides below 5 counting as 5; 0 keeps all.
    deduplicate: drop all but the first of the training lines that encode alike.
    """

    max_length: int = 254
    max_mono_length: int = 510
    max_ratio: float = 4.0
    deduplicate: bool = False
