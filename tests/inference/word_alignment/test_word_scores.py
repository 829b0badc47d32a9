"""The scores of words, from those of subwords that a loop can count."""

import numpy as np
import pytest
import torch

from fairseq_amber.inference.tokenizer import WordPieces
from fairseq_amber.inference.word_alignment.methods import SubwordLinks
from fairseq_amber.inference.word_alignment.word_scores import word_alignments, word_scores

X = WordPieces(np.arange(5), np.array([0, 0, 1, 3, 3]))  # word 2 has no subwords
Y = WordPieces(np.arange(3), np.array([0, 1, 1]))
SHAPE = (5, 2)  # the last source word has none either


@pytest.fixture
def scores():
    """Scores, most of them negative, with padding."""
    return np.random.default_rng(0).uniform(-1, 0.1, (7, 4)).astype(np.float32)


def block(scores, i, j):
    return [scores[p, q] for p in range(5) for q in range(3) if (X.words[p], Y.words[q]) == (i, j)]


@pytest.mark.parametrize("method", ["similarity", "attention", "softmax"])
def test_two_words_have_the_highest_score_of_their_subwords(scores, method):
    found = word_scores(method, scores, X, Y, SHAPE)
    assert found.dtype == np.float32
    for i in range(5):
        for j in range(2):
            assert found[i, j] == max(block(scores, i, j), default=0)


def test_mass_is_a_share_of_the_smaller_words_mass(scores):
    found = word_scores("transport", np.abs(scores), X, Y, SHAPE)
    for i in range(5):
        for j in range(2):
            smaller = min(np.mean(X.words == i), np.mean(Y.words == j))
            moved = sum(block(np.abs(scores), i, j))
            assert found[i, j] == pytest.approx(moved / smaller if smaller else 0, rel=1e-5)


def test_links_have_the_scores_of_their_words(scores):
    aligned = torch.zeros(1, 7, 4, dtype=torch.bool)
    for i, j in ((0, 2), (1, 1), (4, 0)):
        aligned[0, i, j] = True
    found = SubwordLinks(torch.from_numpy(scores)[None], aligned)
    [alignment] = word_alignments("similarity", found, [(X, Y)], scores=True)
    assert alignment.links == [(0, 1), (3, 0)]
    assert alignment.scores == pytest.approx([max(block(scores, 0, 1)), max(block(scores, 3, 0))])
    assert word_alignments("similarity", found, [(X, Y)], scores=False) == [(alignment.links, None)]
