"""The methods of an ``Aligner``: how each scores two subwords, and which of them it links.

Shapes: B pairs, S source subwords, T target subwords.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, NamedTuple

import torch
from torch import Tensor

from fairseq_amber.errors import UserError
from fairseq_amber.inference.token_encoder import PairAttention, PairStates
from fairseq_amber.inference.word_alignment.defaults import METHODS, TEMPERATURES, THRESHOLDS
from fairseq_amber.inference.word_alignment.link_extraction import (
    LARGEST_COST,
    cosine_similarity,
    iterated_argmax,
    mutual_argmax,
    mutual_attention,
    transport_plan,
)
from fairseq_amber.inference.word_alignment.probability_links import (
    both_ways,
    entmax,
    link_probability,
)
from fairseq_amber.objectives.optimal_transport.sinkhorn import LARGEST_EXPONENT
from fairseq_amber.objectives.state_alignment import state_products


class SubwordLinks(NamedTuple):
    """The links of the subwords of B pairs.

    Attributes:
        scores: (B, S, T), a higher score is a better match; the padding holds any value.
        aligned: (B, S, T) bool, True on links; False in the padding.
    """

    scores: Tensor
    aligned: Tensor


def settings_of(
    method: str,
    *,
    alpha: float,
    epsilon: float,
    iterations: int | None,
    reach: float | None,
    temperature: float | None,
    threshold: float | None,
    dot_product: bool,
) -> dict[str, Any]:
    """Returns the settings of a method, with the defaults of those that are None.

    Args:
        method: one of ``METHODS``.
        alpha: of ``itermax``; see ``iterated_argmax``.
        epsilon: of ``transport``; see ``transport_plan``.
        iterations: of ``itermax``, by default 2, and of ``transport``, by default 50.
        reach: of ``transport``; see ``transport_plan``.
        temperature: of ``softmax`` and ``entmax``, by default that of ``TEMPERATURES``, or 1 with
            ``dot_product``.
        threshold: of ``softmax`` and ``entmax``, by default that of ``THRESHOLDS``.
        dot_product: of ``softmax`` and ``entmax``: products of states in place of cosines.

    Raises:
        UserError: there is no such method, or ``epsilon`` is too low.
    """
    if method not in METHODS:
        raise UserError(f"--method {method} is not one of {', '.join(METHODS)}")
    if method == "itermax":
        return {"alpha": alpha, "iterations": iterations or 2}
    if method == "transport":
        lowest = LARGEST_COST / LARGEST_EXPONENT["torch"]
        if epsilon < lowest:
            raise UserError(
                f"--epsilon {epsilon} is too low for costs up to {LARGEST_COST:g}: the arithmetic "
                f"allows {lowest:.1e} or more"
            )
        return {"epsilon": epsilon, "iterations": iterations or 50, "reach": reach}
    if method in TEMPERATURES:
        if temperature is None:
            temperature = 1.0 if dot_product else TEMPERATURES[method]
        return {
            "temperature": temperature,
            "threshold": THRESHOLDS[method] if threshold is None else threshold,
            "dot_product": dot_product,
        }
    return {}


def linker(method: str, **settings: Any) -> Callable[..., SubwordLinks]:
    """Returns the function that links the subwords of B pairs by one method.

    Args:
        method: one of ``METHODS``.
        **settings: those of ``settings_of``.

    Returns:
        A function of ``PairAttention`` for ``attention``, and of ``PairStates`` for all others.
    """
    functions: dict[str, Callable[..., SubwordLinks]] = {
        "attention": _by_attention,
        "similarity": _by_similarity,
        "itermax": _by_itermax,
        "transport": _by_transport,
        "softmax": partial(_by_probability, torch.softmax),
        "entmax": partial(_by_probability, entmax),
    }
    return partial(functions[method], **settings)


def _by_attention(maps: PairAttention) -> SubwordLinks:
    scores = mutual_attention(maps.source_to_target, maps.target_to_source)
    return SubwordLinks(scores, mutual_argmax(scores, maps.source_mask, maps.target_mask))


def _by_similarity(states: PairStates) -> SubwordLinks:
    cosines = cosine_similarity(states.source, states.target)
    return SubwordLinks(cosines, mutual_argmax(cosines, states.source_mask, states.target_mask))


def _by_itermax(states: PairStates, **settings: Any) -> SubwordLinks:
    cosines = cosine_similarity(states.source, states.target)
    masks = states.source_mask, states.target_mask
    return SubwordLinks(cosines, iterated_argmax((1 + cosines) / 2, *masks, **settings))


def _by_transport(states: PairStates, **settings: Any) -> SubwordLinks:
    plan = transport_plan(*states, **settings)
    best = mutual_argmax(plan, states.source_mask, states.target_mask)
    return SubwordLinks(plan, best & (plan > 0))  # no link where no mass moves


def _by_probability(
    probabilities: Callable[[Tensor, int], Tensor],
    states: PairStates,
    *,
    temperature: float,
    threshold: float,
    dot_product: bool,
) -> SubwordLinks:
    products = state_products(*states, temperature=temperature, normalize=not dot_product)
    masks = states.source_mask, states.target_mask
    to_target, to_source = both_ways(probabilities, products, *masks)
    aligned = (to_target > threshold) & (to_source > threshold)
    return SubwordLinks(link_probability(products, *masks), aligned)
