import numpy as np
import pytest

from fairseq_amber.data.alignment.masking import Masking, MaskingRates, mask_rows, predicted_counts
from fairseq_amber.data.counter_random import stream_keys
from fairseq_amber.tokenizers.word_boundaries import WordBoundaries

BOS, PAD, EOS, UNK, MASK = 0, 1, 2, 3, 44
ORDINARY = (4, 44)
BEGINS = np.array([i < 4 or i >= 44 or i % 2 == 0 for i in range(45)])  # even ids begin a word
WORDS = WordBoundaries(BEGINS, (np.arange(45) < 4) | (np.arange(45) >= 44))


def rows_of(rng, count, low, high):
    """Rows <s> x </s> y </s>, padded, some tokens unknown; and how many tokens x and y have."""
    rows = []
    for _ in range(count):
        x, y = (rng.integers(3, 44, rng.integers(low, high + 1)) for _ in range(2))
        rows.append([BOS, *x, EOS, *y, EOS])
    width = max(map(len, rows))
    padded = np.array([row + [PAD] * (width - len(row)) for row in rows])
    return padded, np.array([len(row) - 3 for row in rows])


def masked(tokens, lengths, rates=None, words=None, seed=1, epoch=1):
    masking = Masking(rates or MaskingRates(), MASK, ORDINARY, words is not None)
    budgets = predicted_counts(lengths, masking.rates)
    keys = stream_keys(seed, epoch, np.arange(len(tokens)))
    starts = None if words is None else words.starts(tokens)
    return mask_rows(tokens, budgets, masking, keys, starts)


