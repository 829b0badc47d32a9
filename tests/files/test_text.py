import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.parallel_text import (
    find_parallel,
    language_pair,
    read_order,
    read_parallel,
)
from fairseq_amber.files.text import read_lines
from fairseq_amber.files.writing import atomic_writer


def write(folder, name, content="a\nb\n"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_lines_end_at_newlines_alone(tmp_path):
    path = write(tmp_path, "x", "\ufeffa\u2028b\r\n\n c \u0085")
    assert read_lines(path) == ["a\u2028b", "", " c \u0085"]


def test_bad_text_names_its_file_and_line(tmp_path):
    with pytest.raises(UserError, match=r"x:2: not UTF-8"):
        read_lines(write(tmp_path, "x", b"gut\n\xe4\n"))
    with pytest.raises(UserError, match="y is empty"):
        read_lines(write(tmp_path, "y", ""))
    with pytest.raises(UserError, match="cannot read .*missing"):
        read_lines(tmp_path / "missing")
    with pytest.raises(UserError, match="a has 2 lines but .*b has 1"):
        read_parallel(write(tmp_path, "a"), write(tmp_path, "b", "one\n"))


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


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "out.txt"
    for failure in (KeyboardInterrupt, UserError):
        with pytest.raises(failure), atomic_writer(path) as file:
            file.write("half")
            raise failure
    assert list(path.parent.iterdir()) == []
    with atomic_writer(path) as file:
        file.write("ganz\n")
        assert not path.exists()
    assert path.read_text() == "ganz\n"
    assert [p.name for p in path.parent.iterdir()] == ["out.txt"]
    with pytest.raises(UserError, match="cannot write"), atomic_writer(path / "below") as file:
        pass


def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch):
    import errno
    import os

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"), atomic_writer(tmp_path / "x") as file:
        file.write("text")
    assert list(tmp_path.iterdir()) == []


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
