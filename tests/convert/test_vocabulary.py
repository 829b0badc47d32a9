"""The vocabulary of a model and its dict.txt."""

import pytest

from fairseq_amber.convert.vocabulary import Vocabulary, read_symbols, shorten
from fairseq_amber.errors import UserError

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


def vocabulary(*symbols, **files):
    return Vocabulary([*SPECIALS, *symbols], files, "v.txt")


def test_a_dictionary_lists_what_fairseq_does_not_add():
    assert vocabulary("a", "b", "<mask>").dictionary() == b"a 1\nb 1\n"
    # a mask that is not the last is listed
    assert vocabulary("<mask>", "b").dictionary() == b"<mask> 1\nb 1\n"


def test_symbols_come_back_with_a_mask():
    assert read_symbols(b"a 1\nb 1\n", "d.txt") == [*SPECIALS, "a", "b", "<mask>"]
    assert read_symbols(b"<mask> 1\nb 1\n", "d.txt") == [*SPECIALS, "<mask>", "b"]
    with pytest.raises(UserError, match="d.txt overwrites fairseq's own symbols"):
        read_symbols(b"<unk> 1 #fairseq:overwrite\n", "d.txt")


def test_symbols_that_a_dictionary_cannot_hold():
    with pytest.raises(UserError, match="v.txt has symbols that fairseq's dict.txt cannot hold"):
        vocabulary("a 1\nb", "<mask>").dictionary()


def test_the_kind_is_that_of_the_files():
    assert Vocabulary([], {"vocab.txt": b""}, "").wordpiece
    assert not Vocabulary([], {"sentencepiece.bpe.model": b""}, "").wordpiece


def test_long_lists_are_cut():
    assert shorten(["a", "b", "c"]) == "'a', 'b', 'c'"
    assert shorten(["a", "b", "c", "d", "e"]) == "'a', 'b', 'c' and 2 more"
