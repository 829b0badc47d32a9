import hashlib

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import digest_of, file_digest


def test_every_change_to_the_lines_or_where_they_end_is_seen():
    texts = [["a", "b"], ["c"]]
    others = [
        [["a", "b"], ["d"]],
        [["b", "a"], ["c"]],
        [["a"], ["b", "c"]],
        [["ab"], ["c"]],
        [["a", "b"], ["c"], []],
        [["a", "b", "c"]],
    ]
    digests = {digest_of(*sides) for sides in [texts, *others]}
    assert len(digests) == 1 + len(others) and all(len(digest) == 16 for digest in digests)
    assert digest_of(*(iter(side) for side in texts)) == digest_of(*texts)


def test_the_digest_of_a_file_is_that_of_its_bytes_however_many(tmp_path):
    data = bytes(range(256)) * 9000  # more than what is read at a time
    (tmp_path / "a").write_bytes(data)
    assert file_digest(tmp_path / "a") == hashlib.blake2b(data, digest_size=16).hexdigest()
    assert len(data) > 2 << 20


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot read .*absent: No such file"):
        file_digest(tmp_path / "absent")
