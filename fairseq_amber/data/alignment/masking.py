"""BERT's token corruption (Devlin et al. 2019, arXiv 1810.04805, section 3.1), by token or word.

How many tokens of a row may be predicted, its budget, depends on the row's length alone, so that
the budget of any set of rows, a whole update over all ranks for one, is known before it is read.

Shapes: B rows, T tokens, Q the most predicted tokens of a row, M all predicted tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fairseq_amber.data.counter_random import integers, random_bits, uniform
from fairseq_amber.data.whole_words import WordBoundaries

_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)  # sorts after every random key
_ORDER, _FATE, _REPLACEMENT, _DRAWS = range(4)  # random numbers of each token


class MaskingRates(NamedTuple):
    """probability: share of the tokens predicted; of these, ``leave`` stay as they are and
    ``random`` become another token of the vocabulary; the others become ``<mask>``."""

    probability: float = 0.15
    leave: float = 0.1
    random: float = 0.1


class Masking(NamedTuple):
    """How rows are corrupted.

    rates: how much, and into what. mask: the id of ``<mask>``. ordinary: ids ``low <= id < high``
    that are not special: the only ones that are predicted or drawn as a random replacement. words:
    predict whole words; by default single tokens.
    """

    rates: MaskingRates
    mask: int
    ordinary: tuple[int, int]
    words: WordBoundaries | None = None


class MaskedRows(NamedTuple):
    """Rows with some tokens replaced, and which tokens are to be predicted.

    Attributes:
        tokens: (B, T) the corrupted rows.
        predicted: (B, Q) positions of the predicted tokens of each row in ascending order, then 0.
        slots: (M,) flat indices of the real positions among those B * Q.
        targets: (M,) original ids of the predicted tokens.
    """

    tokens: np.ndarray
    predicted: np.ndarray
    slots: np.ndarray
    targets: np.ndarray


def predicted_counts(lengths: np.ndarray, rates: MaskingRates) -> np.ndarray:
    """The budget of rows with so many tokens, special ones left out, int32: the nearest integer to
    the share, at least one, as in BERT's own data preparation; 0 where there is no token or no
    masking."""
    if rates.probability <= 0:
        return np.zeros(np.shape(lengths), dtype=np.int32)
    counts = np.floor(lengths * rates.probability + 0.5).astype(np.int32)
    return np.minimum(np.maximum(counts, 1), lengths).astype(np.int32)


def mask_rows(
    tokens: np.ndarray, budgets: np.ndarray, masking: Masking, keys: np.ndarray
) -> MaskedRows:
    """Corrupts rows, each by its own random numbers.

    A row predicts exactly its budget of random tokens, or, with whole words, the words that fit
    into it (:func:`_choose_words`), so a few tokens fewer. What a token becomes is drawn token by
    token in either case, as in BERT. ``<unk>`` and the other special tokens are never predicted: a
    row with fewer ordinary tokens than its budget predicts all of those. In training the loss is
    divided by the budgets nevertheless: they are the same however an update is cut.

    Args:
        tokens: (B, T) int64 ids, padded on the right.
        budgets: (B,) :func:`predicted_counts` of the rows' lengths.
        masking: how.
        keys: (B,) uint64 of :func:`~fairseq_amber.data.counter_random.stream_keys`.
    """
    low, high = masking.ordinary
    maskable = (tokens >= low) & (tokens < high) & (tokens != masking.mask)
    counters = _DRAWS * np.arange(tokens.shape[1])
    order = random_bits(keys[:, None], counters + _ORDER)
    if masking.words is None:
        chosen = _choose_tokens(order, maskable, budgets)
    else:
        chosen = _choose_words(order, maskable, budgets, masking.words.starts(tokens))
    rows, positions = np.nonzero(chosen)
    targets = tokens[rows, positions]

    fate = uniform(random_bits(keys[rows], counters[positions] + _FATE))
    replacement = integers(
        random_bits(keys[rows], counters[positions] + _REPLACEMENT), *masking.ordinary
    )
    replacement[fate >= masking.rates.random] = masking.mask
    corrupted = tokens.copy()
    corrupted[rows, positions] = np.where(fate < 1 - masking.rates.leave, replacement, targets)

    counts = chosen.sum(axis=1)
    width = int(counts.max(initial=0))
    first = np.cumsum(counts) - counts  # of each row among the M
    slots = rows * width + np.arange(len(rows)) - first[rows]
    predicted = np.zeros((len(tokens), width), dtype=np.int64)
    predicted.flat[slots] = positions
    return MaskedRows(corrupted, predicted, slots, targets)


def _choose_tokens(order: np.ndarray, maskable: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """(B, T) bool: the first ``budgets`` maskable tokens of each row in the random order."""
    order = np.where(maskable, order, _LAST)
    last = np.maximum(budgets, 1)[:, None] - 1
    threshold = np.take_along_axis(np.sort(order, axis=1), last, axis=1)
    return maskable & (order <= threshold) & (budgets[:, None] > 0)


def _choose_words(
    order: np.ndarray, maskable: np.ndarray, budgets: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """(B, T) bool: whole words in random order, each taken if it still fits into the row's budget,
    as in BERT's own data preparation.

    Where not one word fits, single tokens are taken instead. (BERT predicts nothing there. Its
    rows are filled with text and hardly ever meet the case; here a row is a sentence, of which a
    budget of one or two tokens is the rule, and it would be encoded for nothing. The shortest word
    could be the whole row.)
    """
    b, t = maskable.shape
    word = np.cumsum(starts).reshape(b, t) - 1  # words do not cross rows: every row begins one
    first = np.flatnonzero(starts)  # (number of words,)
    sizes = np.bincount(word[maskable], minlength=len(first))
    candidates = np.flatnonzero(sizes)
    rows = first[candidates] // t
    candidates = candidates[np.lexsort((order.flat[first[candidates]], rows))]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)  # in its row's random order

    # The k-th word of every row at once.
    ranked = np.zeros((place.max(initial=-1) + 1, b), dtype=np.int64)
    ranked[place, rows] = sizes[candidates]
    fits = np.empty_like(ranked, dtype=bool)
    left = budgets.astype(np.int64)
    for size, fit in zip(ranked, fits):
        np.less_equal(size, left, out=fit)
        left -= size * fit
    taken = np.zeros(len(first), dtype=bool)
    taken[candidates] = fits[place, rows]
    chosen = maskable & taken[word]
    nothing = ~chosen.any(axis=1)
    if nothing.any():
        chosen[nothing] = _choose_tokens(order[nothing], maskable[nothing], budgets[nothing])
    return chosen
