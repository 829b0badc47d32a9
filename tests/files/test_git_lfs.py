"""Pointers of Git LFS, which a clone holds in the place of large files."""

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.git_lfs import check_file, check_no_pointer
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.files.torch_file import read_torch_file

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n"


@pytest.mark.parametrize("read", [check_file, read_bytes, read_torch_file])
def test_readers_name_a_pointer(tmp_path, read):
    path = tmp_path / "model.bin"
    path.write_bytes(POINTER)
    with pytest.raises(UserError, match="model.bin is a pointer of Git LFS.*with git lfs pull$"):
        read(path)


def test_other_files_are_left_to_their_reader(tmp_path):
    check_file(tmp_path / "missing")
    check_file(tmp_path)
    (tmp_path / "x").write_bytes(b"version 2")
    check_file(tmp_path / "x")
    check_no_pointer(b"", "x")
