import numpy as np

from fairseq_amber.data.counter_random import (
    fingerprints,
    integers,
    random_bits,
    stream_keys,
    uniform,
)


def test_the_stream_of_key_0_is_that_of_the_published_generator():
    bits = random_bits(np.zeros(1, dtype=np.uint64), np.arange(3))
    assert bits.tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_keys_differ_in_seed_epoch_and_index():
    indices = np.arange(100)
    keys = [stream_keys(seed, epoch, indices) for seed in (-1, 0, 1) for epoch in (1, 2, 3)]
    assert len(set(np.concatenate(keys).tolist())) == 900
    assert stream_keys(1, 2, indices[50:51]) == keys[-2][50]


def test_numbers_are_spread_evenly():
    bits = random_bits(stream_keys(1, 1, np.arange(200))[:, None], np.arange(500)).flatten()
    shares = np.bincount((uniform(bits) * 10).astype(int)) / len(bits)
    assert len(shares) == 10 and abs(shares - 0.1).max() < 0.005
    drawn = np.bincount(integers(bits, 3, 7))
    assert drawn[:3].sum() == 0 and len(drawn) == 7
    assert abs(drawn[3:] / len(bits) - 0.25).max() < 0.005
    last = np.full(1, 2**64 - 1, dtype=np.uint64)
    assert uniform(last) < 1 and integers(last, 3, 7) == 6


def test_fingerprints_see_tokens_and_their_places_and_nothing_else():
    tokens = np.array([[5, 6, 7], [5, 6, 9], [6, 5, 7], [5, 6, 7], [5, 6, 1]])
    mask = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 0]], dtype=bool)
    a, b, c, d, e = fingerprints(tokens, mask).tolist()
    assert a == b == e and len({a, c, d}) == 3 and min(a, c, d) >= 0
    assert fingerprints(tokens[:2, :2], mask[:2, :2]).tolist() == [a, b]
