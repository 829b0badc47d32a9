"""How token ids are laid out in rows, and where the parts of a row lie.

A sentence is ``<s> x </s>``, a pair ``<s> x </s> y </s>`` (BERT's layout), padded on the right.
Token ids come in and go out without special tokens; the layout adds them.

Shapes: B pairs, R rows, T tokens of the longest row, L tokens of the longest sentence.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
import torch

SENTENCE_SPECIALS = 2  # <s> x </s>
PAIR_SPECIALS = 3  # <s> x </s> y </s>


class Specials(NamedTuple):
    """Ids of the special tokens."""

    bos: int
    eos: int
    pad: int
    mask: int = -1

    @classmethod
    def of(cls, dictionary) -> Specials:
        """Those of a fairseq dictionary."""
        return cls(dictionary.bos(), dictionary.eos(), dictionary.pad(), dictionary.index("<mask>"))


class AlignmentRows(NamedTuple):
    """The two word alignment passes of B pairs: rows [x;y] of all pairs, then rows [y;x].

    rows: 2B arrays of ids. prefix_lengths: (2B,) int64, the first sentence with its specials.
    queries, keys: (2B, L) int64, positions of the second and of the first sentence's own tokens,
    0 in the padding; source_mask, target_mask: (B, L) bool, True where x or y has a token.
    """

    rows: list[np.ndarray]
    prefix_lengths: torch.Tensor
    queries: torch.Tensor
    keys: torch.Tensor
    source_mask: torch.Tensor
    target_mask: torch.Tensor


def sentence_row(x: np.ndarray, specials: Specials) -> np.ndarray:
    """``<s> x </s>``."""
    return np.concatenate(([specials.bos], x, [specials.eos]))


def pair_row(x: np.ndarray, y: np.ndarray, specials: Specials) -> np.ndarray:
    """``<s> x </s> y </s>``."""
    return np.concatenate(([specials.bos], x, [specials.eos], y, [specials.eos]))


def pad_rows(rows: Sequence[np.ndarray], pad: int) -> torch.Tensor:
    """(R, T) int64, each row from the left, the rest padding."""
    out = np.full((len(rows), max(map(len, rows))), pad, dtype=np.int64)
    for line, row in zip(out, rows):
        line[: len(row)] = row
    return torch.from_numpy(out)


def alignment_rows(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], specials: Specials
) -> AlignmentRows:
    """Rows for AMBER's word alignment (arXiv 2010.07972, Figure 1): in [x;y] the second sentence
    is the one that attends across. Special tokens are neither queries nor keys of the block."""
    x_lengths = np.array([len(x) for x in sources])
    y_lengths = np.array([len(y) for y in targets])
    first = np.concatenate((x_lengths, y_lengths))  # lengths of the row's first sentence
    second = np.concatenate((y_lengths, x_lengths))
    index = np.arange(max(x_lengths.max(), y_lengths.max()))  # (L,)
    queries = np.where(index < second[:, None], first[:, None] + 2 + index, 0)
    keys = np.where(index < first[:, None], 1 + index, 0)
    rows = [pair_row(x, y, specials) for x, y in zip(sources, targets)]
    rows += [pair_row(y, x, specials) for x, y in zip(sources, targets)]
    return AlignmentRows(
        rows=rows,
        prefix_lengths=torch.from_numpy(first + SENTENCE_SPECIALS),
        queries=torch.from_numpy(queries),
        keys=torch.from_numpy(keys),
        source_mask=torch.from_numpy(index < x_lengths[:, None]),
        target_mask=torch.from_numpy(index < y_lengths[:, None]),
    )


def attention_maps(cross_attention: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits the cross block of :func:`alignment_rows`, (2B, H, L, L), into the maps
    source-to-target (B, H, S, T) and target-to-source (B, H, T, S), S = T = L."""
    target_to_source, source_to_target = cross_attention.chunk(2)
    return source_to_target, target_to_source


def prefix_token_mask(
    prefix_lengths: torch.Tensor, width: int, *, include_specials: bool = True
) -> torch.Tensor:
    """(R, width) bool, True on the first sentence of each row: ``<s> x </s>``, or x alone."""
    index = torch.arange(width, device=prefix_lengths.device)
    if include_specials:
        return index < prefix_lengths.unsqueeze(1)
    return (index > 0) & (index < prefix_lengths.unsqueeze(1) - 1)
