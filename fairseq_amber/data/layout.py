"""How token ids are laid out in rows, and where the parts of a row are.

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
    """Ids of the special tokens.

    Attributes:
        bos: ``<s>``.
        eos: ``</s>``.
        pad: ``<pad>``.
        mask: ``<mask>``.
    """

    bos: int
    eos: int
    pad: int
    mask: int = -1

    @classmethod
    def of(cls, dictionary) -> Specials:
        """Returns the special tokens of a fairseq dictionary."""
        return cls(dictionary.bos(), dictionary.eos(), dictionary.pad(), dictionary.index("<mask>"))


class AlignmentRows(NamedTuple):
    """The two word alignment passes of B pairs: rows [x;y] of all pairs, then rows [y;x].

    Attributes:
        rows: 2B arrays of ids.
        prefix_lengths: (2B,) int64 tokens of a row's first sentence, special tokens included.
        queries: (2B, L) int64 positions of the second sentence's aligned tokens, 0 in the padding.
        keys: (2B, L) int64 positions of the first sentence's aligned tokens, 0 in the padding.
        source_mask: (B, L) bool, True where x has an aligned token.
        target_mask: (B, L) bool, True where y has an aligned token.
    """

    rows: list[np.ndarray]
    prefix_lengths: torch.Tensor
    queries: torch.Tensor
    keys: torch.Tensor
    source_mask: torch.Tensor
    target_mask: torch.Tensor


def sentence_row(x: np.ndarray, specials: Specials) -> np.ndarray:
    """Returns the row ``<s> x </s>`` of a sentence: (n,) -> (n + 2,) int64."""
    out = np.empty(len(x) + SENTENCE_SPECIALS, dtype=np.int64)
    out[0], out[1:-1], out[-1] = specials.bos, x, specials.eos
    return out


def pair_row(x: np.ndarray, y: np.ndarray, specials: Specials) -> np.ndarray:
    """Returns the row ``<s> x </s> y </s>`` of a pair: (n,), (m,) -> (n + m + 3,) int64."""
    out = np.empty(len(x) + len(y) + PAIR_SPECIALS, dtype=np.int64)
    first = len(x) + SENTENCE_SPECIALS
    out[:first], out[first:-1], out[-1] = sentence_row(x, specials), y, specials.eos
    return out


def pad_rows(rows: Sequence[np.ndarray], pad: int) -> torch.Tensor:
    """Pads R rows on the right to the length of the longest: (R, T) int64."""
    lengths = np.array([len(row) for row in rows])
    out = np.full((len(rows), lengths.max()), pad, dtype=np.int64)
    out[np.arange(out.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return torch.from_numpy(out)


def alignment_rows(
    sources: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    specials: Specials,
    *,
    include_eos: bool = False,
) -> AlignmentRows:
    """Makes the rows of AMBER's word alignment (arXiv 2010.07972, Figure 1). In [x;y] the second
    sentence attends to the first.

    Args:
        sources: the B sentences x.
        targets: the B sentences y.
        specials: ids of the special tokens.
        include_eos: align the ``</s>`` of a sentence too. ``<s>`` belongs to the row and is never
            aligned.
    """
    x_lengths = np.array([len(x) for x in sources])
    y_lengths = np.array([len(y) for y in targets])
    first = np.concatenate((x_lengths, y_lengths))  # lengths of the row's first sentence
    second = np.concatenate((y_lengths, x_lengths))
    index = np.arange(first.max() + include_eos)  # (L,)
    in_first = index < first[:, None] + include_eos
    in_second = index < second[:, None] + include_eos
    rows = [pair_row(x, y, specials) for x, y in zip(sources, targets)]
    rows += [pair_row(y, x, specials) for x, y in zip(sources, targets)]
    return AlignmentRows(
        rows=rows,
        prefix_lengths=torch.from_numpy(first + SENTENCE_SPECIALS),
        queries=torch.from_numpy(
            np.where(in_second, first[:, None] + SENTENCE_SPECIALS + index, 0)
        ),
        keys=torch.from_numpy(np.where(in_first, 1 + index, 0)),
        source_mask=torch.from_numpy(in_first[: len(sources)]),
        target_mask=torch.from_numpy(in_first[len(sources) :]),
    )


def attention_maps(cross_attention: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits the attention of ``alignment_rows``, (2B, H, L, L), into the maps source-to-target
    (B, H, S, T) and target-to-source (B, H, T, S), where S = T = L."""
    target_to_source, source_to_target = cross_attention.chunk(2)
    return source_to_target, target_to_source


def prefix_token_mask(
    prefix_lengths: torch.Tensor, width: int, *, include_specials: bool = True
) -> torch.Tensor:
    """Returns (R, width) bool, True on the first sentence of each row: on ``<s> x </s>``, or
    without ``include_specials`` on x alone."""
    index = torch.arange(width, device=prefix_lengths.device)
    if include_specials:
        return index < prefix_lengths.unsqueeze(1)
    return (index > 0) & (index < prefix_lengths.unsqueeze(1) - 1)


def pair_segments(prefix_lengths: torch.Tensor, width: int) -> torch.Tensor:
    """Returns (R, width) int64, BERT's token types of pairs: 0 on the first sentence and its
    special tokens, 1 behind it."""
    return (torch.arange(width) >= prefix_lengths.unsqueeze(1)).long()


def reset_positions(prefix_lengths: torch.Tensor, width: int) -> torch.Tensor:
    """Returns (R, width) int64, XLM's positions of pairs (Conneau and Lample 2019, arXiv
    1901.07291), which start from 0 again at the second sentence."""
    index = torch.arange(width)
    return index - pair_segments(prefix_lengths, width) * prefix_lengths.unsqueeze(1)
