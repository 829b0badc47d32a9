import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import (
    LINES_PER_BLOCK,
    blocks,
    check_file,
    decode_line,
    read_block,
    read_lines,
)


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


def test_decodes_the_lines_of_a_stream_one_by_one():
    lines = ["\ufeffmark\r\n", "\ufeffno mark\n", "last"]
    found = [decode_line(line.encode(), "stdin", number) for number, line in enumerate(lines, 1)]
    assert found == ["mark", "\ufeffno mark", "last"]
    with pytest.raises(UserError, match=r"stdin:3: not UTF-8 \(byte 2 of the line\)"):
        decode_line(b"a\xff\n", "stdin", 3)
    with pytest.raises(UserError, match="stdin:4: a NUL byte"):
        decode_line(b"a\0\n", "stdin", 4)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"fine\nstra\xdfe\n", r"x\.txt:2: not UTF-8 \(byte 5 of the line\)"),
        ("Hund\n".encode("utf-16"), r"x\.txt:1: UTF-16, not UTF-8"),
        (b"a\nb\nc\0d\n", r"x\.txt:3: a NUL byte"),
        (b"", r"x\.txt is empty"),
        (b"ok\n" * (LINES_PER_BLOCK + 7) + b"\xff\n", rf"x\.txt:{LINES_PER_BLOCK + 8}: "),
    ],
)
def test_what_is_no_text_is_named_by_file_and_line(tmp_path, content, message):
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        check_file(tmp_path / "x.txt")


def test_only_a_newline_ends_a_line(tmp_path):
    lines = ["\ufeffmark", "one\r", "two\u2028still two\x0b\x85", "", " three \rmore", "last"]
    path = tmp_path / "x.txt"
    path.write_bytes("\n".join(lines).encode("utf-8"))
    text = check_file(path)
    assert text.lines == 6
    (block,) = blocks(text)
    assert read_block(block) == ["mark", "one", *lines[2:]]


def test_blocks_are_the_file(tmp_path):
    lines = [f"Satz {i}" for i in range(2 * LINES_PER_BLOCK + 5)]
    path = tmp_path / "x.txt"
    path.write_text("\n".join(lines) + "\n")
    parts = [read_block(block) for block in blocks(check_file(path))]
    assert [len(part) for part in parts] == [LINES_PER_BLOCK, LINES_PER_BLOCK, 5]
    assert sum(parts, []) == lines


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("ä\n" * 10, encoding="utf-8")
    (block,) = blocks(check_file(path))
    path.write_bytes(path.read_bytes()[:4])
    with pytest.raises(UserError, match="changed while it was being read"):
        read_block(block)
