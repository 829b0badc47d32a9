import io
import os

import numpy as np
import pytest

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
        patch.setattr(vector_file.os, "replace", stop)
        assert embed()[0] == 130
    text.write_text("\n".join(lines[:7]) + "\n", encoding="utf-8")
    assert embed()[0] == 0
    assert (tmp_path / "out.npy").stat().st_size == 128 + 7 * 16 * 4


@pytest.mark.parametrize("damage", ["state.json", "vectors.npy"])
def test_a_damaged_remainder_is_refused(embed, interrupted, damage):
    (interrupted / damage).write_bytes(b"{")
    status, _, err = embed("--layer", 2)
    assert status == 2 and err.count("\n") == 1
    assert f"damaged: delete {interrupted}" in err


@pytest.mark.parametrize("rows", [1, 10**6, 10**15])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_header_is_numpys_and_of_one_size(rows, dtype):
    header = vector_file.npy_header(rows, 1024, np.dtype(dtype))
    assert len(header) == 128
    file = io.BytesIO(header)
    assert np.lib.format.read_magic(file) == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == ((rows, 1024), False, np.dtype(dtype))
    assert file.tell() == 128
