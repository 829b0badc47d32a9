"""Checks of the text before training begins, and warnings about it."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.alignment.corpora import Corpus
from fairseq_amber.data.alignment.dataset import AlignmentDataset
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import SENTENCE_SPECIALS
from fairseq_amber.errors import UserError, warn
from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig, data_folders


def check_training_corpora(
    data: Path,
    corpora: Sequence[Corpus],
    languages: Sequence[str],
    pairs: Sequence[str],
    cfg: CrossLingualAlignmentConfig,
    needs: Needs,
) -> None:
    """Checks that a data folder has the text that the settings ask for and the terms need.

    Args:
        data: the folder.
        corpora: the corpora that have text.
        languages: the languages to train on.
        pairs: the pairs to train on.
        cfg: the settings of the task.
        needs: what the criterion needs of a batch.

    Raises:
        UserError: a language or pair that the settings name has no text in any data folder, or
            the terms need pairs and no pair has text.
    """
    opened = {corpus.name for corpus in corpora}
    others = [folder for folder in data_folders(cfg) if folder != data]
    for folder, flag, wanted, names in (
        ("mono", "--languages", cfg.languages, languages),
        ("parallel", "--pairs", cfg.pairs, pairs),
    ):
        for name in names:
            if name not in opened:
                message = f"{data}/{folder}/{name} has no {cfg.train_subset} text"
                elsewhere = (other / folder / name for other in others)
                if any(any(place.glob(f"{cfg.train_subset}*.idx")) for place in elsewhere):
                    continue
                if wanted is not None:
                    raise UserError(f"{flag}: {message}")
                warn(f"{message}: it is left out")
    if needs.pairs and not any(c.parallel for c in corpora):
        raise UserError(
            f"{data}/parallel has no {cfg.train_subset} text, which every term but MLM "
            "needs: add pairs, or train on sentences alone with the other weights "
            "(--tlm-weight and so on) at 0"
        )
    if needs.mlm and all(c.parallel for c in corpora):
        warn(f"{data}/mono has no text: the MLM term has nothing to learn from")


def warn_of_lost_text(dataset: AlignmentDataset, split: str) -> None:
    """Warns of the examples of each corpus that are left out or cut, and says why."""
    for (name, reason), count in dataset.dropped.items():
        warn(f"{split} {name}: {count:,} examples left out: {reason}")
    longest = dataset.max_length - SENTENCE_SPECIALS
    for corpus in dataset.corpora:
        if isinstance(corpus, BlockCorpus):
            cut = int((corpus.sentences.sizes - 1 > corpus.capacity).sum())
            if cut:
                warn(f"{split} {corpus.name}: {cut:,} lines cut to {corpus.capacity} tokens")
            continue
        cut = 0 if corpus.parallel else int((corpus.lengths > longest).sum())
        if cut:
            warn(f"{split} {corpus.name}: {cut:,} sentences cut to {longest} tokens")
