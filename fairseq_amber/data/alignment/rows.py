"""Makes the rows of a block: of sentences, or of pairs.

Shapes: B sentences or pairs; R rows of T tokens; M predicted tokens, at most Q in a row; P tokens
of the longest sentence, special tokens included; L tokens of the longest sentence without them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.block_rows import second_segment
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.data.alignment.masking import Masking, mask_rows, predicted_counts
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.counter_random import fingerprints, random_bits, stream_keys
from fairseq_amber.data.layout import (
    PAIR_SPECIALS,
    SENTENCE_SPECIALS,
    PairMarks,
    Specials,
    aligned_tokens,
    alignment_rows,
    pad_rows,
    pair_row,
    pair_segments,
    prefix_token_mask,
    sentence_lengths,
    sentence_row,
)

# The special tokens in rows of where words begin: each is a word of its own.
_WORDS = Specials(True, True, True)
_COIN = np.array([(1 << 62) + 1])  # behind the numbers of the same stream that mask the row


class PairLayout(NamedTuple):
    """How a model tells the two sentences of a pair's row apart, and which one comes first.

    Attributes:
        marks: how they are told apart.
        both_orders: a masked row is [x;y] or [y;x], by a coin of the example; otherwise [x;y].
    """

    marks: PairMarks = PairMarks()
    both_orders: bool = True


class RowMaker:
    """Makes the rows of blocks; the arguments are those of ``collater.Collater``."""

    def __init__(
        self, specials: Specials, needs: Needs, masking: Masking, layout: PairLayout, seed: int
    ):
        self.specials = specials
        self.needs = needs
        self.masking = masking
        self.layout = layout
        self.seed = seed

    def sentences(self, examples: Sequence[Example], epoch: int) -> dict[str, Any]:
        """Makes a block of masked sentences.

        Args:
            examples: B sentences.
            epoch: the epoch that the masking is drawn for.

        Returns:
            ``net_input``, the arguments of the model: ``src_tokens`` (B, T) and ``predicted``, a
            pair of positions (B, Q) and slots (M,), see ``masking.MaskedRows``; if rows have two
            segments, ``segments`` (B, T). Beside it ``target`` (M,), the predicted tokens;
            ``ntokens`` without padding; and ``sentences``, what ``separate`` returns, if sentences
            are candidates.
        """
        keys = self._stream_keys(examples, epoch)
        sentences = [example.sentences[0] for example in examples]
        seconds = [
            None if example.line_starts is None else second_segment(example.line_starts, key)
            for example, key in zip(examples, keys)
        ]
        rows = [_row(x, second, self.specials) for x, second in zip(sentences, seconds)]
        lengths = np.array([len(x) for x in sentences])
        padded = pad_rows(rows, self.specials.pad)
        starts = None
        if self.masking.words:
            starts = [_row(_words(e)[0], second, _WORDS) for e, second in zip(examples, seconds)]
        tokens, predicted, target = self._mask(padded, lengths, keys, starts)
        net_input: dict[str, Any] = {"src_tokens": tokens, "predicted": predicted}
        if any(second is not None for second in seconds):
            first = [
                len(row) if second is None else second + SENTENCE_SPECIALS
                for row, second in zip(rows, seconds)
            ]
            net_input["segments"] = pair_segments(torch.tensor(first), padded.size(1))
        block: dict[str, Any] = {
            "net_input": net_input,
            "target": target,
            "ntokens": sum(map(len, rows)),
        }
        if self.needs.others:
            block["sentences"] = self.separate(examples)
            block["ntokens"] += int((lengths + SENTENCE_SPECIALS).sum())
        return block

    def pairs(self, examples: Sequence[Example], epoch: int) -> dict[str, Any]:
        """Makes a block of pairs: first masked rows, [x;y] or [y;x], then unmasked rows [x;y] of
        all pairs and, for the passes of word alignment, [y;x] of all pairs.

        Args:
            examples: B pairs (x, y).
            epoch: the epoch that the masking is drawn for.

        Returns:
            What ``sentences`` returns for the masked rows, and as far as it is needed:

            - ``net_input``: ``segments`` and ``positions`` (R, T) of all rows. If there are
              unmasked rows, ``prefix_lengths`` (R,), tokens of the first sentence (of a row with
              full attention, all its tokens); ``cross``, the queries and keys of
              ``layout.AlignmentRows``; ``sentence_width``, the number P (of rows with full
              attention, T).
            - ``source_mask``, ``target_mask``: (B, L) bool, the tokens that are aligned; in a row
              of its own, the tokens of a sentence from the second position on.
            - ``sentence_mask``: (2B, P) bool, the tokens of x and of y that count in their means.
            - ``sentences``: what ``separate`` returns.
            - ``pair_widths``: the numbers B and P.
        """
        sources, targets = zip(*(example.sentences for example in examples))
        first, second = sentence_lengths(sources), sentence_lengths(targets)
        lengths = first + second
        keys = self._stream_keys(examples, epoch)
        swapped = np.zeros(len(examples), dtype=bool)
        if self.layout.both_orders:
            swapped = random_bits(keys, _COIN) >> np.uint64(63) != 0
        masked: list[np.ndarray] = []
        starts = None
        if self.needs.tlm:
            masked = [_pair(e.sentences, s, self.specials) for e, s in zip(examples, swapped)]
            if self.masking.words:
                starts = [_pair(_words(e), s, _WORDS) for e, s in zip(examples, swapped)]
        aligned = None
        clean: list[np.ndarray] = []
        with_eos = self.needs.alignment_specials
        if self.needs.alignment or self.needs.word_states == "joint":
            aligned = alignment_rows(
                sources,
                targets,
                self.specials,
                include_eos=with_eos,
                both_orders=self.needs.alignment,
            )
            clean = aligned.rows
        width = int(lengths.max()) + PAIR_SPECIALS
        padded = self._padded(masked + clean, width)
        count = len(masked)
        tokens, predicted, target = self._mask(
            padded[:count], lengths[:count], keys[:count], starts
        )
        net_input: dict[str, Any] = {"src_tokens": tokens, "predicted": predicted}
        block: dict[str, Any] = {"net_input": net_input, "target": target}
        sentence_width = int(max(first.max(), second.max())) + SENTENCE_SPECIALS
        block["pair_widths"] = (len(examples), sentence_width)
        prefixes = torch.from_numpy(np.where(swapped, second, first)[:count] + SENTENCE_SPECIALS)
        if aligned is not None:
            whole = torch.from_numpy(lengths + PAIR_SPECIALS)
            visible = aligned.prefix_lengths if self.needs.alignment else whole
            net_input["src_tokens"] = torch.cat([tokens, padded[count:]])
            net_input["prefix_lengths"] = torch.cat([whole[:count], visible])
            net_input["cross"] = (aligned.queries, aligned.keys)
            net_input["sentence_width"] = sentence_width if self.needs.alignment else width
            block["source_mask"] = aligned.source_mask
            block["target_mask"] = aligned.target_mask
            prefixes = torch.cat([prefixes, aligned.prefix_lengths])
        if self.needs.alignment:
            assert aligned is not None
            block["sentence_mask"] = self._mean_mask(aligned.prefix_lengths, sentence_width)
        if self.needs.word_states == "apart":
            longest = sentence_width - SENTENCE_SPECIALS + with_eos
            for name, own in (("source", first), ("target", second)):
                mask = aligned_tokens(own, longest, include_eos=with_eos)
                block[f"{name}_mask"] = torch.from_numpy(mask)
        net_input.update(self.layout.marks.inputs(prefixes, width))
        if self.needs.sentences:
            block["sentences"] = self.separate(examples)
        block["ntokens"] = int(self.needs.tokens_of_pair(lengths).sum())
        return block

    def separate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Puts each sentence in an unmasked row of its own.

        Returns:
            ``tokens`` (R, T): the B sentences, or of pairs all sources and then all targets, R =
            2B; and ``mask`` (R, T) bool, the tokens that count in a sentence's mean.
        """
        sides = zip(*(example.sentences for example in examples))
        rows = [sentence_row(x, self.specials) for side in sides for x in side]
        tokens = pad_rows(rows, self.specials.pad)
        lengths = torch.tensor([len(row) for row in rows])
        return {"tokens": tokens, "mask": self._mean_mask(lengths, tokens.size(1))}

    def keys(self, sentences: Sequence[np.ndarray]) -> torch.Tensor:
        """Returns (n,) int64 keys of n sentences, equal for equal sentences."""
        if not sentences:
            return torch.zeros(0, dtype=torch.int64)
        rows = [sentence_row(x, self.specials) for x in sentences]
        tokens = pad_rows(rows, self.specials.pad).numpy()
        lengths = np.array([len(row) for row in rows])
        return torch.from_numpy(fingerprints(tokens, np.arange(tokens.shape[1]) < lengths[:, None]))

    def _stream_keys(self, examples: Sequence[Example], epoch: int) -> np.ndarray:
        return stream_keys(self.seed, epoch, np.array([example.draw for example in examples]))

    def _padded(self, rows: Sequence[np.ndarray], width: int) -> torch.Tensor:
        """Pads rows, of which there may be none, to the width of the longest: (R, width) int64."""
        if not rows:
            return torch.empty((0, width), dtype=torch.int64)
        return pad_rows(rows, self.specials.pad)

    def _mask(
        self,
        rows: torch.Tensor,
        lengths: np.ndarray,
        keys: np.ndarray,
        starts: Sequence[np.ndarray] | None,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Masks (B, T) rows whose sentences have (B,) lengths, without special tokens. Whole words
        are masked if ``starts`` has where they begin in each row.

        Returns:
            (B, T) tokens; (B, Q) predicted positions and (M,) slots, as a pair; (M,) targets.
        """
        budgets = predicted_counts(lengths, self.masking.rates)
        words = None
        if starts is not None:
            words = np.ones(rows.shape, dtype=bool)
            words[:, : max(map(len, starts))] = pad_rows(starts, 1).numpy()
        masked = mask_rows(rows.numpy(), budgets, self.masking, keys, words)
        tokens, predicted, slots, targets = map(torch.from_numpy, masked)
        return tokens, (predicted, slots), targets

    def _mean_mask(self, lengths: torch.Tensor, width: int) -> torch.Tensor:
        """Returns (R, width) bool, the tokens that count in the mean of sentences at the left of
        rows."""
        return prefix_token_mask(lengths, width, include_specials=self.needs.include_specials)


def _row(x: np.ndarray, second: int | None, specials: Specials) -> np.ndarray:
    """Returns the row of a sentence, cut into two segments if ``second`` is where the second
    begins."""
    if second is None:
        return sentence_row(x, specials)
    return pair_row(x[:second], x[second:], specials)


def _pair(sides: Sequence[np.ndarray], swapped: bool, specials: Specials) -> np.ndarray:
    """Returns the row of a pair, the second sentence first if it is ``swapped``."""
    first, second = sides[::-1] if swapped else sides
    return pair_row(first, second, specials)


def _words(example: Example) -> tuple[np.ndarray, ...]:
    assert example.words is not None
    return example.words
