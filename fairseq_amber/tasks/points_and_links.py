"""Points and word links of parallel corpora, which some criterions need."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Sequence

import numpy as np

from fairseq_amber.data.alignment.corpora import Corpus, ParallelCorpus
from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.alignment.needs import LinkSettings, PointSettings
from fairseq_amber.data.alignment.points import PointFinder, inverse_document_frequencies
from fairseq_amber.data.alignment.training_links import LinkFile
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import word_boundaries
from fairseq_amber.errors import UserError, warn


def point_finder(
    settings: PointSettings,
    symbols: Sequence[str],
    specials: Specials,
    idf: Mapping[str, np.ndarray] | None,
) -> PointFinder:
    """Makes the finder of the points of sentences.

    Args:
        settings: which subwords are points.
        symbols: the symbols of the dictionary.
        specials: ids of the special tokens.
        idf: inverse document frequencies by language, if the settings use them.

    Raises:
        UserError: points are words, and the vocabulary does not mark words.
    """
    flag = "words as points (--ot-points, --l2-units)"
    boundaries = word_boundaries(symbols, specials, flag=flag) if settings.words else None
    return PointFinder(settings, boundaries, idf)


def linked_words(settings: LinkSettings, symbols: Sequence[str], specials: Specials) -> LinkedWords:
    """Makes the finder of linked words.

    Args:
        settings: what links number: ``words`` between spaces, or ``subwords``.
        symbols: the symbols of the dictionary.
        specials: ids of the special tokens.

    Raises:
        UserError: links number words, and the vocabulary does not mark words.
    """
    if settings.units == "subwords":
        return LinkedWords(None, settings)
    flag = "links of words (--l2-units, --contrast-link-units)"
    boundaries = word_boundaries(symbols, specials, flag=flag, split_unspaced=False)
    return LinkedWords(boundaries, settings)


def document_frequencies(corpora: Sequence[Corpus], size: int) -> dict[str, np.ndarray]:
    """Returns inverse document frequencies, (V,) for each language of the pairs, where V = ``size``
    is the number of symbols of the dictionary."""
    files: dict[str, list[TokenFile]] = {}
    for corpus in corpora:
        if isinstance(corpus, ParallelCorpus):
            for language, side in zip(corpus.name.split("-"), (corpus.sources, corpus.targets)):
                files.setdefault(language, []).append(side)
    return {lang: inverse_document_frequencies(sides, size) for lang, sides in files.items()}


def attach_links(corpora: Sequence[Corpus], folder: Path, split: str, linked: LinkedWords) -> None:
    """Reads the word links of each pair from ``<folder>/<split>.<src>-<tgt>.align``.

    Raises:
        UserError: a file is missing, has an entry that is not a link, or does not fit the corpus.
    """
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
            links.check(linked.lengths(corpus.sources), linked.lengths(corpus.targets))
            corpus.links = links


def warn_of_target_language(pairs: Sequence[str], language: str) -> None:
    """Warns if no pair has the target language, which may be misspelt. Then the second side of each
    pair is its target."""
    if pairs and not any(language in pair.split("-") for pair in pairs):
        warn(
            f"no pair ({', '.join(pairs)}) has the target language {language}: the second language "
            "of each pair is its target"
        )
