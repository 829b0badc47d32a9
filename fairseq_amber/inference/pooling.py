"""Computes sentence vectors from the states of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from fairseq_amber.objectives.sentence_alignment import first_state, mean_pool

POOLINGS = ("mean", "mean-no-specials", "cls")


def pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Computes one vector for each of B sentences.

    Args:
        states: (B, T, D) states of rows ``<s> x </s>``.
        mask: (B, T) bool, True on real tokens, False on padding.
        pooling: ``mean`` over all tokens of a row, ``mean-no-specials`` over the subwords without
            ``<s>`` and ``</s>`` (zeros where there are none), or ``cls`` for the state of ``<s>``.

    Returns:
        (B, D) float32.
    """
    if pooling == "cls":
        return first_state(states, mask)
    return mean_pool(states, without_specials(mask) if pooling == "mean-no-specials" else mask)


def without_specials(mask: Tensor) -> Tensor:
    """Returns the mask (B, T) of the subwords alone, from the mask of rows ``<s> x </s>``."""
    inner = torch.zeros_like(mask)
    inner[:, 1:-1] = mask[:, 2:]
    return inner
