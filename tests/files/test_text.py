import gzip

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import (
    LINES_PER_BLOCK,
    blocks,
    check_file,
    decode_line,
    read_block,
    read_lines,
    warn_of_text,
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


def test_blocks_of_a_compressed_file_are_those_of_its_text(tmp_path):
    lines = [f"Satz {i}" for i in range(2 * LINES_PER_BLOCK + 5)]
    data = ("\ufeff" + "\r\n".join(lines)).encode()
    plain, packed = write(tmp_path, "x", data), write(tmp_path, "y.gz", gzip.compress(data))
    texts = [check_file(plain), check_file(packed)]
    assert texts[1] == texts[0]._replace(path=packed, compressed=True)
    parts = [read_block(block) for block in blocks(texts[1])]
    assert [len(part) for part in parts] == [LINES_PER_BLOCK, LINES_PER_BLOCK, 5]
    assert sum(parts, []) == lines == read_lines(packed)
    packed.write_bytes(gzip.compress(data[:-1]))
    with pytest.raises(UserError, match="y.gz changed while it was being read"):
        list(blocks(texts[1]))


def test_lines_that_end_in_carriage_returns_alone_are_refused(tmp_path):
    path = write(tmp_path, "mac", "one\rtwo\rthree\r")
    for read in (check_file, read_lines, lambda path: decode_line(path.read_bytes(), path, 1)):
        with pytest.raises(UserError, match="mac: its lines end in carriage returns.*tr '"):
            read(path)
    assert read_lines(write(tmp_path, "one", "only one\r")) == ["only one"]
    assert read_lines(write(tmp_path, "mixed", "one\rtwo\nthree")) == ["one\rtwo", "three"]


def test_a_checked_file_knows_its_longest_line_and_what_is_odd_of_it(tmp_path, caplog):
    text = check_file(write(tmp_path, "x", "a\n" * 5000 + "é" * 3000 + "\nb\n"))
    assert (text.longest, text.visible, text.numbers) == (6001, True, "")
    warn_of_text(text)
    assert caplog.text == ""
    blank = check_file(write(tmp_path, "y", " \u200b\n\u3000\n"))
    numbered = check_file(write(tmp_path, "z", "".join(f"{i}\tSatz\n" for i in range(1, 9))))
    for checked, message in ((blank, "y holds nothing that can be"), (numbered, "z: every line")):
        warn_of_text(checked)
        assert message in caplog.text
