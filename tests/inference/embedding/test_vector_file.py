import io
import json
import os

import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files import writing
from fairseq_amber.inference.embedding import vector_file


def test_rows_beyond_the_last_whole_chunk_are_dropped(
    embed, text, tmp_path, small_chunks, monkeypatch, lines
):
    calls = []

    def stop(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        os.rename(*args)

    with monkeypatch.context() as patch:
        patch.setattr(writing.os, "replace", stop)
        assert embed()[0] == 130
    text.write_text("\n".join(lines[:7]) + "\n", encoding="utf-8")
    assert embed()[0] == 0
    assert (tmp_path / "out.npy").stat().st_size == 128 + 7 * 16 * 4


def test_rows_and_notes_survive_until_the_file_is_complete(tmp_path):
    path, rows = tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(4, 3)
    for start in (0, 2):
        file = vector_file.VectorFile(path, 3, np.dtype("float32"), {"layer": 2})
        assert (file.rows, file.notes) == (start, {"last": start} if start else {})
        file.append(rows[start : start + 2], {"last": start + 2})
        file.close()
        assert not path.exists()
    file = vector_file.VectorFile(path, 3, np.dtype("float32"), {"layer": 2})
    file.finish()
    assert np.array_equal(np.load(path), rows)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npy"]


def test_a_state_that_cannot_be_written_names_the_remedy(tmp_path, monkeypatch):
    file = vector_file.VectorFile(tmp_path / "x.npy", 3, np.dtype("float32"), {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "replace", full)
    with pytest.raises(UserError, match="state.json: No space .* the same command continues"):
        file.append(np.ones((1, 3)), {})


@pytest.mark.parametrize("damage", ["state.json", "vectors.npy"])
def test_a_damaged_remainder_is_refused(embed, interrupted, damage):
    (interrupted / damage).write_bytes(b"{")
    status, _, err = embed("--layer", 2)
    assert status == 2 and err.count("\n") == 1
    assert f"damaged: delete {interrupted}" in err


@pytest.mark.parametrize("place", [vector_file.HEADER_BYTES, -1])
def test_a_flipped_bit_in_the_rows_is_found(embed, interrupted, place):
    content = bytearray((interrupted / "vectors.npy").read_bytes())
    content[place] ^= 4
    (interrupted / "vectors.npy").write_bytes(content)
    status, _, err = embed("--layer", 2)
    assert status == 2 and f"damaged: delete {interrupted}" in err


@pytest.mark.parametrize(
    "state",
    [
        {"rows": "1"},
        {"rows": -1},
        {"rows": True},
        {"rows": 10**15},
        {"notes": []},
        {"notes": {"bytes": 9, "cut": 0}},
        {"notes": {"bytes": 9, "digest": "", "cut": "0"}},
        {"settings": 3},
        {"digest": 7},
    ],
)
def test_a_state_of_other_types_is_named(embed, interrupted, state):
    path = interrupted / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **state}))
    status, _, err = embed("--layer", 2)
    assert status == 2 and f"damaged: delete {interrupted}" in err


@pytest.mark.parametrize("rows", [1, 10**6, 10**15])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_header_is_numpys_and_of_one_size(rows, dtype):
    header = vector_file.npy_header(rows, 1024, np.dtype(dtype))
    assert len(header) == 128
    file = io.BytesIO(header)
    assert np.lib.format.read_magic(file) == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == ((rows, 1024), False, np.dtype(dtype))
    assert file.tell() == 128
