"""How the settings of the task ``cross_lingual_alignment`` turn text into rows and batches."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
from fairseq.data import Dictionary

from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.corpora import Corpus, MonolingualCorpus
from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.points import PointFinder
from fairseq_amber.data.alignment.rows import PairLayout
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, PairMarks, Specials
from fairseq_amber.errors import UserError
from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig


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
    """
    specials = Specials.of(dictionary)
    # <mask> is the last symbol unless dict.txt lists it elsewhere.
    ordinary = (dictionary.nspecial, len(dictionary) - (specials.mask == len(dictionary) - 1))
    masking = Masking(
        MaskingRates(cfg.mask_prob, cfg.leave_unmasked_prob, cfg.random_token_prob),
        specials.mask,
        ordinary,
        cfg.whole_word_masking,
    )
    flags = {"pair_segments": cfg.pair_segments, "pair_positions": cfg.pair_positions}
    layout = PairLayout(PairMarks.of(flags), cfg.pair_order == "both")
    points = None if needs.points is None else PointFinder(needs.points, idf)
    linked = None if needs.links is None else LinkedWords(needs.links)
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
