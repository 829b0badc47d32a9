"""After an interruption, a kill or a full disk the same command gets to the same bytes."""

import io
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fairseq_amber.files import writing
from fairseq_amber.inference.embedding import corpus_vectors, vector_file
from forked_programs import forked_python

INTERRUPTIONS = {
    "while encoding": (corpus_vectors, "_encode"),
    "before rows are counted": (vector_file, "write_json"),
    "between rows and state": (writing.os, "replace"),
}


@pytest.mark.parametrize("where", INTERRUPTIONS)
@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    embed, tmp_path, small_chunks, monkeypatch, where, chunk, lines
):
    expected = tmp_path / "whole.npy"
    flags = ["--normalize", "--batch-tokens", 50]
    assert embed(*flags, output=expected)[0] == 0

    module, name = INTERRUPTIONS[where]
    original = getattr(module, name)
    calls = []

    def stop(*args):
        calls.append(args)
        if len(calls) == chunk:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, stop)
        status, _, err = embed(*flags)
    assert status == 130 and err.count("\n") == 1
    assert not (tmp_path / "out.npy").exists()
    assert (tmp_path / "out.npy.partial").exists() == (chunk > 1)  # nothing done, nothing left

    encoded = []
    encode = corpus_vectors._encode
    monkeypatch.setattr(
        corpus_vectors, "_encode", lambda e, x, *rest: encoded.extend(x) or encode(e, x, *rest)
    )
    status, _, err = embed(*flags)
    assert status == 0, err
    assert encoded == lines[3 * (chunk - 1) :]
    assert (tmp_path / "out.npy").read_bytes() == expected.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npy", "text", "whole.npy"]


DRIVER = """
import os, signal, sys
from fairseq_amber import cli
from fairseq_amber.files import writing
from fairseq_amber.inference.embedding import corpus_vectors

corpus_vectors.CHUNK_LINES = 3
replace = os.replace

def stop(source, target):
    global states
    states += os.path.basename(target) == "state.json"
    if states == 3:  # the rows of the third chunk are written, its state is not
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

states = 0
writing.os.replace = stop
cli.main(["embed", *sys.argv[1:]])
"""


def test_a_killed_run_of_a_pipe_goes_on_to_the_same_bytes(
    embed, checkpoint, text, tmp_path, small_chunks, monkeypatch, lines
):
    assert embed(output=tmp_path / "whole.npy")[0] == 0
    driver, output = tmp_path / "driver.py", tmp_path / "out.npy"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [forked_python(), driver, checkpoint, "-", output],
        input=text.read_bytes(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (tmp_path / "out.npy.partial" / "vectors.npy").stat().st_size == 128 + 9 * 16 * 4
    assert not output.exists()
    encoded = []
    encode = corpus_vectors._encode
    monkeypatch.setattr(
        corpus_vectors, "_encode", lambda e, x, *rest: encoded.extend(x) or encode(e, x, *rest)
    )
    status, _, err = embed()  # the same text, now from a file
    assert status == 0, err
    assert encoded == lines[6:]
    assert output.read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--layer", 1], "--layer 2, not 1"),
        (["--layer", 2, "--pooling", "cls", "--normalize"], "--normalize False, not True, --pool"),
        (["--layer", 2, "--dtype", "bfloat16"], "--dtype float32, not bfloat16"),
        (["--layer", 2, "--output-dtype", "float16"], "--output-dtype float32, not float16"),
        (["--layer", 2, "--batch-tokens", 9], "--batch-tokens 8192, not 9"),
        (["--layer", 2, "--prefix", "q: "], "--prefix None, not 'q: '"),
        (["--layer", 2, "--reinitialize", 3], "--reinitialize None, not 3"),
    ],
)
def test_other_settings_than_those_of_the_interrupted_run_are_refused(
    embed, interrupted, flags, message
):
    before = {path.name: path.read_bytes() for path in interrupted.iterdir()}
    status, _, err = embed(*flags)
    assert status == 2 and err.count("\n") == 1
    assert message in err and f"delete the folder {interrupted}" in err
    assert {path.name: path.read_bytes() for path in interrupted.iterdir()} == before


def test_another_checkpoint_is_refused_though_its_name_is_the_same(
    embed, interrupted, checkpoint, edited_checkpoint, fairseq_amber_command, text, tmp_path
):
    other = edited_checkpoint(lambda state: state["optimizer_history"][0].update(num_updates=8))
    status, _, err = fairseq_amber_command("embed", other, text, tmp_path / "out.npy", "--layer", 2)
    assert status == 2 and "a checkpoint with digest" in err


def test_another_text_is_refused_and_a_longer_one_is_not(
    embed, interrupted, text, encoder, monkeypatch, lines
):
    monkeypatch.setattr(corpus_vectors, "CHUNK_BYTES", 16)  # what is done is read again in blocks
    text.write_text("\n".join(["nein", *lines[1:]]) + "\n", encoding="utf-8")
    status, _, err = embed("--layer", 2)
    assert status == 2 and err.count("\n") == 1
    assert f"has encoded 6 lines, with which {text} does not begin" in err
    text.write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")
    assert embed("--layer", 2)[0] == 2
    text.write_text("\n".join([*lines, "mehr"]) + "\n", encoding="utf-8")
    assert embed("--layer", 2)[0] == 0
    found = np.load(interrupted.with_suffix(""))
    expected = encoder.embed([*lines, "mehr"], layer=2).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_bad_line_late_in_a_pipe_keeps_what_is_done(
    embed, text, tmp_path, monkeypatch, small_chunks
):
    bad = text.read_bytes().replace("schläft".encode(), "schläft".encode("latin-1"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(bad)))
    status, _, err = embed(source="-")
    assert status == 2 and "standard input:4: not UTF-8" in err
    assert embed()[0] == 0  # goes on with the text once it is mended
    assert len(np.load(tmp_path / "out.npy")) == 10


def test_a_full_disk_is_one_clear_line_and_the_same_command_goes_on(
    embed, tmp_path, small_chunks, monkeypatch
):
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(vector_file.os, "fsync", full)
        status, _, err = embed()
    assert status == 2 and err.count("\n") == 1
    assert "out.npy: No space left on device; mend that, and the same command continues" in err
    assert embed()[0] == 0
    assert embed(output=tmp_path / "whole.npy")[0] == 0
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_an_existing_file_is_replaced_only_once_the_new_one_is_whole(embed, tmp_path, monkeypatch):
    output = tmp_path / "out.npy"
    output.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(
            corpus_vectors, "_encode", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        assert embed()[0] == 130
    assert output.read_bytes() == b"old"
    assert embed()[0] == 0
    assert len(np.load(output, mmap_mode="r")) == 10
