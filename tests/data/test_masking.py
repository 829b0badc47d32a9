import numpy as np
import pytest

from fairseq_amber.data.masking import IGNORED, MaskingRates, mask_tokens, masked_counts

MASK = 99


def corrupt(row, maskable, rates, seed):
    rng = np.random.default_rng(seed)
    return mask_tokens(row, maskable, rates, MASK, (4, 44), rng)


def test_counts_are_the_nearest_integer_and_at_least_one():
    lengths = np.array([0, 1, 3, 10, 11, 100, 103])
    assert masked_counts(lengths, MaskingRates(0.15)).tolist() == [0, 1, 1, 2, 2, 15, 15]
    assert masked_counts(lengths, MaskingRates(0.0)).tolist() == [0] * 7
    assert masked_counts(lengths, MaskingRates(1.0)).tolist() == lengths.tolist()


@pytest.mark.parametrize("length", [3, 4, 20, 203])
def test_the_promised_number_is_masked_and_special_tokens_never(length):
    row = np.arange(50, 50 + length)
    maskable = np.ones(length, dtype=bool)
    maskable[[0, length // 2, -1]] = False
    for seed in range(20):
        corrupted, targets = corrupt(row, maskable, MaskingRates(), seed)
        predicted = targets != IGNORED
        assert predicted.sum() == masked_counts(maskable.sum(), MaskingRates())
        assert not predicted[~maskable].any()
        assert (targets[predicted] == row[predicted]).all()
        assert (corrupted[~predicted] == row[~predicted]).all()


def test_shares_of_mask_random_and_unchanged():
    row = np.full(100_000, 50)
    corrupted, targets = corrupt(row, np.ones(len(row), dtype=bool), MaskingRates(), 0)
    fate = corrupted[targets != IGNORED]
    assert len(fate) == 15_000
    assert (fate == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (fate == 50).mean() == pytest.approx(0.1, abs=0.01)
    random = fate[(fate != MASK) & (fate != 50)]
    assert random.min() == 4 and random.max() == 43


def test_rates_of_zero_and_one():
    row, maskable = np.full(40, 50), np.ones(40, dtype=bool)
    assert (corrupt(row, maskable, MaskingRates(1, 1, 0), 0)[0] == 50).all()
    assert (corrupt(row, maskable, MaskingRates(1, 0, 0), 0)[0] == MASK).all()
    assert (corrupt(row, maskable, MaskingRates(1, 0, 1), 0)[0] < 44).all()
