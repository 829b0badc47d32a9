"""Linked words, against words that are joined from their pieces as strings."""

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from fairseq_amber.data.alignment.example import RowStarts
from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import word_boundaries
from toy_examples import blocks_of, states_of

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
def test_links_lie_at_last_subwords_of_the_rows_of_every_block(units):
    rng = np.random.default_rng(0)
    linked = LinkedWords(BOUNDARIES if units == "words" else None)
    for count in (1, 2, 20):
        pairs = list(zip(*(random_sentences(count, 2 * count + side) for side in (0, 1))))
        lasts = [
            [slow_last_pieces(s) if units == "words" else list(range(len(s))) for s in sentences]
            for sentences in pairs
        ]
        links = [random_links(*sides, rng) for sides in lasts]
        links[0] = None if count == 2 else links[0]
        shapes = blocks_of(pairs, seed=count)
        assert len(shapes) > 4 or count < 20
        states = states_of(shapes)
        out = linked.batch(pairs, links, RowStarts.of(shapes))
        for side, name in enumerate(("first", "second")):
            assert out[name].dtype == torch.int64
            assert [states[at] for at in out[name].tolist()] == [
                (number, side, 1 + lasts[number][side][link[side]])
                for number, own in enumerate(links)
                if own is not None
                for link in own.tolist()
            ]
    assert len(out["first"]) > 20


@pytest.mark.parametrize("links", [np.empty((0, 2), int), None])
def test_no_link_at_all(links):
    starts = RowStarts.of([(1, 3)])
    out = LinkedWords(BOUNDARIES).batch([(np.array([4]), np.array([5]))], [links], starts)
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
