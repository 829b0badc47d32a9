import pickle
import struct

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDataset, MMapIndexedDatasetBuilder

from fairseq_amber.data import token_file
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.errors import UserError

SENTENCES = [[5, 6, 7, 2], [2], [8, 2], [65000, 9, 10, 11, 2]]


def write(prefix, dtype=np.uint16, sentences=SENTENCES):
    builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for sentence in sentences:
        builder.add_item(torch.tensor(sentence))
    builder.finalize(f"{prefix}.idx")
    return prefix


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_it_reads_what_fairseq_reads(tmp_path, dtype):
    prefix = write(tmp_path / "train", dtype)
    ours, theirs = TokenFile(prefix), MMapIndexedDataset(str(prefix))
    assert ours.sizes.tolist() == theirs.sizes.tolist()
    for i in range(len(SENTENCES)):
        assert ours[i].dtype == np.int64
        assert ours[i].tolist() == theirs[i].tolist() == SENTENCES[i]
    tokens, ends = ours.head(3)
    assert tokens.tolist() == sum(SENTENCES[:3], [])
    assert ends.tolist() == [4, 5, 7]


@pytest.mark.parametrize("at_once", [1, 3, 4, 100_000])
@pytest.mark.parametrize("dtype", [np.uint16, np.int64])
def test_ids_are_counted_by_sentence(tmp_path, monkeypatch, dtype, at_once):
    monkeypatch.setattr(token_file, "_READ_TOGETHER", at_once)
    sentences = TokenFile(write(tmp_path / "train", dtype, SENTENCES * 3))
    counts = sentences.count(lambda ids, _: ids > 6)
    assert counts.dtype == np.int32
    assert counts.tolist() == [sum(i > 6 for i in sentence) for sentence in SENTENCES] * 3
    places = sentences.count(lambda ids, first: (first + np.arange(len(ids))) % 2 == 0)
    flat = [i for i, s in enumerate(SENTENCES * 3) for _ in s]
    assert places.tolist() == [flat[::2].count(i) for i in range(len(sentences))]
    assert [sentences.place(i) for i in (0, 1, 4)] == [0, 4, 12] and sentences.tokens == 36
    empty = TokenFile(write(tmp_path / "empty", sentences=[]))
    assert empty.count(lambda ids, _: ids > 6).shape == (0,)


def test_a_process_receives_the_path_alone(tmp_path):
    big = TokenFile(write(tmp_path / "train", sentences=SENTENCES * 500))
    sent = pickle.dumps(big)
    assert len(sent) < 1000
    assert pickle.loads(sent)[3].tolist() == SENTENCES[3]


def test_no_sentences(tmp_path):
    empty = TokenFile(write(tmp_path / "train", sentences=[]))
    assert len(empty) == 0 and len(empty.head(10)[0]) == 0


def damage(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "suffix, change, message",
    [
        (".bin", lambda b: b[:-3], r"train.bin has 21 bytes but its .idx requires 24: it is cut"),
        (".bin", lambda b: b + b"xx", r"train.bin has 26 bytes"),
        (".bin", lambda b: b"", r"train.bin has 0 bytes"),
        (".idx", lambda b: b[:-3], r"train.idx is damaged or cut short"),
        (".idx", lambda b: b[:12], r"train.idx is not the index"),
        (".idx", lambda b: b"", r"train.idx is not the index"),
        (".idx", lambda b: b"TNTIDX\x00\x00" + b[8:], r"--dataset-impl mmap"),
        (".idx", lambda b: b[:17] + b"\x06" + b[18:], r"train.idx is damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, suffix, change, message):
    prefix = write(tmp_path / "train")
    damage(tmp_path / f"train{suffix}", change)
    with pytest.raises(UserError, match=message):
        TokenFile(prefix)


def test_a_missing_file_is_named(tmp_path):
    prefix = write(tmp_path / "train")
    (tmp_path / "train.bin").unlink()
    with pytest.raises(UserError, match=r"cannot read .*train.bin: No such file"):
        TokenFile(prefix)


def index_of(sizes, starts):
    """The bytes of an .idx of uint16 whose sizes and starts need not agree."""
    header = b"MMIDIDX\x00\x00" + struct.pack("<QBQ", 1, 8, len(sizes))
    return header + np.array(sizes, np.int32).tobytes() + np.array(starts, np.int64).tobytes()


@pytest.mark.parametrize(
    "sizes, starts, number",
    [
        ([4, 1, 2, 5], [2, 8, 10, 14], 1),  # the first does not start at 0
        ([4, 65537, 2, 5], [0, 8, 10, 14], 3),
        ([4, 1, 2, 5], [0, 8, 12, 14], 3),
        ([4, 1, -2, 9], [0, 8, 10, 6], 3),
        ([4, 1, 2, 5], [0, 8, 10, -14], 4),
        ([4, 1, 2, 6], [0, 8, 10, 12], 4),
    ],
)
@pytest.mark.parametrize("at_once", [1, 3, 100_000])
def test_sizes_and_places_must_agree(tmp_path, monkeypatch, sizes, starts, number, at_once):
    monkeypatch.setattr(token_file, "_READ_TOGETHER", at_once)
    prefix = write(tmp_path / "train")
    right = index_of([4, 1, 2, 5], [0, 8, 10, 14])
    assert (tmp_path / "train.idx").read_bytes() == right
    TokenFile(prefix)
    (tmp_path / "train.idx").write_bytes(index_of(sizes, starts))
    message = rf"train.idx is damaged: the sizes .* from number {number} on; prepare"
    with pytest.raises(UserError, match=message):
        TokenFile(prefix)


def test_a_version_that_is_not_known(tmp_path):
    prefix = write(tmp_path / "train")
    damage(tmp_path / "train.idx", lambda b: b[:9] + b"\x02" + b[10:])
    with pytest.raises(UserError, match="train.idx is damaged"):
        TokenFile(prefix)


def test_sentences_come_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(token_file, "_READ_TOGETHER", 3)
    file = TokenFile(write(tmp_path / "train"))
    blocks = [(begin, ids.tolist(), starts.tolist()) for begin, ids, starts in file.blocks()]
    assert blocks == [(0, sum(SENTENCES[:3], []), [0, 4, 5]), (7, SENTENCES[3], [0])]
