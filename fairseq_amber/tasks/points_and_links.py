"""Words, points and word links of corpora, which some criterions need."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from fairseq_amber.data.alignment.corpora import Corpus, ParallelCorpus
from fairseq_amber.data.alignment.linked_words import CorpusLinks
from fairseq_amber.data.alignment.needs import LinkSettings, Needs
from fairseq_amber.data.alignment.points import inverse_document_frequencies
from fairseq_amber.data.alignment.training_links import LinkFile
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import WordFinder, link_word_finder
from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.pair_names import languages_of
from fairseq_amber.tasks.cross_lingual_config import CrossLingualAlignmentConfig


def attach_words(
    corpora: Sequence[Corpus],
    cfg: CrossLingualAlignmentConfig,
    needs: Needs,
    symbols: Sequence[str],
    specials: Sequence[int],
) -> None:
    """Attaches the words to the corpora whose words are points or are masked whole.

    Args:
        corpora: monolingual and parallel corpora.
        cfg: the settings of the task. Words of linked text are those that the links number.
        needs: what the criterion needs of a batch.
        symbols: the symbols of the dictionary.
        specials: ids of the special tokens.

    Raises:
        UserError: the vocabulary does not mark words, or words that ``prepare`` should have kept
            are missing or are of another kind; no term reads the kind that the settings name; or
            two terms read words of different kinds.
    """
    linked, kind = needs.links is not None, str(cfg.word_boundaries)
    pointed = needs.points is not None and needs.points.words
    masked = cfg.whole_word_masking and (needs.mlm or needs.tlm)
    if not masked and not (pointed and not linked) and kind != "punctuation":
        raise UserError(
            f"--word-boundaries {kind}: no term reads words; add --whole-word-masking or "
            "--ot-points words, or leave the flag out (words of links are those of spaces)"
        )
    if not masked and not pointed:
        return
    flag = "words as points (--ot-points)" if pointed else "--whole-word-masking"
    if pointed and linked:
        if masked and kind != "spaces":
            raise UserError(
                f"--whole-word-masking reads the words of --word-boundaries {kind}, and the anchor "
                "those that links number: add --word-boundaries spaces, or leave one of them out"
            )
        kind, flag = "spaces", "words as points (--l2-units, --contrast-link-units)"
    finder = WordFinder(kind, symbols, specials, flag=f"{flag}, --word-boundaries {kind}")
    for corpus in corpora:
        if isinstance(corpus, ParallelCorpus):
            corpus.words = finder.words(corpus.sources), finder.words(corpus.targets)
        elif masked:
            corpus.words = finder.words(corpus.sentences)


def document_frequencies(corpora: Sequence[Corpus], size: int) -> dict[str, np.ndarray]:
    """Returns inverse document frequencies, (V,) for each language of the pairs, where V = ``size``
    is the number of symbols of the dictionary."""
    files: dict[str, list[TokenFile]] = {}
    for corpus in corpora:
        if isinstance(corpus, ParallelCorpus):
            for language, side in zip(languages_of(corpus.name), (corpus.sources, corpus.targets)):
                files.setdefault(language, []).append(side)
    return {lang: inverse_document_frequencies(sides, size) for lang, sides in files.items()}


def attach_links(
    corpora: Sequence[Corpus],
    settings: LinkSettings,
    split: str,
    symbols: Sequence[str],
    specials: Sequence[int],
) -> None:
    """Reads the word links of each pair from ``<folder>/<split>.<src>-<tgt>.align``.

    Args:
        corpora: monolingual and parallel corpora.
        settings: where the links are, and what they number: words between spaces, or subwords.
        split: the split that the corpora are of.
        symbols: the symbols of the dictionary.
        specials: ids of the special tokens.

    Raises:
        UserError: a file is missing, has an entry that is not a link, or does not fit the corpus;
            or the words are not known that the links number.
    """
    folder, finder = Path(settings.folder), None
    if settings.units == "words":
        flag = "links of words (--l2-units, --contrast-link-units)"
        finder = link_word_finder(symbols, specials, flag)
    for corpus in corpora:
        if isinstance(corpus, ParallelCorpus):
            path = folder / f"{split}.{corpus.name}.align"
            if not path.is_file():
                raise UserError(
                    f"cannot read {path}, the word links of the {split} text: make them with "
                    f"`fairseq-amber align CHECKPOINT --corpus DATA --split {split} --output "
                    f"{folder}`" + ("" if split == "train" else ", or add --disable-validation")
                )
            links = LinkFile(path, len(corpus))
            if finder is None:
                links.check(corpus.sources.sizes - 1, corpus.targets.sizes - 1)
                corpus.links = CorpusLinks(links, None)
            else:
                words = finder.words(corpus.sources), finder.words(corpus.targets)
                links.check(*(side.counts() for side in words))
                corpus.links = CorpusLinks(links, words, settings.subword == "first")


def warn_of_target_language(pairs: Sequence[str], language: str) -> None:
    """Warns if no pair has the target language, which may be misspelt. Then the second side of each
    pair is its target."""
    if pairs and not any(
        pair.startswith(f"{language}-") or pair.endswith(f"-{language}") for pair in pairs
    ):
        warn(
            f"no pair ({', '.join(pairs)}) has the target language {language}: the second language "
            "of each pair is its target"
        )
