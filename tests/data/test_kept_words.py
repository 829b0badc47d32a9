"""The file that says where words begin: what is read is what was written, and damage is noticed."""

import pickle

import numpy as np
import pytest

from fairseq_amber.data.kept_words import KeptWordFile, KeptWordWriter
from fairseq_amber.errors import UserError


def write(prefix, blocks, kind="moses"):
    writer = KeptWordWriter(prefix, kind)
    try:
        for block in blocks:
            writer.add(block)
        writer.finish()
    finally:
        writer.close()
    return prefix


@pytest.fixture
def bits():
    return np.random.default_rng(0).random(203) < 0.4


@pytest.mark.parametrize("cuts", [[], [8, 16], [1, 2, 3, 4, 100, 101, 101], list(range(203))])
def test_bits_come_back_however_they_are_cut(tmp_path, bits, cuts):
    file = KeptWordFile(write(tmp_path / "train", np.split(bits, cuts)))
    assert (file.tokens, file.kind) == (203, "moses")
    for start in range(0, 203, 3):
        for count in (0, 1, 7, 8, 9, 50):
            expected = bits[start : start + count]
            found = file.read(start, len(expected))
            assert found.dtype == bool and found.tolist() == expected.tolist()
    whole = (tmp_path / "train.words").read_bytes()
    assert whole == (write(tmp_path / "once", [bits]).parent / "once.words").read_bytes()
    assert len(whole) < 26 + 203 / 8 + 20


def test_no_token_at_all(tmp_path):
    file = KeptWordFile(write(tmp_path / "train", []))
    assert file.tokens == 0 and file.read(0, 0).shape == (0,)


def test_a_process_receives_the_path_alone(tmp_path, bits):
    file = KeptWordFile(write(tmp_path / "train", [bits] * 100, "spaces"))
    sent = pickle.dumps(file)
    assert len(sent) < 1000
    there = pickle.loads(sent)
    assert there.kind == "spaces" and there.read(200, 9).tolist() == file.read(200, 9).tolist()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: data[:-1], "is damaged or cut short"),
        (lambda data: data + b"0", "is damaged or cut short"),
        (lambda data: data[:10], "is damaged or cut short"),
        (lambda data: b"", "is damaged or cut short"),
        (lambda data: b"MMIDIDX\0" + data[8:], "is not a file of word boundaries"),
        (lambda data: data[:8] + b"\7" + data[9:], "of another version"),
    ],
)
def test_damage_is_one_clear_error(tmp_path, bits, change, message):
    write(tmp_path / "train", [bits])
    path = tmp_path / "train.words"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=f"^{path} {message}|^{path} .*{message}"):
        KeptWordFile(tmp_path / "train")
    with pytest.raises(UserError, match="cannot read .*nowhere.words"):
        KeptWordFile(tmp_path / "nowhere")
