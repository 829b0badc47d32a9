"""Random bits and fingerprints that are functions of their arguments, for whole arrays at once.

SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): the n-th
number of a stream is a bijective mix of ``key + n * gamma`` modulo 2^64. Unlike a generator object,
it needs no state for every example, gives any element without those before it, and returns the same
numbers with every version of NumPy.
"""

from __future__ import annotations

import numpy as np

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_WORD = (1 << 64) - 1


def random_bits(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """Returns random numbers, uint64 and uniform over all 64 bits.

    Args:
        keys: uint64 keys of the streams.
        counters: int64 positions in the streams, from 0; the two shapes are broadcast.
    """
    return _mix(keys + (counters.astype(np.uint64) + np.uint64(1)) * _GAMMA)


def stream_keys(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """Returns (N,) uint64 keys of (N,) int64 indices in an epoch of a run with a seed."""
    key = np.zeros(1, dtype=np.uint64)
    for part in (np.array([seed & _WORD], dtype=np.uint64), np.array([epoch], dtype=np.uint64)):
        key = _mix(key + part + _GAMMA)
    return _mix(key + indices.astype(np.uint64) + _GAMMA)


def uniform(bits: np.ndarray) -> np.ndarray:
    """Maps random bits to float64 in [0, 1)."""
    return (bits >> np.uint64(11)) * 2.0**-53


def integers(bits: np.ndarray, low: int, high: int) -> np.ndarray:
    """Maps random bits to int64 in low <= n < high, where high - low < 2^32."""
    scaled = (bits >> np.uint64(32)) * np.uint64(high - low) >> np.uint64(32)
    return low + scaled.astype(np.int64)


def fingerprints(tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns (R,) int64 >= 0, equal for rows whose tokens under the mask are equal. Other rows
    collide with a probability of 2^-63. The numbers are the same in every process.

    Args:
        tokens: (R, T) int64 ids below 2^32.
        mask: (R, T) bool, True on the tokens that are compared.
    """
    column_keys = np.arange(tokens.shape[1], dtype=np.uint64) << np.uint64(32)
    summands = np.where(mask, random_bits(column_keys, tokens), np.uint64(0))
    return (summands.sum(axis=1, dtype=np.uint64) >> np.uint64(1)).astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
