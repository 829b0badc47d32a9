"""Opens the text of a split for the task ``cross_lingual_alignment``, and checks it."""

from __future__ import annotations

import logging
from pathlib import Path

from fairseq.data import Dictionary

from fairseq_amber.data.alignment.corpora import Corpus, available, load_corpora
from fairseq_amber.data.alignment.misplaced import misplaced
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import Specials
from fairseq_amber.errors import UserError, warn
from fairseq_amber.tasks.collation import filled_rows
from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig, data_folders
from fairseq_amber.tasks.points_and_links import (
    attach_links,
    attach_words,
    warn_of_target_language,
)
from fairseq_amber.tasks.text_checks import check_training_corpora

logger = logging.getLogger(__name__)


def names_in(cfg: CrossLingualAlignmentConfig, data: Path, kind: str) -> list[str]:
    """Returns the names of the corpora of a kind in one of the data folders, in the order of the
    flags.

    Args:
        cfg: the settings of the task.
        data: the data folder.
        kind: ``mono`` or ``parallel``.

    Raises:
        UserError: a flag names a corpus that no data folder has.
    """
    wanted = cfg.pairs if kind == "parallel" else cfg.languages
    here = available([data], kind, None)
    return [name for name in available(data_folders(cfg), kind, wanted) if name in here]


def read_corpora(
    cfg: CrossLingualAlignmentConfig,
    data: Path,
    split: str,
    needs: Needs,
    dictionary: Dictionary,
    max_length: int,
) -> list[Corpus]:
    """Opens the corpora of a split with the words and links that the terms need.

    Args:
        cfg: the settings of the task.
        data: the data folder.
        split: the name of the split.
        needs: what the criterion needs of a batch.
        dictionary: the dictionary of all languages.
        max_length: longest row in tokens, special tokens included.

    Raises:
        UserError: see ``CrossLingualAlignmentTask.load_dataset``.
    """
    training = split == cfg.train_subset
    languages = names_in(cfg, data, "mono") if needs.mlm else []
    pairs = names_in(cfg, data, "parallel") if needs.pairs else []
    corpora = load_corpora(data, split, languages, pairs, dictionary, combine=training)
    corpora = filled_rows(corpora, cfg, max_length)
    astray = misplaced(data, split)
    if not corpora:
        raise UserError(
            f"{data} has no {split} text for this criterion (languages: "
            f"{', '.join(languages) or 'none'}; pairs: {', '.join(pairs) or 'none'})"
            + (
                f"; {astray[0]}"
                if astray
                else "; train without validation by --disable-validation"
                if split == "valid"
                else ""
            )
        )
    for text in astray:
        warn(f"left out: {text}")
    if training:
        sided = needs.points or needs.links
        if sided is not None:
            warn_of_target_language(pairs, sided.target_language)
        check_training_corpora(data, corpora, languages, pairs, cfg, needs)
    for corpus in corpora:
        logger.info("%s %s: %s examples", split, corpus.name, f"{len(corpus):,}")
    symbols, specials = dictionary.symbols, Specials.of(dictionary)
    attach_words(corpora, cfg, needs, symbols, specials)
    if needs.links is not None:
        if len(data_folders(cfg)) > 1:
            raise UserError("word links go with one data folder, not with several")
        attach_links(corpora, needs.links, split, symbols, specials)
    return corpora
