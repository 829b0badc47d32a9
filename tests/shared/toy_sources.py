"""Corpora as the sampler sees them, and the plans of an epoch over them."""

from typing import NamedTuple, Optional

import numpy as np

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.sampling import plan_epoch


class Source(NamedTuple):
    parallel: bool
    indices: np.ndarray
    costs: np.ndarray
    predicted_counts: np.ndarray
    point_and_link_counts: Optional[np.ndarray] = None

    @property
    def size(self):
        return len(self.indices)


def source(parallel, start, size, seed):
    rng = np.random.default_rng(seed)
    costs = rng.integers(5, 60, size)
    return Source(parallel, np.arange(start, start + size), costs, costs // 6)


def toy_sources():
    """mono 300 and 50, pairs 200 and 20."""
    return [
        source(False, 0, 300, 1),
        source(False, 300, 50, 2),
        source(True, 350, 200, 3),
        source(True, 550, 20, 4),
    ]


def plan(sources, **overrides):
    settings = dict(alpha=1.0, parallel_share=0.5, world=1, update_freq=1, seed=(1, 1))
    settings.update(overrides)
    return plan_epoch(sources, BatchLimits(max_tokens=400), **settings)


def as_lists(batches):
    return [b.indices.tolist() for b in batches]
