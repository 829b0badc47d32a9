"""Linked words, against words that are joined from their pieces as strings."""

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import word_boundaries

PIECES = "<s> <pad> </s> <unk> ▁a ▁b ▁c d e . 我 ▁你 <mask>".split()
BOUNDARIES = word_boundaries(PIECES, Specials(0, 2, 1, 12), split_unspaced=False)


def random_sentences(count, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(3, len(PIECES) - 1, rng.integers(1, 12)) for _ in range(count)]


def slow_last_pieces(sentence):
    """Where the words between spaces end, in every script."""
    lasts = []
    for position, token in enumerate(sentence):
        if PIECES[token].startswith("▁") or not lasts:
            lasts.append(position)
        lasts[-1] = position
    return lasts


def random_links(lasts, others, rng):
    some = rng.integers(0, 4)
    return np.stack([rng.integers(0, len(side), some) for side in (lasts, others)], axis=1)


@pytest.mark.parametrize("units", ["words", "subwords"])
def test_links_lie_at_last_subwords_of_the_rows(units):
    rng = np.random.default_rng(0)
    linked = LinkedWords(BOUNDARIES if units == "words" else None)
    for count in (1, 2, 20):
        x, y = random_sentences(count, 2 * count), random_sentences(count, 2 * count + 1)
        lasts = [
            [slow_last_pieces(s) if units == "words" else list(range(len(s))) for s in side]
            for side in (x, y)
        ]
        links = [random_links(a, b, rng) for a, b in zip(*lasts)]
        width = max(len(sentence) for sentence in x + y) + 2
        expected = [
            (row * width + 1 + lasts[0][row][i], row * width + 1 + lasts[1][row][j])
            for row, pair in enumerate(links)
            for i, j in pair.tolist()
        ]
        out = linked.batch(x, y, links)
        assert out["first"].dtype == out["second"].dtype == torch.int64
        assert list(zip(out["first"].tolist(), out["second"].tolist())) == expected
    assert expected


def test_no_link_at_all():
    out = LinkedWords(BOUNDARIES).batch([np.array([4])], [np.array([5])], [np.empty((0, 2), int)])
    assert out["first"].shape == out["second"].shape == (0,)
    assert out["first"].dtype == torch.int64


@pytest.mark.parametrize("units", ["words", "subwords"])
def test_the_lengths_of_a_file_are_those_of_its_sentences(tmp_path, units):
    sentences = random_sentences(30, 4)
    builder = MMapIndexedDatasetBuilder(f"{tmp_path}/train.bin", dtype=np.uint16)
    for sentence in sentences:
        builder.add_item(torch.tensor([*sentence, 2]))
    builder.finalize(f"{tmp_path}/train.idx")
    linked = LinkedWords(BOUNDARIES if units == "words" else None)
    lengths = linked.lengths(TokenFile(tmp_path / "train"))
    assert lengths.dtype == np.int32
    assert lengths.tolist() == [
        len(slow_last_pieces(s)) if units == "words" else len(s) for s in sentences
    ]
