"""Corpora as the sampler sees them, the plans of an epoch over them, and what is in its updates."""

from typing import NamedTuple, Optional

import numpy as np

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.buckets import bucket_costs
from fairseq_amber.data.draws import Draws
from fairseq_amber.data.sampling import plan_epoch
from fairseq_amber.data.update_size import UpdateSize


class Source(NamedTuple):
    parallel: bool
    indices: np.ndarray
    costs: np.ndarray
    predicted: np.ndarray
    points_and_links: Optional[np.ndarray] = None

    @property
    def size(self):
        return len(self.indices)

    def predicted_counts(self, indices):
        return self.predicted[indices - self.indices[0]]

    def point_and_link_counts(self, indices):
        counts = self.points_and_links
        return None if counts is None else counts[indices - self.indices[0]]


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
    """A plan in micro-batches of 400 tokens, by default one to an update."""
    settings = dict(alpha=1.0, parallel_share=0.5, world=1, seed=(1, 1))
    settings.update(size=UpdateSize(micro_batches=1), limits=BatchLimits(max_tokens=400))
    settings.update(overrides)
    return plan_epoch(sources, **settings)


def as_lists(batches):
    return [b.indices.tolist() for b in batches]


class Setting(NamedTuple):
    """A corpus is (parallel, size, median of the lengths, sigma of their logarithm)."""

    corpora: tuple
    parallel_share: float = 0.5
    alpha: float = 1.0

    def sources(self, scale=1):
        return sources_of(
            [
                lengths(int(size * scale), median, sigma, seed)
                for seed, (_, size, median, sigma) in enumerate(self.corpora)
            ],
            [corpus[0] for corpus in self.corpora],
        )

    def plan(self, sources, **overrides):
        return plan(
            sources, parallel_share=self.parallel_share, alpha=self.alpha, seed=(3, 1), **overrides
        )

    def shares(self, sources):
        """The share of all examples that each corpus is to have."""
        shares = np.zeros(len(sources))
        kinds = np.array([s.parallel for s in sources])
        for kind, of_kind in ((False, 1 - self.parallel_share), (True, self.parallel_share)):
            weights = np.array([float(s.size) for s in sources])[kinds == kind]
            weights = (weights / weights.sum()) ** self.alpha
            shares[kinds == kind] = weights / weights.sum() * of_kind
        return shares / shares.sum()


SETTINGS = {
    "sentences of one corpus": Setting(((False, 900, 20, 0.6),)),
    "pairs of several corpora": Setting(
        ((True, 500, 25, 0.1), (True, 300, 25, 0.1), (True, 90, 25, 0.1)), alpha=0.3
    ),
    "one corpus of each kind": Setting(((False, 500, 20, 0.3), (True, 500, 20, 0.3))),
    "several unequal ones, few pairs": Setting(
        (
            *((False, 600, 8, 0.7), (False, 250, 30, 0.7), (False, 60, 15, 0.7)),
            *((True, 200, 60, 0.5), (True, 80, 15, 0.5)),
        ),
        parallel_share=0.25,
        alpha=0.3,
    ),
    "several unequal ones, many pairs": Setting(
        (
            *((False, 400, 8, 0.7), (False, 100, 30, 0.7)),
            *((True, 500, 60, 0.5), (True, 250, 15, 0.5), (True, 90, 25, 0.5)),
        ),
        parallel_share=0.75,
    ),
    "several equal ones": Setting(
        tuple((parallel, 200, 20, 0.2) for parallel in (False, False, False, True, True, True)),
        alpha=0.3,
    ),
}


def lengths(size, median, sigma, seed):
    rng = np.random.default_rng(seed)
    return np.clip(np.exp(rng.normal(np.log(median), sigma, size)), 3, 200).astype(np.int64)


def sources_of(costs, parallel):
    """A source for each array of costs; the indices of all follow each other."""
    starts = np.cumsum([0, *map(len, costs)])
    return [
        Source(kind, np.arange(start, start + len(cost)), np.array(cost), np.array(cost) // 6)
        for cost, kind, start in zip(costs, parallel, starts)
    ]


def all_drawn(sources):
    """One copy of everything, sentences before pairs."""
    ordered = sorted(sources, key=lambda one: one.parallel)
    return [Draws(s, s.size, np.random.default_rng(i)) for i, s in enumerate(ordered)]


def update_costs(draws, buckets):
    """(I,) and (U,): the cost of each bucket in the order in which they run, and of each update."""
    costs = np.empty(len(buckets.ascending), dtype=int)
    costs[buckets.ascending] = bucket_costs(draws, buckets)
    return costs, np.add.reduceat(costs, buckets.updates[:-1])


def costs_of(sources):
    return np.concatenate([s.costs for s in sources])


def corpus_of(sources):
    return np.repeat(np.arange(len(sources)), [s.size for s in sources])


def cost_of(sources, indices):
    """For each corpus, the number of examples times the tokens of the longest one."""
    costs, corpora = costs_of(sources)[indices], corpus_of(sources)[indices]
    of_corpora = [costs[corpora == number] for number in range(len(sources))]
    return sum(len(own) * own.max() for own in of_corpora if len(own))


def counts_by_update(sources, epoch):
    """(U, C): how many examples of each corpus each update has."""
    ends = epoch.updates.ends[epoch.updates.firsts]
    update = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    counts = np.zeros((len(ends) - 1, len(sources)), dtype=int)
    np.add.at(counts, (update, corpus_of(sources)[epoch.updates.indices]), 1)
    return counts


def updates_of(epoch, world):
    """The micro-batches of each update, of all ranks."""
    batches = list(epoch)
    slots = world * epoch.update_freq
    return [batches[start : start + slots] for start in range(0, len(batches), slots)]
