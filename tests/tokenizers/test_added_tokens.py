"""Text is cut around added tokens; what stands between them goes to the tokenizer."""

import numpy as np
import pytest

from fairseq_amber.tokenizers.added_token_files import AddedToken
from fairseq_amber.tokenizers.added_tokens import AddedTokens
from fairseq_amber.tokenizers.offsets import PlacedSubwords, join

pytest.importorskip("tokenizers", reason="tokenizers is not installed")

LETTERS = ["a", "b", "c"]


def encode(lines):
    """Numbers letters; spaces are nothing."""
    rows = [[LETTERS.index(c) for c in line if c in LETTERS] for line in lines]
    return np.array(sum(rows, []), np.int32), np.array(list(map(len, rows)), np.int64)


def encode_with_offsets(texts):
    places = [[i for i, c in enumerate(text) if c in LETTERS] for text in texts]
    return join(
        [
            PlacedSubwords(
                encode([text])[0],
                np.array([len(found)]),
                np.array([[i, i + 1] for i in found], np.int32).reshape(-1, 2),
            )
            for text, found in zip(texts, places)
        ]
    )


def finder(*tokens):
    pieces = list(LETTERS)
    return AddedTokens(tokens, pieces, lambda: None), pieces


def test_tokens_are_found_and_the_rest_is_encoded():
    added, pieces = finder(AddedToken("<x>", 9), AddedToken("ab c", 12))
    assert pieces == ["a", "b", "c", "<x>", "ab c"]
    numbers, lengths = added.encode(["a<x>b", "", "<x>", "ab cc ", "c"], encode)
    assert numbers.tolist() == [0, 3, 1, 3, 4, 2, 2] and numbers.dtype == np.int32
    assert lengths.tolist() == [3, 0, 1, 2, 1]
    assert added.encode([], encode)[1].tolist() == []


def test_offsets_are_those_of_the_whole_text():
    added, _ = finder(AddedToken("<x>", 9, lstrip=True))
    placed = added.encode_with_offsets(["a  <x>b", "", "b"], encode_with_offsets)
    assert placed.numbers.tolist() == [0, 3, 1, 1]
    assert placed.lengths.tolist() == [3, 0, 1]
    assert placed.offsets.tolist() == [[0, 1], [3, 6], [6, 7], [0, 1]]


def test_a_token_that_is_a_piece_keeps_its_number():
    added, pieces = finder(AddedToken("b", 1))
    assert pieces == LETTERS
    assert added.encode(["abc"], encode)[0].tolist() == [0, 1, 2]


def test_without_tokens_nothing_is_done():
    added, pieces = finder(AddedToken("\n", 3))  # dict.txt cannot hold it
    assert not added and pieces == LETTERS
    assert added.encode(["a\nb"], encode)[0].tolist() == [0, 1]
    assert added.encode_with_offsets(["ab"], encode_with_offsets).numbers.tolist() == [0, 1]
