"""The best answers of a model: from scores of first and last tokens to spans and their text.

Shapes: R rows, each one window of a context; T tokens of the longest row; C tokens of the longest
window; K tokens of the longest answer allowed.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.metrics.question_answering import MAX_ANSWER_TOKENS


class Span(NamedTuple):
    """An answer.

    Attributes:
        first: its first token, counted from the beginning of the context.
        last: its last token, counted from the beginning of the context.
        score: the sum of the scores of its first and of its last token.
    """

    first: int
    last: int
    score: float


def best_answers(
    scores: Tensor,
    windows: Mapping[str, Sequence[int]],
    *,
    n_best: int = 20,
    max_answer_tokens: int = MAX_ANSWER_TOKENS,
) -> list[list[Span]]:
    """Finds the best spans of each question of a batch from the scores of its windows.

    A span lies in one window, does not end before it begins, and has at most max_answer_tokens
    tokens. Windows overlap: a span may begin with a token only in the window that has most context
    around that token, where the context is min(tokens to its left, tokens to its right) + 0.01 *
    length of the window, and the earlier row wins a tie (BERT's rule, Devlin et al. 2019, arXiv
    1810.04805, run_squad.py). The search is exhaustive.

    Args:
        scores: (R, T, 2) scores of each token as the first and as the last token of the answer.
        windows: four lists of R numbers. ``example``: the question of each window, numbered from 0
            in the batch; ``first``: the window's first token, counted from the beginning of the
            context; ``length``: its number of tokens; ``column``: where it begins in its row.
        n_best: the number of spans of each question, at most.
        max_answer_tokens: the longest answer in tokens.

    Returns:
        The spans of each question, the best first. Equally good spans are sorted by their
        beginning, then by their end. No list is empty: a question whose spans all have the score
        -inf gets the context's first token, with that score.
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

    span_limit = min(max_answer_tokens, len(offsets))
    ends = torch.nn.functional.pad(ends, (0, span_limit - 1), value=-torch.inf).unfold(
        1, span_limit, 1
    )
    sums = (starts.unsqueeze(2) + ends).flatten(1)  # (R, C * K)
    best = _top(sums, min(n_best, sums.size(1)))
    values = sums.gather(1, best).tolist()
    answers: list[list[Span]] = [[] for _ in range(1 + max(windows["example"], default=-1))]
    rows = zip(windows["example"], windows["first"], best.tolist(), values)
    for example, start, row, row_values in rows:
        answers[example].extend(
            Span(start + i // span_limit, start + i // span_limit + i % span_limit, value)
            for i, value in zip(row, row_values)
            if value > -torch.inf
        )
    return [
        sorted(spans, key=lambda span: (-span.score, span.first, span.last))[:n_best]
        or [Span(0, 0, -torch.inf)]
        for spans in answers
    ]


def answer_text(context: str, offsets: np.ndarray, span: Span) -> str:
    """Returns the characters of the context that a span covers, without white space at the ends.

    Args:
        context: the text.
        offsets: (L, 2) the characters [begin, end) of each of the context's tokens.
        span: the answer.
    """
    covered = offsets[span.first : span.last + 1]
    return context[covered[0, 0] : covered[-1, 1]].strip() if len(covered) else ""


def _array(numbers: Sequence[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def _most_context(windows: Mapping[str, Sequence[int]], inside: np.ndarray) -> np.ndarray:
    """Finds the tokens around which no other window has more context than this one: (R, C) bool ->
    (R, C) bool."""
    first, length, example = (_array(windows[name]) for name in ("first", "length", "example"))
    rows, offsets = np.nonzero(inside)
    context = np.minimum(offsets, length[rows] - 1 - offsets)
    rank = (100 * context + length[rows]) * len(first) + len(first) - 1 - rows  # all differ
    tokens = first[rows] + offsets
    token_key = example[rows] * (tokens.max(initial=0) + 1) + tokens
    highest = np.zeros(token_key.max(initial=0) + 1, dtype=np.int64)
    np.maximum.at(highest, token_key, rank)
    out = np.zeros_like(inside)
    out[rows, offsets] = rank == highest[token_key]
    return out


def _top(values: Tensor, count: int) -> Tensor:
    """Returns the indices of the highest values of each row: (R, N) fp32 -> (R, count) int64. The
    first of equal values wins on every device, which ``topk`` alone does not promise."""
    bits = (values + 0.0).view(torch.int32)  # + 0.0 turns -0.0 into 0.0
    rank = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()  # in the order of the values
    index = torch.arange(values.size(1), device=values.device)
    keys = (rank << 32) | (values.size(1) - 1 - index)
    return keys.topk(count, dim=1).indices
