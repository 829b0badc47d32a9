"""Optimal transport between the words of two sentences, or of two sets of sentences.

It offers the Sinkhorn divergence of Alqahtani et al. 2021 (arXiv 2110.02887), as GeomLoss computes
it, entropic transport with a fixed temperature, and exact transport. Each solves a batch of
problems of different sizes at once.
"""

from fairseq_amber.objectives.optimal_transport.costs import (
    cosine_cost,
    position_cost,
    squared_euclidean_cost,
)
from fairseq_amber.objectives.optimal_transport.divergence import sinkhorn_divergence
from fairseq_amber.objectives.optimal_transport.exact import exact_transport
from fairseq_amber.objectives.optimal_transport.marginals import norm_weights, uniform_weights
from fairseq_amber.objectives.optimal_transport.sinkhorn import Transport, sinkhorn

__all__ = [
    "Transport",
    "cosine_cost",
    "exact_transport",
    "norm_weights",
    "position_cost",
    "sinkhorn",
    "sinkhorn_divergence",
    "squared_euclidean_cost",
    "uniform_weights",
]
