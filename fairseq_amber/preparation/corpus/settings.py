"""The settings of a preparation. The names of the fields are those of the flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VocabularySettings:
    """The settings with which a SentencePiece model is learnt.

    Attributes:
        vocab_size: number of pieces, including SentencePiece's ``<unk>``, ``<s>`` and ``</s>``.
        model_type: SentencePiece's algorithm, ``unigram`` or ``bpe``.
        character_coverage: share of the characters of the text that the pieces must cover.
        vocab_alpha: languages are sampled in proportion to lines ** vocab_alpha (mBERT: 0.7).
        vocab_sentences: largest number of lines that are sampled.
        seed: seed of the sampling.
    """

    vocab_size: int = 32000
    model_type: str = "unigram"
    character_coverage: float = 0.9995
    vocab_alpha: float = 0.7
    vocab_sentences: int = 2_000_000
    seed: int = 1


@dataclass(frozen=True)
class FilterSettings:
    """The limits that decide which lines of the training and validation text are dropped.

    Lengths are in subwords, without special tokens.

    Attributes:
        max_length: limit for each side of a pair; 254 is the largest with which every
            ``<s> x </s> y </s>`` fits into 512 positions.
        max_mono_length: limit for a sentence; 510 is the largest with which ``<s> x </s>`` fits.
        max_ratio: limit of longer side / shorter side, where a side below 5 counts as 5; 0 for no
            limit.
        deduplicate: whether only the first of equal training lines is kept.
    """

    max_length: int = 254
    max_mono_length: int = 510
    max_ratio: float = 4.0
    deduplicate: bool = False
