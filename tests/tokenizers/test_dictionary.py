"""fairseq's dictionaries: what is wrong in them, and whether two are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from fairseq.data import Dictionary

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.dictionary import (
    check_rows,
    check_same_dictionary,
    check_trained_with,
    dictionary_of,
    fingerprint,
    load_dictionary,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dict.txt").write_text("a 2\nb 1\n")
    return tmp_path


def test_a_folders_dictionary_has_a_mask(folder):
    dictionary = load_dictionary(folder)
    assert dictionary.symbols == ["<s>", "<pad>", "</s>", "<unk>", "a", "b", "<mask>"]
    same = dictionary_of(dictionary.symbols)
    assert same.symbols == dictionary.symbols and same.index("<mask>") == 6 and same.pad() == 1


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "dict.txt is empty: prepare"),
        (b"w0 1\nw1\n", "dict.txt:2: expected 'symbol count'.*prepare or fetch it again"),
        (b"w0 1\nw0 1\n", "dict.txt:2: w0 is listed twice"),
        (b"w0 1\n\xff\xfe 1\n", "dict.txt:2: not UTF-8"),
        (b"\xef\xbb\xbfw0 1\n", "dict.txt:1: begins with a byte order mark"),
    ],
)
def test_a_broken_dictionary(folder, text, message):
    (folder / "dict.txt").write_bytes(text)
    with pytest.raises(UserError, match=message) as error:
        load_dictionary(folder)
    assert "\n" not in str(error.value)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(UserError, match="data folder .*nowhere does not exist"):
        load_dictionary(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file: give the data folder"):
        load_dictionary(tmp_path / "file")
    with pytest.raises(UserError, match="dict.txt is missing: .*fairseq-amber prepare RAW"):
        load_dictionary(tmp_path)


def test_equal_dictionaries_pass(folder):
    check_same_dictionary(folder / "dict.txt", folder / "dict.txt")


def test_counts_do_not_matter_but_order_does(folder):
    (folder / "other").write_text("a 9\nb 7\n")
    check_same_dictionary(folder / "dict.txt", folder / "other")
    (folder / "other").write_text("b 1\na 2\n")
    with pytest.raises(UserError, match="dict.txt and .*other are different dictionaries"):
        check_same_dictionary(folder / "dict.txt", folder / "other")


def test_a_fingerprint_tells_symbols_and_their_order_apart():
    def of(*symbols: str) -> str:
        dictionary = Dictionary()
        for symbol in symbols:
            dictionary.add_symbol(symbol)
        return fingerprint(dictionary)

    assert of("a", "b") == of("a", "b")
    assert len({of("a", "b"), of("b", "a"), of("a"), of("ab")}) == 4


def test_a_checkpoint_of_another_dictionary_is_refused(folder):
    dictionary = load_dictionary(folder)
    words = {"path": folder / "dict.txt", "checkpoint": "a.pt", "remedy": "give its own"}
    for recorded in (None, fingerprint(dictionary)):
        check_trained_with(dictionary, recorded, **words)
    with pytest.raises(UserError) as failure:
        check_trained_with(dictionary, "another", **words)
    assert str(failure.value) == (
        f"{folder}/dict.txt is not the dictionary that a.pt was trained with; give its own"
    )


def test_a_checkpoint_of_a_dictionary_of_another_size_is_refused(folder):
    words = {"path": folder / "dict.txt", "checkpoint": "a.pt", "remedy": "give its own"}
    check_rows(7, 7, **words)
    message = "a.pt was trained with a dictionary of 9 symbols but .*dict.txt has 7; give its own"
    with pytest.raises(UserError, match=message):
        check_rows(9, 7, **words)
