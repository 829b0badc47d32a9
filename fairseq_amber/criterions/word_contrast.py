"""The contrastive term of linked words, and its anchor: from a batch of pairs to losses.

Wu and Dredze 2020 (arXiv 2010.02537), as in their code. A linked word chooses its counterpart by
the cosine of their states, in both directions. Its negatives are the linked words of the other side
(weak alignment), or those of both sides (strong alignment).

Shapes: M links of a micro-batch, D dimensions.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

import torch

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.contrastive_config import ContrastiveAlignmentConfig, temperature
from fairseq_amber.criterions.contrastive_term import contrastive_term
from fairseq_amber.criterions.encoded_sentences import (
    encode_block,
    encode_pairs,
    flat_states,
    take_points,
)
from fairseq_amber.criterions.pairs import Pairs, key_rows
from fairseq_amber.criterions.terms import Terms
from fairseq_amber.criterions.update_pairs import Encode, UpdatePairs, is_contrasted

_HEIGHTS = "link_heights"


class WordContrast:
    """The terms ``contrast`` and ``anchor`` of words.

    Args:
        cfg: the settings of the terms.
        task: the task, whose model is to be trained.
        layer: the number of the layer of the states, from 1.

    Attributes:
        frozen: the initial encoder, where the anchor reads it.
    """

    def __init__(self, cfg: ContrastiveAlignmentConfig, task: Any, layer: int):
        self.cfg = cfg
        self.layer = layer
        self.frozen = anchor.frozen_encoder(cfg, task, layer)
        self.update_pairs = UpdatePairs(encoded_words, _HEIGHTS)

    def add(
        self,
        terms: Terms,
        model: Any,
        sample: dict[str, Any],
        scope: str,
        project: Callable[[torch.Tensor], torch.Tensor],
        empty: Callable[[], torch.Tensor],
    ) -> None:
        """Adds the terms of a batch.

        Args:
            terms: the terms to add to.
            model: the model.
            sample: the batch, with its ``links`` and, for the anchor, its ``points``.
            scope: the candidates, as in ``UpdatePairs.choice``.
            project: turns (n, D) states into the vectors that are compared.
            empty: makes (0, D) vectors that depend on every parameter.
        """

        def encode(sentences: dict[str, Any]) -> Pairs:
            blocks = sentences["pairs"]["blocks"]
            states = [encode_block(model, block, self.layer).states for block in blocks]
            return linked_pairs(states, sentences["links"], sentences["filler"], project)

        filler, links = sample["filler"], sample["links"]
        sentences = encode_pairs(model, sample, self.layer)
        if sentences:
            states = [block.states for block in sentences]
            words = linked_pairs(states, links, filler, project)
        else:
            words = Pairs(empty(), empty(), key_rows(links, filler))
        held = len(words.keys)
        if is_contrasted(sample, scope, heights=_HEIGHTS, held=held):
            result = contrastive_term(
                self.update_pairs.choice(words, None, sample, encode, scope),
                temperature=temperature(self.cfg),
                normalize=True,
                symmetric=True,
                both_sides=self.cfg.contrast_negatives == "strong",
            )
            terms.add_contrastive("contrast", result, held)
        else:
            terms.add("contrast", words.sources.sum(dim=1)[:0])
        if self.frozen is not None and sentences:
            points = sample["points"]
            before = self.frozen.target_states(sentences, sample)
            target = take_points(flat_states(states), points["target_index"])
            initial = take_points(before, points["initial_index"])
            anchor.add_anchor(terms, self.cfg, target, initial, sample)


def linked_pairs(
    states: Sequence[torch.Tensor],
    links: dict[str, torch.Tensor],
    filler: bool,
    project: Callable[[torch.Tensor], torch.Tensor],
) -> Pairs:
    """Returns the M links of a micro-batch as pairs of words.

    Args:
        states: the (R, T, D) states of each block of pairs, of which there is at least one.
        links: what ``data.alignment.collater.Collater`` gives as ``links``.
        filler: whether the pairs are a filler, whose words are left out: the plan does not count
            them, and they are neither anchors nor candidates. The vectors depend on the states
            even where there are none.
        project: turns (n, D) states into the vectors that are compared.
    """
    kept = slice(0, 0 if filler else None)
    flat = flat_states(states)
    sources = project(take_points(flat, links["source"][kept]))
    targets = project(take_points(flat, links["target"][kept]))
    return Pairs(sources, targets, key_rows(links, filler)[kept])


def encoded_words(sentences: dict[str, Any], encode: Encode, *, like: Pairs) -> tuple[Pairs, None]:
    """Encodes the words of a step; see ``update_pairs.encoded``.

    Args:
        sentences: what ``data.alignment.collater.Collater.candidates`` returns.
        encode: turns it into pairs of words.
        like: pairs with vectors of the same dimension and device, for a step without pairs.
    """
    if not sentences["pairs"]["blocks"]:
        return Pairs(like.sources[:0], like.targets[:0], like.keys[:0]), None
    return encode(sentences), None
