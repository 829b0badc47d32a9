"""How token ids are laid out in rows, and where the parts of a row are.

A sentence is ``<s> x </s>``, a pair ``<s> x </s> y </s>`` (BERT's layout), padded on the right.
Token ids come in and go out without special tokens; the layout adds them.

Shapes: B pairs, R rows, T tokens of the longest row, L tokens of the longest sentence.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np
import torch

SENTENCE_SPECIALS = 2  # <s> x </s>
PAIR_SPECIALS = 3  # <s> x </s> y </s>
PAIR_POSITIONS = ("continuous", "xlm", "restart")
_FORMER_NAMES = {"reset": "restart"}  # in the settings of checkpoints of version 0.2.0


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
    """The rows of word alignment of B pairs: rows [x;y] of all pairs, then perhaps rows [y;x].

    Attributes:
        rows: R arrays of ids; R is 2B, or B without the rows [y;x].
        prefix_lengths: (R,) int64 tokens of a row's first sentence, special tokens included.
        queries: (R, L) int64 positions of the second sentence's aligned tokens, 0 in the padding.
        keys: (R, L) int64 positions of the first sentence's aligned tokens, 0 in the padding.
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
    both_orders: bool = True,
) -> AlignmentRows:
    """Makes the rows of AMBER's word alignment (arXiv 2010.07972, Figure 1). In [x;y] the second
    sentence attends to the first.

    Args:
        sources: the B sentences x.
        targets: the B sentences y.
        specials: ids of the special tokens.
        include_eos: align the ``</s>`` of a sentence too. ``<s>`` belongs to the row and is never
            aligned.
        both_orders: make the rows [y;x] too.
    """
    first, second = sentence_lengths(sources), sentence_lengths(targets)  # of the rows
    rows = [pair_row(x, y, specials) for x, y in zip(sources, targets)]
    if both_orders:
        first, second = np.concatenate((first, second)), np.concatenate((second, first))
        rows += [pair_row(y, x, specials) for x, y in zip(sources, targets)]
    width = int(max(first.max(), second.max())) + include_eos
    index = np.arange(width)
    in_first = aligned_tokens(first, width, include_eos=include_eos)
    in_second = aligned_tokens(second, width, include_eos=include_eos)
    return AlignmentRows(
        rows=rows,
        prefix_lengths=torch.from_numpy(first + SENTENCE_SPECIALS),
        queries=torch.from_numpy(
            np.where(in_second, first[:, None] + SENTENCE_SPECIALS + index, 0)
        ),
        keys=torch.from_numpy(np.where(in_first, 1 + index, 0)),
        source_mask=torch.from_numpy(in_first[: len(sources)]),
        target_mask=torch.from_numpy(in_second[: len(sources)]),
    )


def sentence_lengths(sentences: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the numbers of tokens of n sentences, without special tokens: (n,) int64."""
    return np.array([len(sentence) for sentence in sentences], dtype=np.int64)


def aligned_tokens(lengths: np.ndarray, width: int, *, include_eos: bool = False) -> np.ndarray:
    """Returns (n, width) bool, True on the tokens of sentences of (n,) lengths that are aligned,
    counted from the first token behind ``<s>``; with ``include_eos`` the ``</s>`` is one."""
    return np.arange(width) < lengths[:, None] + include_eos


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


class PairMarks(NamedTuple):
    """How a model tells the two parts of a row ``<s> x </s> y </s>`` apart.

    Attributes:
        segments: by BERT's token types, if the model has them.
        positions: one of ``PAIR_POSITIONS``; ``second_positions`` explains them.
    """

    segments: bool = True
    positions: str = "continuous"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PairMarks:
        """Reads the marks from the flags of a task by name, by default BERT's."""
        positions = str(values.get("pair_positions") or "continuous")
        return cls(
            (values.get("pair_segments") or "auto") == "auto",
            _FORMER_NAMES.get(positions, positions),
        )

    def inputs(self, prefix_lengths: torch.Tensor, width: int) -> dict[str, torch.Tensor]:
        """Makes the arguments ``segments`` and ``positions`` of the model, (R, width) int64 each,
        as far as they are not its defaults.

        Args:
            prefix_lengths: (R,) int64 tokens of a row's first part, special tokens included.
            width: the length T of the rows.
        """
        found = {}
        if self.segments:
            found["segments"] = pair_segments(prefix_lengths, width)
        if self.positions != "continuous":
            found["positions"] = second_positions(prefix_lengths, width, self.positions)
        return found


def second_positions(prefix_lengths: torch.Tensor, width: int, choice: str) -> torch.Tensor:
    """Computes positions that count anew at the second part of a row.

    ``xlm`` gives the first token of y position 1, which it also has in ``<s> y </s>``. These are
    the positions of XLM's translation language modelling (Conneau and Lample 2019, arXiv
    1901.07291, section 3.3): its ``concat_batches(reset_positions=True)`` joins the rows ``</s> x
    </s>`` and ``</s> y </s>``, each with positions from 0. Here y has no opening token, so that no
    token of the second part has position 0. The ``</s>`` of x keeps its own position. ``restart``
    gives the first token of y position 0.

    Args:
        prefix_lengths: (R,) int64 tokens of a row's first part, special tokens included.
        width: the length T of the rows.
        choice: ``xlm`` or ``restart``.

    Returns:
        (R, width) int64.
    """
    start = {"xlm": 1, "restart": 0}[choice]
    back = prefix_lengths.unsqueeze(1) - start
    return torch.arange(width) - pair_segments(prefix_lengths, width) * back
