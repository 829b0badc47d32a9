"""Tables of words: typed rows, and errors that name the file and the line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from fairseq_amber.demo_corpus.word_table import Words, read_table
from fairseq_amber.errors import UserError

HEADER = "concept\tgender\tforms\tplural\n"


class Noun(NamedTuple):
    concept: str
    gender: Literal["m", "f"]
    forms: Words = ()
    plural: str = "none"


def table(folder: Path, rows: str, header: str = HEADER) -> Path:
    path = folder / "nouns.tsv"
    path.write_text(header + rows, encoding="utf-8")
    return path


def test_rows_have_types_and_defaults(tmp_path):
    path = table(tmp_path, "dog\tm\tsobaka psa\tpsy\nlamp\tf\t-\t-\n")
    assert read_table(path, Noun) == [
        Noun("dog", "m", ("sobaka", "psa"), "psy"),
        Noun("lamp", "f", (), "none"),
    ]


def test_several_columns_can_identify_a_row(tmp_path):
    path = table(tmp_path, "dog\tm\t-\t-\ndog\tf\t-\t-\n")
    assert [row.gender for row in read_table(path, Noun, keys=2)] == ["m", "f"]
    with pytest.raises(UserError, match=r"nouns\.tsv:3: dog is in line 2 already"):
        read_table(path, Noun)


@pytest.mark.parametrize(
    "row, complaint",
    [
        ("dog\tm\t-", r":3: 3 cells, but the header names 4 columns"),
        ("dog\tx\t-\t-", r":3: gender: x is not one of m, f"),
        ("dog\t-\t-\t-", r":3: gender: '-' is not a word"),
        ("\tm\t-\t-", r":3: concept: '' is not a word"),
        ("dog\tm\ta  b\t-", r":3: forms: 'a  b' is not a word"),
        ("dog\tm\t-\tpsy ", r":3: plural: 'psy ' is not a word"),
    ],
)
def test_a_wrong_row(tmp_path, row, complaint):
    path = table(tmp_path, f"cat\tf\t-\t-\n{row}\n")
    with pytest.raises(UserError, match=r"nouns\.tsv" + complaint):
        read_table(path, Noun)


def test_a_wrong_header(tmp_path):
    path = table(tmp_path, "dog\tm\t-\t-\n", header="concept\tgender\tplural\tforms\n")
    with pytest.raises(UserError, match=r":1: the columns must be concept, gender, forms, plural"):
        read_table(path, Noun)


def test_an_unknown_word(tmp_path):
    path = table(tmp_path, "dog\tm\tbig red\t-\n")
    assert read_table(path, Noun, known={"forms": ["big", "red"]})
    with pytest.raises(UserError, match=r":2: forms: red is not one of big, old"):
        read_table(path, Noun, known={"forms": ["big", "old"]})


def test_every_table_is_in_the_package():
    """An installed package has the tables only if ``package_data`` names them."""
    package = Path(__file__).parents[2] / "fairseq_amber" / "demo_corpus"
    folders = {path.parent for path in package.rglob("*.tsv")}
    assert len(folders) == 5 and all((folder / "__init__.py").is_file() for folder in folders)
    assert '"": ["*.tsv"]' in (package.parents[1] / "setup.py").read_text(encoding="utf-8")
