"""The best spans against a twin that looks at one span after the other."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from fairseq_amber.metrics.answers import Span, answer_text, best_answers


class Window(NamedTuple):
    example: int
    first: int
    length: int
    column: int


def as_lists(windows):
    """The windows as a batch holds them."""
    return dict(zip(Window._fields, map(list, zip(*windows))))


def slow_best_answers(scores, windows, n_best, max_answer_tokens):
    found = {window.example: [] for window in windows}
    for row, window in enumerate(windows):
        same = [(r, w) for r, w in enumerate(windows) if w.example == window.example]
        for first in range(window.first, window.first + window.length):

            def context(row_and_window, token=first):
                row, (_, start, length, _) = row_and_window
                if not start <= token < start + length:
                    return (-1, 0)
                left, right = token - start, start + length - 1 - token
                return (100 * min(left, right) + length, -row)

            if max(same, key=context)[0] != row:
                continue
            for last in range(first, window.first + window.length):
                at = window.column + first - window.first, window.column + last - window.first
                score = (scores[row, at[0], 0].float() + scores[row, at[1], 1].float()).item()
                if last - first < max_answer_tokens and score > -np.inf:
                    found[window.example].append(Span(first, last, score))
    return [
        sorted(found[e], key=lambda s: (-s.score, s.first, s.last))[:n_best]
        or [Span(0, 0, -np.inf)]
        for e in sorted(found)
    ]


def ragged_windows(rng):
    windows = []
    stride, room = rng.integers(1, 8), rng.integers(1, 14)
    for example in range(rng.integers(1, 5)):
        tokens, column, first = rng.integers(1, 30), rng.integers(1, 6), 0
        while True:
            length = min(room, tokens - first)
            windows.append(Window(example, int(first), int(length), int(column)))
            if first + length >= tokens:
                break
            first += min(stride, length)
    return windows


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_equals_the_slow_twin(dtype):
    rng = np.random.default_rng(0)
    for trial in range(60):
        windows = ragged_windows(rng)
        width = max(w.column + w.length for w in windows) + 1
        # Whole numbers, so that many spans are equally good.
        scores = torch.from_numpy(rng.integers(-3, 4, (len(windows), width, 2))).to(dtype)
        if trial % 3 == 0:
            scores[torch.from_numpy(rng.random(scores.shape) < 0.5)] = -torch.inf
        n_best, longest = int(rng.integers(1, 25)), int(rng.integers(1, 12))
        got = best_answers(scores, as_lists(windows), n_best=n_best, max_answer_tokens=longest)
        assert got == slow_best_answers(scores, windows, n_best, longest)


def test_a_token_starts_an_answer_where_it_has_most_context():
    windows = [Window(0, 0, 6, 3), Window(0, 2, 6, 3)]
    scores = torch.zeros(2, 10, 2)
    scores[0, 3 + 4, 0] = 10.0  # token 4: one token to its right here, two to its left there
    scores[1, 3 + 2, 0] = 1.0
    assert best_answers(scores, as_lists(windows))[0][0] == Span(4, 4, 1.0)


def test_a_question_without_an_allowed_span_still_has_an_answer():
    windows = [Window(0, 0, 2, 1), Window(1, 0, 2, 1)]
    scores = torch.full((2, 4, 2), -torch.inf)
    scores[1] = 0.0
    answers = best_answers(scores, as_lists(windows), n_best=1)
    assert answers == [[Span(0, 0, -torch.inf)], [Span(0, 0, 0.0)]]


def test_the_same_answers_whatever_else_is_in_the_batch():
    rng = np.random.default_rng(1)
    windows = ragged_windows(rng) + [Window(9, 0, 25, 2)]
    scores = torch.from_numpy(rng.normal(size=(len(windows), 40, 2)))
    alone = best_answers(scores[-1:], as_lists([Window(0, 0, 25, 2)]))
    assert best_answers(scores, as_lists(windows))[9] == alone[0]


def test_answer_text():
    context = "Die  «Stadt» Köln ."
    offsets = np.array([[0, 3], [5, 5], [5, 6], [6, 11], [11, 12], [13, 17], [18, 19]])
    assert answer_text(context, offsets, Span(3, 3, 0.0)) == "Stadt"
    assert answer_text(context, offsets, Span(2, 5, 0.0)) == "«Stadt» Köln"
    assert answer_text(context, offsets, Span(0, 1, 0.0)) == "Die"  # without white space
    assert answer_text("", offsets[:0], Span(0, 0, 0.0)) == ""
