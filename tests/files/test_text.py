import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import decode_line, read_lines


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
