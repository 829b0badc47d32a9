"""Linked words, against words that are joined from their pieces as strings."""

import numpy as np
import pytest
import torch

from fairseq_amber.data.alignment.example import RowStarts
from fairseq_amber.data.alignment.linked_words import CorpusLinks, LinkedWords
from fairseq_amber.data.alignment.needs import LinkSettings
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.words import TokenWords
from fairseq_amber.tokenizers.word_boundaries import word_boundaries
from toy_examples import blocks_of, states_of

PIECES = "<s> <pad> </s> <unk> ▁a ▁b ▁c d e . 我 ▁你 <mask>".split()
BOUNDARIES = word_boundaries(PIECES, Specials(0, 2, 1, 12), "spaces", split_unspaced=False)


class Links(list):
    """Links of the pairs, in place of a ``LinkFile``."""


def positions(pairs, links, units, subword="last"):
    """The positions of the links of each pair, and None where there are none."""
    words = (TokenWords(None, BOUNDARIES),) * 2 if units == "words" else None
    linked = CorpusLinks(Links(links), words, subword == "first")
    some = (None if own is None else linked.positions(i, pairs[i]) for i, own in enumerate(links))
    return list(some)


def random_sentences(count, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(3, len(PIECES) - 1, rng.integers(1, 12)) for _ in range(count)]


def slow_pieces(sentence, units, subword):
    """Where the words between spaces end, or begin, in every script."""
    words = []
    for position, token in enumerate(sentence):
        if units == "subwords" or PIECES[token].startswith("▁") or not words:
            words.append([])
        words[-1].append(position)
    return [word[-1 if subword == "last" else 0] for word in words]


def random_links(lasts, others, rng):
    some = rng.integers(0, 4)
    return np.stack([rng.integers(0, len(side), some) for side in (lasts, others)], axis=1)


@pytest.mark.parametrize("target_language", ["en", "de"])
@pytest.mark.parametrize("special_tokens", [False, True])
@pytest.mark.parametrize(
    "units, subword", [("words", "last"), ("words", "first"), ("subwords", "last")]
)
def test_links_lie_at_their_subwords_of_the_rows_of_every_block(
    units, subword, special_tokens, target_language
):
    rng = np.random.default_rng(0)
    settings = LinkSettings("", units, subword, special_tokens, target_language)
    linked = LinkedWords(settings)
    for count in (1, 2, 20):
        pairs = list(zip(*(random_sentences(count, 2 * count + side) for side in (0, 1))))
        names = [("de-en", "en-tr", "tr-xx")[number % 3] for number in range(count)]
        words = [[slow_pieces(s, units, subword) for s in sentences] for sentences in pairs]
        links = [random_links(*sides, rng) for sides in words]
        links[0] = None if count == 2 else links[0]
        shapes = blocks_of(pairs, seed=count)
        assert len(shapes) > 4 or count < 20
        out = linked.batch(
            names, pairs, positions(pairs, links, units, subword), RowStarts.of(shapes)
        )
        expected = {"source": [], "target": []}
        for number, (name, own) in enumerate(zip(names, links)):
            for target, kind in ((False, "source"), (True, "target")):
                is_left = name.split("-")[0] == target_language
                side = 0 if is_left is target else 1
                places = [] if own is None else [1 + words[number][side][x] for x in own[:, side]]
                if special_tokens and own is not None:
                    places += [0, len(pairs[number][side]) + 1]
                expected[kind] += [(number, side, place) for place in places]
        states = states_of(shapes)
        for kind, places in expected.items():
            assert out[kind].dtype == torch.int64
            assert [states[at] for at in out[kind].tolist()] == places
            assert out[f"{kind}_place"].tolist() == [place for _, _, place in places]
        assert out["pair"].tolist() == [number for number, _, _ in expected["source"]]
        alone = states_of(shapes, sides=(None,))
        found = [alone[at] for at in out["initial"].tolist()]
        assert found == [(number, None, place) for number, _, place in expected["target"]]
    assert len(out["source"]) > 20


@pytest.mark.parametrize("links", [np.empty((0, 2), int), None])
def test_no_link_at_all(links):
    starts = RowStarts.of([(1, 3)])
    linked = LinkedWords(LinkSettings(""))
    pair = (np.array([4]), np.array([5]))
    out = linked.batch(["de-en"], [pair], positions([pair], [links], "words"), starts)
    assert {tuple(one.shape) for one in out.values()} == {(0,)}
    assert {one.dtype for one in out.values()} == {torch.int64}


def test_a_sentence_of_one_token_has_its_word_and_its_special_tokens():
    linked = LinkedWords(LinkSettings("", special_tokens=True))
    pair = (np.array([7]), np.array([5]))
    out = linked.batch(["de-en"], [pair], [np.array([[0, 0]])], RowStarts.of([(1, 3)]))
    assert out["source"].tolist() == [1, 0, 2] and out["target"].tolist() == [4, 3, 5]
    assert linked.counts(np.array([0, 4], dtype=np.int32)).tolist() == [2, 6]


def test_a_word_is_linked_at_one_of_its_subwords():
    """Of two words in each sentence, the second ones are linked."""
    pair = (np.array([4, 7, 8, 5, 7]), np.array([5, 6, 8]))
    links = [np.array([[1, 1]])]
    assert positions([pair], links, "words")[0].tolist() == [[4, 2]]
    assert positions([pair], links, "words", "first")[0].tolist() == [[3, 1]]
