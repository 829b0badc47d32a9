"""BERT's token corruption (Devlin et al. 2019, arXiv 1810.04805, section 3.1), by token or word.

The budget of a row is the number of tokens that it may predict. It depends on the row's length
alone, so that the budget of any set of rows (a whole update over all ranks, for example) is known
before the text is read.

Shapes: B rows of T tokens; at most Q predicted tokens in a row; M predicted tokens in all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fairseq_amber.data.counter_random import integers, random_bits, uniform

_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)  # sorts after every random key
_ORDER, _FATE, _REPLACEMENT, _DRAWS = range(4)  # random numbers of each token


class MaskingRates(NamedTuple):
    """The share of the tokens to predict, and the shares of the predicted tokens that are kept or
    replaced at random.

    Attributes:
        probability: share of the tokens that are predicted.
        leave: share of the predicted tokens that stay as they are.
        random: share of the predicted tokens that become a random token. The others become
            ``<mask>``.
    """

    probability: float = 0.15
    leave: float = 0.1
    random: float = 0.1


class Masking(NamedTuple):
    """How rows are corrupted.

    Attributes:
        rates: how many tokens are predicted, and what replaces them.
        mask: the id of ``<mask>``.
        ordinary: the bounds of the ids ``low <= id < high`` that are not special. Only these are
            predicted, or drawn as a random replacement.
        words: predict whole words; otherwise single tokens.
    """

    rates: MaskingRates
    mask: int
    ordinary: tuple[int, int]
    words: bool = False


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
    """Returns the budgets of rows: the integer nearest to the share, at least one, as in BERT's own
    data preparation; 0 if a row has no token or nothing is masked.

    Args:
        lengths: tokens of each row without special tokens.
        rates: the shares.

    Returns:
        int32 of the shape of ``lengths``.
    """
    if rates.probability <= 0:
        return np.zeros(np.shape(lengths), dtype=np.int32)
    counts = np.floor(lengths * rates.probability + 0.5).astype(np.int32)
    return np.minimum(np.maximum(counts, 1), lengths).astype(np.int32)


def mask_rows(
    tokens: np.ndarray,
    budgets: np.ndarray,
    masking: Masking,
    keys: np.ndarray,
    starts: np.ndarray | None = None,
) -> MaskedRows:
    """Corrupts rows, each by its own random numbers.

    A row predicts exactly its budget of random tokens. With whole words it predicts the words that
    fit into the budget, so a few tokens fewer. In either case the replacement is drawn for each
    token by itself, as in BERT. ``<unk>`` and the other special tokens are never predicted; a row
    with fewer ordinary tokens than its budget predicts all of them. The loss is divided by the
    budgets in any case, because they do not depend on how an update is cut.

    Args:
        tokens: (B, T) int64 ids, padded on the right.
        budgets: (B,) the ``predicted_counts`` of the rows' lengths.
        masking: how rows are corrupted.
        keys: (B,) uint64 of ``data.counter_random.stream_keys``.
        starts: (B, T) bool, where words begin, if whole words are predicted. Every row begins with
            a word, and a special token is one of its own.
    """
    low, high = masking.ordinary
    maskable = (tokens >= low) & (tokens < high) & (tokens != masking.mask)
    counters = _DRAWS * np.arange(tokens.shape[1])
    order = random_bits(keys[:, None], counters + _ORDER)
    if starts is None:
        chosen = _choose_tokens(order, maskable, budgets)
    else:
        chosen = _choose_words(order, maskable, budgets, starts)
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
    first = np.cumsum(counts) - counts  # the first of each row among the M
    slots = rows * width + np.arange(len(rows)) - first[rows]
    predicted = np.zeros((len(tokens), width), dtype=np.int64)
    predicted.flat[slots] = positions
    return MaskedRows(corrupted, predicted, slots, targets)


def _choose_tokens(order: np.ndarray, maskable: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """Chooses the first ``budgets`` maskable tokens of each row in random order: (B, T) bool."""
    order = np.where(maskable, order, _LAST)
    last = np.maximum(budgets, 1)[:, None] - 1
    threshold = np.take_along_axis(np.sort(order, axis=1), last, axis=1)
    return maskable & (order <= threshold) & (budgets[:, None] > 0)


def _choose_words(
    order: np.ndarray, maskable: np.ndarray, budgets: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Chooses whole words in random order: (B, T) bool. As in BERT's own data preparation, a word
    is chosen if it still fits into the row's budget.

    If no word of a row fits, single tokens are chosen instead. BERT predicts nothing there, but its
    rows are full of text, so that this is rare. Here a row is one sentence, whose budget is mostly
    one or two tokens; without this rule many rows would be encoded but predict nothing. (The
    shortest word could be the whole row.)
    """
    b, t = maskable.shape
    word = (
        np.cumsum(starts).reshape(b, t) - 1
    )  # words do not cross rows, since every row begins with a word
    first = np.flatnonzero(starts)  # (number of words,)
    sizes = np.bincount(word[maskable], minlength=len(first))
    candidates = np.flatnonzero(sizes)
    rows = first[candidates] // t
    candidates = candidates[np.lexsort((order.flat[first[candidates]], rows))]
    rank_in_row = np.arange(len(rows)) - np.searchsorted(rows, rows)  # in its row's random order

    # The k-th word of every row at once.
    ranked = np.zeros((rank_in_row.max(initial=-1) + 1, b), dtype=np.int64)
    ranked[rank_in_row, rows] = sizes[candidates]
    fits = np.empty_like(ranked, dtype=bool)
    left = budgets.astype(np.int64)
    for size, fit in zip(ranked, fits):
        np.less_equal(size, left, out=fit)
        left -= size * fit
    taken = np.zeros(len(first), dtype=bool)
    taken[candidates] = fits[rank_in_row, rows]
    chosen = maskable & taken[word]
    without_prediction = ~chosen.any(axis=1)
    if without_prediction.any():
        chosen[without_prediction] = _choose_tokens(
            order[without_prediction], maskable[without_prediction], budgets[without_prediction]
        )
    return chosen
