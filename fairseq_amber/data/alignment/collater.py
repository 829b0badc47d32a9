"""Sentences or sentence pairs of one corpus -> one batch for one forward pass."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.alignment.masking import Masking, mask_rows, predicted_counts
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.points import PointFinder
from fairseq_amber.data.counter_random import fingerprints, stream_keys
from fairseq_amber.data.layout import (
    PAIR_SPECIALS,
    SENTENCE_SPECIALS,
    Specials,
    alignment_rows,
    pad_rows,
    pair_row,
    pair_segments,
    prefix_token_mask,
    reset_positions,
    sentence_row,
)


class PairLayout(NamedTuple):
    """How a model tells the two sentences of a row apart.

    segments: by BERT's token types, where it has them. reset: by XLM's positions, which start
    again at the second sentence.
    """

    segments: bool = True
    reset: bool = False


class Collater:
    """Makes batches. The masking of an example is a function of (seed, epoch, draw), whichever
    rank or batch it lands in; see ``draws`` of :class:`~fairseq_amber.data.plan.MicroBatch`.

    Shapes: B examples; R rows of T tokens; M predicted tokens, at most Q in a row; L tokens of the
    longest sentence; P of the longest first sentence of a row, its special tokens included.

    Args:
        specials: ids of the special tokens.
        needs: which rows to make.
        masking: how rows are corrupted.
        layout: of pairs; None for the default.
        seed: of the masking.
        points: finds them, where they are needed.
        linked: finds linked words, likewise.
    """

    def __init__(
        self,
        specials: Specials,
        needs: Needs,
        masking: Masking,
        layout: PairLayout | None = None,
        seed: int = 1,
        points: PointFinder | None = None,
        linked: LinkedWords | None = None,
    ):
        self.specials = specials
        self.needs = needs
        self.masking = masking
        self.layout = layout or PairLayout()
        self.seed = seed
        self.points = points
        self.linked = linked

    def sentences(
        self, sentences: Sequence[np.ndarray], draws: Sequence[int], epoch: int
    ) -> dict[str, Any]:
        """One batch of masked sentences.

        Returns:
            ``net_input``: ``src_tokens`` (B, T) and ``predicted``, the positions (B, Q) and slots
            (M,) of :class:`~fairseq_amber.data.alignment.masking.MaskedRows`. Beside it
            ``target`` (M,) and ``ntokens``, padding left out.
        """
        rows = pad_rows([sentence_row(x, self.specials) for x in sentences], self.specials.pad)
        lengths = np.array([len(x) for x in sentences])
        tokens, predicted, target = self._mask(rows, lengths, draws, epoch)
        return {
            "net_input": {"src_tokens": tokens, "predicted": predicted},
            "target": target,
            "ntokens": int((lengths + SENTENCE_SPECIALS).sum()),
        }

    def pairs(
        self,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        draws: Sequence[int],
        epoch: int,
        corpus: str = "",
        links: Sequence[np.ndarray] = (),
    ) -> dict[str, Any]:
        """One batch of pairs: masked rows [x;y] first, then [x;y] and [y;x] as they are.

        Returns:
            What :meth:`sentences` returns, of the masked rows; for all R rows ``segments`` and
            ``positions`` (R, T), as the layout has it. For word alignment in ``net_input``:
            ``prefix_lengths`` (R,), the whole row of a masked one; ``cross``, the queries and keys
            of :class:`~fairseq_amber.data.layout.AlignmentRows`; ``sentence_width``, the number P.
            Beside it: ``source_mask``, ``target_mask`` (B, L) bool, tokens that count in word
            alignment; ``sentence_mask`` (2B, P) bool, those that count in the means of x and of y;
            ``source_key``, ``target_key`` (B,) int64, equal for equal sentences. ``sentences``,
            where they are needed apart: what :meth:`separate` returns. ``points``: what
            :meth:`PointFinder.batch` returns for the ``corpus``; ``links``: what
            :meth:`LinkedWords.batch` does for the (m, 2) ``links`` of each pair.
        """
        first = np.array([len(x) for x in sources])
        lengths = first + np.array([len(y) for y in targets])  # of pairs, without special tokens
        aligned = None
        if self.needs.alignment:
            aligned = alignment_rows(
                sources, targets, self.specials, include_eos=self.needs.alignment_specials
            )
            rows = aligned.rows
        else:
            rows = [pair_row(x, y, self.specials) for x, y in zip(sources, targets)]
        clean = pad_rows(rows, self.specials.pad)
        masked_rows = len(sources) if self.needs.tlm else 0
        tokens, predicted, target = self._mask(
            clean[:masked_rows], lengths[:masked_rows], draws[:masked_rows], epoch
        )
        net_input: dict[str, Any] = {"src_tokens": tokens, "predicted": predicted}
        sample: dict[str, Any] = {"net_input": net_input, "target": target}
        first_lengths = torch.from_numpy(first[:masked_rows] + SENTENCE_SPECIALS)
        if aligned is not None:
            prefixes = aligned.prefix_lengths
            width = int(prefixes.max())
            whole = torch.from_numpy(lengths[:masked_rows] + PAIR_SPECIALS)
            first_lengths = torch.cat([first_lengths, prefixes])
            net_input["src_tokens"] = torch.cat([tokens, clean])
            net_input["prefix_lengths"] = torch.cat([whole, prefixes])
            net_input["cross"] = (aligned.queries, aligned.keys)
            net_input["sentence_width"] = width
            sample["source_mask"] = aligned.source_mask
            sample["target_mask"] = aligned.target_mask
            sample["sentence_mask"], keys = self._means(clean[:, :width], prefixes)
            sample["source_key"], sample["target_key"] = keys.chunk(2)
        row_width = clean.size(1)
        if self.layout.segments:
            net_input["segments"] = pair_segments(first_lengths, row_width)
        if self.layout.reset:
            net_input["positions"] = reset_positions(first_lengths, row_width)
        if self.needs.sentences:
            sample["sentences"] = self.separate(sources, targets)
        if self.points is not None:
            sample["points"] = self.points.batch(corpus, sources, targets)
        if self.linked is not None:
            sample["links"] = self.linked.batch(sources, targets, links)
        sample["ntokens"] = int(self.needs.tokens_of_pair(lengths).sum())
        return sample

    def separate(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        """The sentences of n pairs each in a row of its own.

        Returns:
            ``tokens`` (2n, T): all sources, then all targets. ``mask`` (2n, T) bool: those that
            count in a sentence's mean. ``source_key``, ``target_key`` (n,) as in :meth:`pairs`.
        """
        rows = [sentence_row(x, self.specials) for x in (*sources, *targets)]
        tokens = pad_rows(rows, self.specials.pad)
        mask, keys = self._means(tokens, torch.tensor([len(row) for row in rows]))
        source_key, target_key = keys.chunk(2)
        return {"tokens": tokens, "mask": mask, "source_key": source_key, "target_key": target_key}

    def _mask(
        self, rows: torch.Tensor, lengths: np.ndarray, draws: Sequence[int], epoch: int
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        masked = mask_rows(
            rows.numpy(),
            predicted_counts(lengths, self.masking.rates),
            self.masking,
            stream_keys(self.seed, epoch, np.asarray(draws)),
        )
        tokens, predicted, slots, targets = map(torch.from_numpy, masked)
        return tokens, (predicted, slots), targets

    def _means(
        self, tokens: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of sentences at the left of (R, P) tokens: (R, P) bool, those that count in the mean, and
        (R,) keys."""
        whole = prefix_token_mask(lengths, tokens.size(1))
        keys = torch.from_numpy(fingerprints(tokens.numpy(), whole.numpy()))
        if self.needs.include_specials:
            return whole, keys
        return prefix_token_mask(lengths, tokens.size(1), include_specials=False), keys