def predicted(result):
    """The predicted positions of each row."""
    out = [[] for _ in result.tokens]
    for slot in result.slots:
        out[slot // result.predicted.shape[1]].append(int(result.predicted.flat[slot]))
    return out


def bits(key, counter):
    """SplitMix64 in Python's integers."""
    word = 2**64 - 1
    x = (int(key) + (counter + 1) * 0x9E3779B97F4A7C15) & word
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & word
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & word
    return x ^ (x >> 31)


def slow(row, budget, rates, words, key):
    """One row, one token after the other: the corrupted row and the predicted positions."""
    maskable = [i for i, token in enumerate(row) if 4 <= token < 44]
    order = sorted(maskable, key=lambda i: bits(key, 3 * i))
    chosen = []
    if words is not None:
        groups = []  # the positions of each word
        for i, token in enumerate(row):
            if i == 0 or words.begins[token] or words.ends[row[i - 1]]:
                groups.append([])
            groups[-1].append(i)
        for group in sorted(groups, key=lambda g: bits(key, 3 * g[0])):
            members = [i for i in group if i in maskable]
            if len(chosen) + len(members) <= budget:
                chosen += members
    chosen = sorted(chosen or order[:budget])
    out = list(row)
    for i in chosen:
        fate = (bits(key, 3 * i + 1) >> 11) / 2**53
        if fate < rates.random:
            out[i] = 4 + ((bits(key, 3 * i + 2) >> 32) * 40 >> 32)
        elif fate < 1 - rates.leave:
            out[i] = MASK
    return out, chosen


@pytest.mark.parametrize("words", [None, WORDS])
@pytest.mark.parametrize("rates", [MaskingRates(), MaskingRates(0.4, 0.2, 0.3)])
@pytest.mark.parametrize("high", [1, 4, 12, 40])
def test_equals_the_slow_twin(words, rates, high):
    tokens, lengths = rows_of(np.random.default_rng(high), 60, 1, high)
    result = masked(tokens, lengths, rates, words, seed=7, epoch=3)
    keys = stream_keys(7, 3, np.arange(60))
    budgets = predicted_counts(lengths, rates)
    twins = [
        slow(row, budget, rates, words, key) for row, budget, key in zip(tokens, budgets, keys)
    ]
    assert result.tokens.tolist() == [row for row, _ in twins]
    assert predicted(result) == [chosen for _, chosen in twins]
    assert result.targets.tolist() == [
        int(token) for row, (_, chosen) in zip(tokens, twins) for token in row[chosen]
    ]


def test_counts_are_the_nearest_integer_and_at_least_one():
    lengths = np.array([0, 1, 3, 10, 11, 100, 103])
    assert predicted_counts(lengths, MaskingRates(0.15)).tolist() == [0, 1, 1, 2, 2, 15, 15]
    assert predicted_counts(lengths, MaskingRates(0.0)).tolist() == [0] * 7
    assert predicted_counts(lengths, MaskingRates(1.0)).tolist() == lengths.tolist()


@pytest.mark.parametrize("words", [None, WORDS])
def test_special_and_unknown_tokens_are_never_predicted_and_the_budget_is_kept(words):
    tokens, lengths = rows_of(np.random.default_rng(0), 300, 1, 20)
    result = masked(tokens, lengths, words=words)
    ordinary = (tokens > UNK).sum(axis=1)
    budgets = np.minimum(predicted_counts(lengths, MaskingRates()), ordinary)
    counts = np.array([len(row) for row in predicted(result)])
    assert (result.targets > UNK).all() and len(result.targets) == counts.sum()
    if words is None:
        assert (counts == budgets).all()
    else:
        assert (counts <= budgets).all() and (counts[budgets > 0] > 0).all()
    touched = result.tokens != tokens
    for row, positions in zip(touched, predicted(result)):
        assert set(np.flatnonzero(row)) <= set(positions)


@pytest.mark.parametrize("words", [None, WORDS])
def test_shares_of_mask_random_and_unchanged(words):
    tokens = np.random.default_rng(0).integers(4, 44, (500, 200))
    result = masked(tokens, np.full(500, 200), words=words)
    rows = result.slots // result.predicted.shape[1]
    fate = result.tokens[rows, result.predicted.flat[result.slots]]
    share = len(fate) / tokens.size
    assert share == 0.15 if words is None else 0.148 < share <= 0.15
    same = fate == result.targets
    assert (fate == MASK).mean() == pytest.approx(0.8, abs=0.012)
    assert same.mean() == pytest.approx(0.1 + 0.1 / 40, abs=0.01)
    random = fate[(fate != MASK) & ~same]
    assert set(random) == set(range(*ORDINARY))


@pytest.mark.parametrize("words", [None, WORDS])
def test_every_token_is_predicted_equally_often(words):
    """Of words with equal lengths; the sentence's place in the row does not matter."""
    row = [BOS, *[4, 5] * 10, EOS, *[6, 7] * 10, EOS]
    result = masked(np.array([row] * 4000), np.full(4000, 40), words=words)
    counts = np.bincount(result.predicted.flat[result.slots], minlength=len(row)) / 4000
    specials = [0, 21, 42]
    assert counts[specials].sum() == 0
    assert np.delete(counts, specials) == pytest.approx(0.15, abs=0.025)


def test_whole_words_are_predicted_whole():
    tokens, lengths = rows_of(np.random.default_rng(1), 200, 20, 40)
    for row, chosen in zip(tokens, predicted(masked(tokens, lengths, words=WORDS))):
        word = np.cumsum(WORDS.starts(row))
        for place in chosen:
            mates = np.flatnonzero((word == word[place]) & (row > UNK))
            assert set(mates) <= set(chosen)


def test_where_no_word_fits_single_tokens_are_predicted():
    row = np.array([[BOS, 4, *[5] * 18, EOS]])  # one word of 19 tokens, a budget of 3
    result = masked(row, np.array([19]), words=WORDS)
    assert len(result.targets) == 3


def test_rates_of_zero_and_one():
    tokens, lengths = np.full((2, 40), 43), np.full(2, 40)
    assert masked(tokens, lengths, MaskingRates(0)).predicted.shape == (2, 0)
    assert (masked(tokens, lengths, MaskingRates(1, 1, 0)).tokens == 43).all()
    assert (masked(tokens, lengths, MaskingRates(1, 0, 0)).tokens == MASK).all()
    assert (masked(tokens, lengths, MaskingRates(1, 0, 1)).tokens < 44).all()


@pytest.mark.parametrize("words", [None, WORDS])
def test_no_rows_and_rows_without_tokens(words):
    none = masked(np.zeros((0, 5), dtype=np.int64), np.zeros(0, dtype=np.int64), words=words)
    assert none.predicted.shape == (0, 0) and len(none.slots) == len(none.targets) == 0
    empty = masked(np.array([[BOS, EOS]]), np.array([0]), words=words)
    assert empty.tokens.tolist() == [[BOS, EOS]] and len(empty.targets) == 0
    unknown = masked(np.array([[BOS, UNK, EOS]]), np.array([1]), words=words)
    assert len(unknown.targets) == 0
