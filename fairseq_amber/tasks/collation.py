"""How the settings of the task ``cross_lingual_alignment`` turn text into rows and batches."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
from fairseq.data import Dictionary

from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.corpora import Corpus, MonolingualCorpus
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.rows import PairLayout
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, PairMarks, Specials
from fairseq_amber.data.whole_words import word_boundaries
from fairseq_amber.errors import UserError
from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig
from fairseq_amber.tasks.points_and_links import linked_words, point_finder


def collater(
    cfg: CrossLingualAlignmentConfig,
    needs: Needs,
    dictionary: Dictionary,
    idf: Mapping[str, np.ndarray] | None,
) -> Collater:
    """Makes the collater.

    Args:
        cfg: the settings of the task.
        needs: what the criterion needs of a batch.
        dictionary: the dictionary of all languages.
        idf: inverse document frequencies by language, if points need them.

    Raises:
        UserError: words are needed, and the vocabulary does not mark words.
    """
    specials, symbols = Specials.of(dictionary), dictionary.symbols
    # <mask> is the last symbol unless dict.txt lists it elsewhere.
    ordinary = (dictionary.nspecial, len(dictionary) - (specials.mask == len(dictionary) - 1))
    masking = Masking(
        MaskingRates(cfg.mask_prob, cfg.leave_unmasked_prob, cfg.random_token_prob),
        specials.mask,
        ordinary,
        word_boundaries(symbols, specials) if cfg.whole_word_masking else None,
    )
    flags = {"pair_segments": cfg.pair_segments, "pair_positions": cfg.pair_positions}
    layout = PairLayout(PairMarks.of(flags), cfg.pair_order == "both")
    points = linked = None
    if needs.points is not None:
        points = point_finder(needs.points, symbols, specials, idf)
    if needs.links is not None:
        linked = linked_words(needs.links, symbols, specials)
    return Collater(specials, needs, masking, layout, cfg.seed, points, linked)


def filled_rows(
    corpora: Sequence[Corpus], cfg: CrossLingualAlignmentConfig, max_length: int
) -> list[Corpus]:
    """Fills the rows of monolingual corpora with consecutive lines, if ``--sentence-rows`` says so.

    Args:
        corpora: monolingual and parallel corpora.
        cfg: the settings of the task.
        max_length: longest row in tokens, special tokens included.
    """
    if cfg.sentence_rows == "line":
        return list(corpora)
    specials = PAIR_SPECIALS if cfg.sentence_segments else SENTENCE_SPECIALS
    return [
        BlockCorpus(
            corpus.name,
            corpus.sentences,
            max_length - specials,
            separated=not cfg.sentence_segments,
            documents=cfg.sentence_rows == "document",
        )
        if isinstance(corpus, MonolingualCorpus)
        else corpus
        for corpus in corpora
    ]


def check_token_types(cfg: CrossLingualAlignmentConfig, model: Any) -> None:
    """Raises UserError if rows of two segments are asked for and the model has no token types."""
    types = getattr(model.encoder.sentence_encoder, "embed_segments", None)
    if cfg.sentence_segments and types is None:
        raise UserError(
            "--sentence-segments: the model has no token types; add --token-types 2, "
            "take --arch amber_mbert, or leave the flag out"
        )
