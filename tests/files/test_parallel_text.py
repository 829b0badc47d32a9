import gzip

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.parallel_text import (
    choose_pairs,
    find_parallel,
    language_of,
    language_pair,
    read_joined,
    read_order,
    read_parallel,
)


def write(folder, name, content="a\nb\n"):
    path = folder / name
    path.write_text(content)
    return path


def test_both_sides_have_the_same_number_of_lines(tmp_path):
    assert read_parallel(write(tmp_path, "x"), write(tmp_path, "y", "c\nd")) == (
        ["a", "b"],
        ["c", "d"],
    )
    with pytest.raises(UserError, match="a has 2 lines but .*b has 1"):
        read_parallel(write(tmp_path, "a"), write(tmp_path, "b", "one\n"))


def test_both_sides_of_one_file(tmp_path):
    path = write(tmp_path, "x", "a b ||| c\n ||| d\ne |||\n|||\tf||| g\n")
    assert read_joined(path) == (["a b", "", "e", ""], ["c", "d", "", "f||| g"])


@pytest.mark.parametrize(
    "line, count", [("a b", 0), ("a|||b", 0), ("", 0), ("a ||| b ||| c", 2), ("||| |||", 2)]
)
def test_a_line_without_two_sides_is_named(tmp_path, line, count):
    path = write(tmp_path, "x", f"a ||| b\n{line}\n")
    with pytest.raises(UserError, match=f"x:2: expected source .* the line has {count} times"):
        read_joined(path)


def test_finds_pairs_by_name(tmp_path):
    for name in (
        "test.de-en.de",
        "test.de-en.en",
        "test.de-en.gold",
        "train.de-en.de",
        "test.de",
        "test.en-tr.en",
        "test.en-tr.tr",
        "tatoeba.deu-eng.deu",
        "tatoeba.deu-eng.eng",
    ):
        write(tmp_path, name)
    found = find_parallel(tmp_path, "test")
    assert [pair.name for pair in found] == ["de-en", "en-tr"]
    assert (found[0].source.name, found[0].target.name) == ("test.de-en.de", "test.de-en.en")
    assert [pair.name for pair in find_parallel(tmp_path, "tatoeba")] == ["deu-eng"]
    with pytest.raises(UserError, match="no files valid.*--split may be tatoeba, test, train"):
        find_parallel(tmp_path, "valid")
    with pytest.raises(UserError, match=r"lacks train\.de-en\.en"):
        find_parallel(tmp_path, "train")
    with pytest.raises(UserError, match="not a folder"):
        find_parallel(tmp_path / "test.de", "test")


def test_names_a_pair_after_its_files():
    assert language_pair("x/test.de-en.en", "x/test.de-en.de") == "en-de"
    assert language_pair("a.txt", "b.txt") == "a.txt-b.txt"
    assert [language_of(name) for name in ("x/test.de-en.en", "de.txt")] == ["en", None]


def test_chooses_pairs_among_those_that_are_there(tmp_path):
    found = ["de-en", "en-tr"]
    assert choose_pairs(None, found, tmp_path) == found
    assert choose_pairs("en-tr, de-en,en-tr", found, tmp_path) == ["en-tr", "de-en"]
    with pytest.raises(UserError, match="^--x: .* has no pair 'de'; it has de-en, en-tr$"):
        choose_pairs("de", found, tmp_path, flag="--x")


def test_an_order_names_every_line_once(tmp_path):
    path = tmp_path / "gold"
    path.write_text("2\n0 \n1\n")
    assert read_order(path, 3) == [2, 0, 1]
    with pytest.raises(UserError, match="gold has 3 numbers for 4 lines"):
        read_order(path, 4)
    for third, message in (("3", "0 to 2: '3'"), ("x", "0 to 2: 'x'"), ("2", "2 is in line 1")):
        path.write_text(f"2\n0\n{third}\n")
        with pytest.raises(UserError, match=f"gold:3: .*{message}"):
            read_order(path, 3)


def test_pairs_of_languages_with_hyphens_and_compressed_files(tmp_path):
    for name in ("test.por-BR-eng.por-BR", "test.eng-srp-Latn.eng"):
        write(tmp_path, name)
    for name in ("test.por-BR-eng.eng.gz", "test.eng-srp-Latn.srp-Latn.GZ"):
        (tmp_path / name).write_bytes(gzip.compress(b"c\nd\n"))
    found = find_parallel(tmp_path, "test")
    assert [pair.name for pair in found] == ["eng-srp-Latn", "por-BR-eng"]
    assert [language_of(path) for path in found[1][1:]] == ["por-BR", "eng"]
    assert language_pair(*found[0][1:]) == "eng-srp-Latn"
    assert read_parallel(*found[1][1:]) == (["a", "b"], ["c", "d"])
    write(tmp_path, "test.por-BR-eng.eng")
    with pytest.raises(UserError, match=r"holds both .*\.eng and .*\.eng\.gz; remove one"):
        find_parallel(tmp_path, "test")


def test_files_that_end_in_another_language_are_named(tmp_path, caplog):
    for name in ("test.FR-EN.fr", "test.FR-EN.en", "test.FR-EN.gold"):
        write(tmp_path, name)
    with pytest.raises(UserError, match=r"test\.FR-EN\.en, test\.FR-EN\.fr ends in no language"):
        find_parallel(tmp_path, "test")
    for name in ("test.de-en.de", "test.de-en.en", "test.de-en.gold"):
        write(tmp_path, name)
    assert [pair.name for pair in find_parallel(tmp_path, "test")] == ["de-en"]
    assert "not all is taken: test.FR-EN.en, test.FR-EN.fr ends in no language" in caplog.text
    assert "gold" not in caplog.text


def test_what_is_odd_of_a_side_is_said(tmp_path, caplog):
    lines = "".join(f"{i}\tSatz\n" for i in range(1, 7))
    read_parallel(write(tmp_path, "x", lines), write(tmp_path, "y", "\u200b\n" * 6))
    assert "x: every line begins with a number (1, 2, 3, ...)" in caplog.text
    assert "y holds nothing that can be seen" in caplog.text
