"""Files of tagged sentences in the forms in which the world has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.tagged_file import read_tagged
from raw_task_files import write


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tagged_sentences(end: str, newline: str, tmp_path: Path):
    text = "Al\tPROPN\n1 000\tNUM\n\n\u3000\tX\n\nnext\u2028line\tX" + end
    path = write(tmp_path, "\ufeff" + text.replace("\n", newline))
    file = read_tagged(path, labelled=True)
    assert file.words == ["Al", "1 000", "\u3000", "next\u2028line"]
    assert file.labels == ["PROPN", "NUM", "X", "X"]
    assert file.sentence_lengths == [2, 1, 1]
    assert [file.line(i) for i in range(4)] == [1, 2, 4, 6]


@pytest.mark.parametrize(
    "text", ["Al\n1 000\n\nis\n", "Al\t\n1 000\t\n\nis\t\n", "Al\n1 000\t\n\nis"]
)
def test_blank_labels_of_test_files(text: str, tmp_path: Path):
    file = read_tagged(write(tmp_path, text), labelled=False)
    assert (file.words, file.labels) == (["Al", "1 000", "is"], [""] * 3)
    with pytest.raises(UserError, match="x.tsv:1: no label behind a tab; add it$"):
        read_tagged(file.path, labelled=True)


@pytest.mark.parametrize(
    "text, message",
    [
        ("\n\t\n", "x.tsv:1: a file with no words"),
        ("a X\nb X Y\nc X\n", "x.tsv:2: 3 columns; a line is word<TAB>label"),
        ("a b X\nc d Y\ne Z\n", "x.tsv:3: 2 columns; most lines have 3"),
        ("a b X\nc d Y\n", "x.tsv:1: 3 columns; .* such as --columns 1,4"),
        ("a X\nb\nc X\n", "x.tsv:2: no label behind a tab"),
        ("a\tX\nb\tX\tY\n", "x.tsv:2: 3 columns; a line is word<TAB>label"),
        ("a\tX\n\nb\n", "x.tsv:3: no label behind a tab; add it, or blank them all"),
        (b"a\tX\nb\xff\tX\n", "x.tsv:2: not UTF-8"),
        ("", "x.tsv is empty"),
    ],
)
def test_broken_tagged_files(text: str | bytes, message: str, tmp_path: Path):
    with pytest.raises(UserError, match=message):
        read_tagged(write(tmp_path, text), labelled=False)


def test_columns_that_the_user_names(tmp_path: Path):
    path = write(tmp_path, "1\tAl\tO\tX\n2\tBo\tB-PER\tX\n")
    file = read_tagged(path, labelled=True, task="ner", columns=(2, 3))
    assert (file.words, file.labels) == (["Al", "Bo"], ["O", "B-PER"])
    with pytest.raises(UserError, match="x.tsv:1: 4 columns, but --columns 2,5"):
        read_tagged(path, labelled=True, columns=(2, 5))
    with pytest.raises(UserError, match="x.tsv:1: 4 columns; .* --columns"):
        read_tagged(path, labelled=True, task="ner")  # the first column numbers the words


def test_comments_and_the_word_that_begins_them(tmp_path: Path):
    file = read_tagged(write(tmp_path, "# id = 1\n#\tSYM\n# in between\n1\tNUM\n"), labelled=True)
    assert (file.words, file.sentence_lengths, file.gaps) == (["#", "1"], [2], [1, 0])
    file = read_tagged(write(tmp_path, "#\n#tag\n\nword\n"), labelled=False)
    assert file.words == ["#", "#tag", "word"]
    text = "# id 7 domain=en\n# _ _ O\nof _ _ O\n"
    file = read_tagged(write(tmp_path, text), labelled=True, task="ner")
    assert (file.words, file.lines) == (["#", "of"], [2, 3])


def test_a_prefix_that_is_not_before_every_word(tmp_path: Path):
    text = "de:Al\tO\nBo\tO\n"
    assert read_tagged(write(tmp_path, text), labelled=True, task="ner").words[0] == "de:Al"
    text = "de:Al\tX\nde:Bo\tX\n"
    assert read_tagged(write(tmp_path, text), labelled=True, task="pos").words[0] == "de:Al"
