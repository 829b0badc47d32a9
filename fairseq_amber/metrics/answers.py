"""From the scores of first and last answer tokens to answers: spans of the context, and their text.

Shapes: R rows, each one window of a context; T tokens of the longest row; C tokens of the longest
window; K the longest answer allowed, in tokens.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor


class Span(NamedTuple):
    """First and last token of an answer, counted in the context; score: of first plus of last."""

    first: int
    last: int
    score: float


def best_answers(
    scores: Tensor,
    windows: Mapping[str, Sequence[int]],
    *,
    n_best: int = 20,
    max_answer_tokens: int = 30,
) -> list[list[Span]]:
    """The best spans of each question of a batch, from the scores of its windows.

    A span lies in one window, ends where it begins or later, and is max_answer_tokens long at
    most. Windows overlap; a first token counts only in the window where it has most context,
    min(tokens to its left, tokens to its right) + 0.01 * length of the window, of equals in the
    earlier row (BERT's rule, Devlin et al., 2018, run_squad.py). All such spans are looked at.

    Args:
        scores: (R, T, 2) of the first and of the last answer token.
        windows: four lists of R numbers. ``example``: the question of each window, numbered from 0
            in the batch; ``first``: the window's first token, counted in the context; ``length``:
            how many tokens it has; ``column``: where it begins in its row.
        n_best: so many spans of a question at most.

    Returns:
        For each question its spans, best first; of equals the one that begins, then the one that
        ends first. Never empty: a question without a span of a score above -inf gets its first
        token, with the score -inf.
    """
    scores = scores.float()
    first, length, column = (_array(windows[name]) for name in ("first", "length", "column"))
    offsets = np.arange(max(1, length.max(initial=1)))  # in the window
    inside = offsets < length[:, None]  # (R, C)
    device = scores.device
    columns = torch.from_numpy(np.where(inside, column[:, None] + offsets, 0)).to(device)
    starts, ends = scores.gather(1, columns.unsqueeze(2).expand(-1, -1, 2)).unbind(2)
    allowed = torch.from_numpy(_most_context(windows, inside)).to(device)
    starts = starts.masked_fill(~allowed, -torch.inf)
    ends = ends.masked_fill(~torch.from_numpy(inside).to(device), -torch.inf)

    reach = min(max_answer_tokens, len(offsets))
    ends = torch.nn.functional.pad(ends, (0, reach - 1), value=-torch.inf).unfold(1, reach, 1)
    sums = (starts.unsqueeze(2) + ends).flatten(1)  # (R, C * K)
    best = _top(sums, min(n_best, sums.size(1)))
    values = sums.gather(1, best).tolist()
    questions = 1 + max(windows["example"], default=-1)
    answers: list[list[Span]] = [[] for _ in range(questions)]
    rows = zip(windows["example"], windows["first"], best.tolist(), values)
    for example, start, row, row_values in rows:
        answers[example].extend(
            Span(start + i // reach, start + i // reach + i % reach, value)
            for i, value in zip(row, row_values)
            if value > -torch.inf
        )
    return [
        sorted(spans, key=lambda span: (-span.score, span.first, span.last))[:n_best]
        or [Span(0, 0, -torch.inf)]
        for spans in answers
    ]


def answer_text(context: str, offsets: np.ndarray, span: Span) -> str:
    """The characters of the context that a span covers, without white space at the ends.

    Args:
        offsets: (L, 2) characters [begin, end) of each of the context's tokens.
    """
    covered = offsets[span.first : span.last + 1]
    return context[covered[0, 0] : covered[-1, 1]].strip() if len(covered) else ""


def _array(numbers: Sequence[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def _most_context(windows: Mapping[str, Sequence[int]], inside: np.ndarray) -> np.ndarray:
    """(R, C) bool: whether a token of a window has more context there than in any other."""
    first, length, example = (_array(windows[name]) for name in ("first", "length", "example"))
    rows, offsets = np.nonzero(inside)
    context = np.minimum(offsets, length[rows] - 1 - offsets)
    rank = (100 * context + length[rows]) * len(first) + len(first) - 1 - rows  # all differ
    tokens = first[rows] + offsets
    place = example[rows] * (tokens.max(initial=0) + 1) + tokens
    highest = np.zeros(place.max(initial=0) + 1, dtype=np.int64)
    np.maximum.at(highest, place, rank)
    out = np.zeros_like(inside)
    out[rows, offsets] = rank == highest[place]
    return out


def _top(values: Tensor, count: int) -> Tensor:
    """(R, count) indices of each row's highest values (R, N), of equals the first: on all devices
    alike, which `topk` alone does not promise."""
    bits = (values + 0.0).view(torch.int32)  # + 0.0: of -0.0
    rank = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()  # in the order of the values
    index = torch.arange(values.size(1), device=values.device)
    keys = (rank << 32) | (values.size(1) - 1 - index)
    return keys.topk(count, dim=1).indices
