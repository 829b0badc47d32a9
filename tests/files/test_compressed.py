"""Files as the programs gzip, bzip2, xz and zstd write them, cut, damaged and mixed."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.compressed import PlainReader, open_plain, plain_name

TEXT = "".join(f"Satz {i} — ein Stück\n" for i in range(60_000)).encode()
LIBRARY = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
PROGRAMS = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}


def by_program(suffix, data):
    if shutil.which(PROGRAMS[suffix]) is None:
        pytest.skip(f"no {PROGRAMS[suffix]}")
    command = [PROGRAMS[suffix], "-c"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("suffix", PROGRAMS)
def test_what_the_programs_write_is_read(tmp_path, suffix):
    data = by_program(suffix, TEXT)
    path = tmp_path / f"x.{suffix}"
    for content, text in (
        (data, TEXT),
        (data + by_program(suffix, b"more\n"), TEXT + b"more\n"),  # as cat makes of two
        (by_program(suffix, b""), b""),
    ):
        path.write_bytes(content)
        with open_plain(path) as stream:
            assert stream.compressed and stream.read() == text
    with PlainReader(io.BytesIO(data), "standard input") as stream:
        assert [next(stream), next(stream)] == TEXT.splitlines(keepends=True)[:2]


@pytest.mark.parametrize("suffix", PROGRAMS)
def test_a_damaged_or_cut_file_is_one_line(tmp_path, suffix):
    data = by_program(suffix, TEXT)
    path = tmp_path / f"x.{suffix}"
    middle = len(data) // 2
    broken = bytearray(data)
    broken[middle] ^= 0xFF
    for content in (data[:middle], data[:-3], data[:12], bytes(broken), data + data[:-3]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.\w+ is damaged or cut short \(\w+: .+\); fetch"):
            open_plain(path).read()


@pytest.mark.parametrize("suffix", LIBRARY)
def test_padding_is_no_text_and_rubbish_at_the_end_is_damage(tmp_path, suffix):
    path = tmp_path / "x"
    path.write_bytes(LIBRARY[suffix](b"a\n") + b"\0" * 8)
    assert open_plain(path).read() == b"a\n"
    path.write_bytes(LIBRARY[suffix](b"a\n") + b"rubbish, no stream")
    with pytest.raises(UserError, match="damaged or cut short"):
        open_plain(path).read()


def test_the_bytes_decide_and_not_the_name(tmp_path):
    path = tmp_path / "plain.gz"
    path.write_bytes(b"BZh9 is text\n")
    with open_plain(path) as stream:
        assert not stream.compressed and stream.read() == b"BZh9 is text\n"
    names = ("train.de.gz", "train.de.XZ", "a.bz2", "a.zst", "train.de")
    assert [plain_name(name) for name in names] == ["train.de", "train.de", "a", "a", "train.de"]


def test_other_archives_are_named(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(UserError, match="x.zip is a zip archive, not text; unpack it"):
        open_plain(tmp_path / "x.zip")
    with pytest.raises(UserError, match="cannot read .*none: No such file"):
        open_plain(tmp_path / "none")


def test_a_line_that_would_fill_the_memory_is_named(tmp_path):
    """/dev/zero, or one long line, filled the memory."""
    path = tmp_path / "x"
    path.write_bytes(b"a\n")
    os.truncate(path, (1 << 26) + (1 << 20))  # a hole of the file system, which takes no room
    with pytest.raises(UserError, match="x has a line of more than 64 MB; give text with one"):
        list(open_plain(path))
    os.truncate(path, 1 << 26)
    assert len(list(open_plain(path))) == 2


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    path = tmp_path / "x.de"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    with pytest.raises(UserError, match="x.de is a pointer of Git LFS.*; fetch that with git lfs"):
        open_plain(path)
    path.write_text("version https://git\n")
    assert open_plain(path).read() == b"version https://git\n"


def test_what_is_packed_comes_in_small_pieces(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a" * (1 << 24)))
    with open_plain(path) as stream:
        sizes = []
        while chunk := stream.raw.read(1 << 30):
            sizes.append(len(chunk))
    assert sum(sizes) == 1 << 24 and max(sizes) <= 1 << 18


def test_zstd_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="compressed by zstd.*not installed: install it .apt"):
        PlainReader(io.BytesIO(b"\x28\xb5\x2f\xfd" + b"\0" * 20), "x.zst").read()
