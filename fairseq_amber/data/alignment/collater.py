"""Makes the batch of a forward pass from sentences or sentence pairs of one corpus."""

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

    Attributes:
        segments: by BERT's token types, if the model has them.
        reset: by XLM's positions, which start from 0 again at the second sentence.
    """

    segments: bool = True
    reset: bool = False


class Collater:
    """Makes batches.

    The masking of an example is a function of (seed, epoch, draw) and not of its rank or batch; see
    ``draws`` of ``data.plan.MicroBatch``.

    Shapes: B examples; R rows of T tokens; M predicted tokens, at most Q in a row; L tokens of the
    longest sentence; P tokens of the longest first sentence of a row, special tokens included.

    Args:
        specials: ids of the special tokens.
        needs: which rows to make.
        masking: how rows are corrupted.
        layout: how the sentences of a pair are told apart; None for the default.
        seed: the seed of the masking.
        points: finds the points; None if they are not needed.
        linked: finds linked words; None if they are not needed.
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
        """Makes a batch of masked sentences.

        Args:
            sentences: B sentences.
            draws: the draw of each.
            epoch: the epoch that the masking is drawn for.

        Returns:
            ``net_input``, the arguments of the model: ``src_tokens`` (B, T) and ``predicted``, a
            pair of positions (B, Q) and slots (M,), see ``masking.MaskedRows``. Beside it
            ``target`` (M,), the predicted tokens, and ``ntokens`` without padding.
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
        """Makes a batch of pairs: first masked rows [x;y], then unmasked rows [x;y] and [y;x].

        Args:
            sources: B sentences x.
            targets: B sentences y.
            draws: the draw of each pair.
            epoch: the epoch that the masking is drawn for.
            corpus: the name of the corpus, for its points.
            links: (m, 2) word links of each pair, if they are needed.

        Returns:
            What ``sentences`` returns for the masked rows, and as far as it is needed:

            - ``net_input``: ``segments`` and ``positions`` (R, T) of all rows. For word alignment
              ``prefix_lengths`` (R,), tokens of the first sentence (of a masked row, all its
              tokens); ``cross``, the queries and keys of ``layout.AlignmentRows``;
              ``sentence_width``, the number P.
            - ``source_mask``, ``target_mask``: (B, L) bool, the tokens that are aligned.
            - ``sentence_mask``: (2B, P) bool, the tokens of x and of y that count in their means.
            - ``source_key``, ``target_key``: (B,) int64, equal for equal sentences.
            - ``sentences``: what ``separate`` returns.
            - ``points``: what ``PointFinder.batch`` returns.
            - ``links``: what ``LinkedWords.batch`` returns.
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
        """Puts each sentence of n pairs in a row of its own.

        Returns:
            ``tokens`` (2n, T), all sources and then all targets; ``mask`` (2n, T) bool, the tokens
            that count in a sentence's mean; ``source_key`` and ``target_key`` (n,) as in ``pairs``.
        """
        rows = [sentence_row(x, self.specials) for x in (*sources, *targets)]
        tokens = pad_rows(rows, self.specials.pad)
        mask, keys = self._means(tokens, torch.tensor([len(row) for row in rows]))
        source_key, target_key = keys.chunk(2)
        return {"tokens": tokens, "mask": mask, "source_key": source_key, "target_key": target_key}

    def _mask(
        self, rows: torch.Tensor, lengths: np.ndarray, draws: Sequence[int], epoch: int
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Masks (B, T) rows whose sentences have (B,) lengths, without special tokens.

        Returns:
            (B, T) tokens; (B, Q) predicted positions and (M,) slots, as a pair; (M,) targets.
        """
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
        """Returns (R, P) bool, the tokens that count in a sentence's mean, and (R,) keys of the
        sentences, which are at the left of (R, P) tokens."""
        whole = prefix_token_mask(lengths, tokens.size(1))
        keys = torch.from_numpy(fingerprints(tokens.numpy(), whole.numpy()))
        if self.needs.include_specials:
            return whole, keys
        return prefix_token_mask(lengths, tokens.size(1), include_specials=False), keys
