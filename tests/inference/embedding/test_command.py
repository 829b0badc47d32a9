import io
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fairseq_amber.inference.embedding import corpus_vectors, vector_file

LINES = [
    "ein rotes Haus steht am See .",
    "ja",
    "",
    "der Hund schläft heute",
    "wir sehen zwei alte Bäume im Garten .",
    "ja",
    "guten Morgen \u2028 das Wasser",
    "das Wasser ist kalt und klar .",
    "ein rotes Haus steht am See .",
    "Montag kommt der Zug spät an .",
]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(("\n".join(LINES) + "\n").encode())
    return path


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(corpus_vectors, "CHUNK_LINES", 3)


@pytest.fixture
def embed(fairseq_amber_command, checkpoint, text, tmp_path):
    """Runs `fairseq-amber embed` on the text into out.npy."""

    def run(*flags, source=text, output=tmp_path / "out.npy"):
        return fairseq_amber_command("embed", checkpoint, source, output, *flags)

    return run


def test_it_says_how_far_it_is(embed, text, small_chunks, progress_of):
    _, out, err = embed()
    assert progress_of(err) == {f"encoding {text}": "10 of 10 sentences"}
    assert "fairseq-amber:" not in out


def one_at_a_time(encoder, sentence, layer, pooling):
    """Without padding, batches or chunks."""
    ids = encoder.tokenizer.encode([sentence])[0].tolist()
    with torch.no_grad():
        _, extra = encoder._model(
            torch.tensor([[0, *ids, 2]]), features_only=True, return_all_hiddens=True
        )
    states = extra["inner_states"][layer][0].numpy()
    if pooling == "cls":
        return states[0]
    if pooling == "mean":
        return states.mean(0)
    return states[1:-1].mean(0) if ids else np.zeros(encoder.dim)


@pytest.mark.parametrize("pooling", ["mean", "mean-no-specials", "cls"])
@pytest.mark.parametrize("layer", [0, 2, -1])
def test_vectors_are_those_of_one_sentence_at_a_time(
    embed, encoder, small_chunks, tmp_path, layer, pooling
):
    status, out, err = embed("--layer", layer, "--pooling", pooling, "--batch-tokens", 40)
    assert status == 0, err
    found = np.load(tmp_path / "out.npy")
    assert found.shape == (10, 16) and found.dtype == np.float32
    expected = [one_at_a_time(encoder, line, layer, pooling) for line in LINES]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    whole = encoder.embed(LINES, layer=layer, pooling=pooling).numpy()
    np.testing.assert_allclose(found, whole, rtol=1e-6, atol=1e-6)
    assert f"10 vectors of 16, float32; layer {layer % 4} of 3, {pooling} pooling" in out
    assert "sentences/s" in out


def test_lengths_are_taken_out_in_float32_before_the_files_dtype(embed, encoder, tmp_path):
    assert embed("--normalize", "--output-dtype", "float16")[0] == 0
    found = np.load(tmp_path / "out.npy")
    expected = encoder.embed(LINES).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, atol=2**-11)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_computes_what_is_near(embed, encoder, tmp_path, dtype):
    status, _, err = embed("--dtype", dtype)
    assert status == 0, err
    found = torch.from_numpy(np.load(tmp_path / "out.npy"))
    assert found.dtype == torch.float32
    assert torch.cosine_similarity(found, encoder.embed(LINES)).min() > 0.99


def test_line_ends_and_the_byte_order_mark_are_no_text(embed, text, tmp_path):
    assert embed()[0] == 0
    other = tmp_path / "other"
    other.write_bytes(b"\xef\xbb\xbf" + text.read_bytes().replace(b"\n", b"\r\n")[:-2])
    assert embed(source=other, output=tmp_path / "new" / "other.npy")[0] == 0
    assert (tmp_path / "new" / "other.npy").read_bytes() == (tmp_path / "out.npy").read_bytes()


def test_the_standard_input_is_as_good_as_a_file(embed, text, tmp_path, monkeypatch, small_chunks):
    assert embed()[0] == 0
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.read_bytes())))
    status, _, err = embed(source="-", output=tmp_path / "piped.npy")
    assert status == 0, err
    assert (tmp_path / "piped.npy").read_bytes() == (tmp_path / "out.npy").read_bytes()


def test_memory_is_bounded_in_lines_and_in_bytes(embed, monkeypatch):
    seen = []
    original = corpus_vectors._encode

    def record(encoder, lines, *rest):
        seen.append(lines)
        return original(encoder, lines, *rest)

    monkeypatch.setattr(corpus_vectors, "_encode", record)
    monkeypatch.setattr(corpus_vectors, "CHUNK_LINES", 4)
    assert embed()[0] == 0
    assert [len(lines) for lines in seen] == [4, 4, 2]
    seen.clear()
    monkeypatch.setattr(corpus_vectors, "CHUNK_BYTES", 40)
    assert embed()[0] == 0
    assert sum(seen, []) == LINES
    assert len(seen) > 3
    assert all(sum(len(line.encode()) + 1 for line in lines[:-1]) < 40 for lines in seen)


def test_a_sentence_that_occurs_twice_in_a_chunk_is_encoded_once(embed, encoder, monkeypatch):
    rows = []
    original = type(encoder)._states
    monkeypatch.setattr(
        type(encoder),
        "_states",
        lambda self, x, layers: rows.extend(x) or original(self, x, layers),
    )
    assert embed()[0] == 0
    assert len(rows) == len(set(LINES)) < len(LINES)


def test_progress_counts_every_line(encoder):
    steps = []
    corpus_vectors._encode(encoder, LINES, corpus_vectors.VectorSettings(), steps.append)
    assert sum(steps) == len(LINES) > len(set(LINES))


def test_lines_beyond_the_longest_row_are_counted_and_cut(embed, text, encoder, tmp_path):
    long = " ".join(["Haus"] * 200)
    text.write_text(f"ja\n{long}\n{long}\n")
    status, _, err = embed()
    assert status == 0
    assert f"warning: 2 sentences of {text} are longer than 80 subwords" in err
    cut = np.load(tmp_path / "out.npy")[1]
    np.testing.assert_allclose(cut, encoder.embed([long])[0], rtol=0, atol=1e-6)


INTERRUPTIONS = {
    "while encoding": (corpus_vectors, "_encode"),
    "before rows are safe": (vector_file.os, "fsync"),
    "between rows and state": (vector_file.os, "replace"),
}


@pytest.mark.parametrize("where", INTERRUPTIONS)
@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    embed, tmp_path, small_chunks, monkeypatch, where, chunk
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

    lines = []
    encode = corpus_vectors._encode
    monkeypatch.setattr(
        corpus_vectors, "_encode", lambda e, x, *rest: lines.extend(x) or encode(e, x, *rest)
    )
    status, _, err = embed(*flags)
    assert status == 0, err
    assert lines == LINES[3 * (chunk - 1) :]
    assert (tmp_path / "out.npy").read_bytes() == expected.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npy", "text", "whole.npy"]


DRIVER = """
import os, signal, sys
from fairseq_amber import cli
from fairseq_amber.inference.embedding import corpus_vectors
from fairseq_amber.inference.embedding import vector_file

corpus_vectors.CHUNK_LINES = 3
replace = os.replace

def stop(source, target):
    global calls
    calls += 1
    if calls == 3:  # the rows of the third chunk are written, its state is not
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

calls = 0
vector_file.os.replace = stop
cli.main(["embed", *sys.argv[1:]])
"""


def test_a_killed_run_of_a_pipe_goes_on_to_the_same_bytes(
    embed, checkpoint, text, tmp_path, small_chunks, monkeypatch
):
    assert embed(output=tmp_path / "whole.npy")[0] == 0
    driver, output = tmp_path / "driver.py", tmp_path / "out.npy"
    driver.write_text(DRIVER)
    done = subprocess.run(
        [sys.executable, driver, checkpoint, "-", output],
        input=text.read_bytes(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (tmp_path / "out.npy.partial" / "vectors.npy").stat().st_size == 128 + 9 * 16 * 4
    assert not output.exists()
    lines = []
    encode = corpus_vectors._encode
    monkeypatch.setattr(
        corpus_vectors, "_encode", lambda e, x, *rest: lines.extend(x) or encode(e, x, *rest)
    )
    status, _, err = embed()  # the same text, now from a file
    assert status == 0, err
    assert lines == LINES[6:]
    assert output.read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.fixture
def interrupted(embed, tmp_path, small_chunks, monkeypatch):
    """The folder that a run of --layer 2 leaves after six lines."""
    original = corpus_vectors._encode
    calls = []

    def stop(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(corpus_vectors, "_encode", stop)
        assert embed("--layer", 2)[0] == 130
    return tmp_path / "out.npy.partial"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--layer", 1], "--layer 2, not 1"),
        (["--layer", 2, "--pooling", "cls", "--normalize"], "--normalize False, not True, --pool"),
        (["--layer", 2, "--dtype", "bfloat16"], "--dtype float32, not bfloat16"),
        (["--layer", 2, "--output-dtype", "float16"], "--output-dtype float32, not float16"),
        (["--layer", 2, "--batch-tokens", 9], "--batch-tokens 8192, not 9"),
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
    embed, interrupted, text, encoder, monkeypatch
):
    monkeypatch.setattr(corpus_vectors, "CHUNK_BYTES", 16)  # what is done is read again in blocks
    text.write_text("\n".join(["nein", *LINES[1:]]) + "\n", encoding="utf-8")
    status, _, err = embed("--layer", 2)
    assert status == 2 and err.count("\n") == 1
    assert f"has encoded 6 lines, with which {text} does not begin" in err
    text.write_text("\n".join(LINES[:5]) + "\n", encoding="utf-8")
    assert embed("--layer", 2)[0] == 2
    text.write_text("\n".join([*LINES, "mehr"]) + "\n", encoding="utf-8")
    assert embed("--layer", 2)[0] == 0
    found = np.load(interrupted.with_suffix(""))
    expected = encoder.embed([*LINES, "mehr"], layer=2).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_rows_beyond_the_last_whole_chunk_are_dropped(
    embed, text, tmp_path, small_chunks, monkeypatch
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
    text.write_text("\n".join(LINES[:7]) + "\n", encoding="utf-8")
    assert embed()[0] == 0
    assert (tmp_path / "out.npy").stat().st_size == 128 + 7 * 16 * 4


@pytest.mark.parametrize("damage", ["state.json", "vectors.npy"])
def test_a_damaged_remainder_is_refused(embed, interrupted, damage):
    (interrupted / damage).write_bytes(b"{")
    status, _, err = embed("--layer", 2)
    assert status == 2 and err.count("\n") == 1
    assert f"damaged: delete {interrupted}" in err


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "standard input is empty"),
        (b"ja\nja\n\xff\n", "standard input:3: not UTF-8"),
    ],
)
def test_a_bad_pipe_is_one_clear_line_and_leaves_nothing(
    embed, tmp_path, monkeypatch, content, message
):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    status, _, err = embed(source="-")
    assert status == 2 and err.count("\n") == 1 and message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text"]


def test_a_bad_line_late_in_a_pipe_keeps_what_is_done(
    embed, text, tmp_path, monkeypatch, small_chunks
):
    bad = text.read_bytes().replace("schläft".encode(), "schläft".encode("latin-1"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(bad)))
    status, _, err = embed(source="-")
    assert status == 2 and "standard input:4: not UTF-8" in err
    assert embed()[0] == 0  # goes on with the text once it is mended
    assert len(np.load(tmp_path / "out.npy")) == 10


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{ck}", "{text}", "out.txt"], "name it out.txt.npy"),
        (["{ck}", "none", "out.npy"], "cannot read none"),
        (["{ck}", "{bad}", "out.npy"], "bad:2: not UTF-8"),
        (["{ck}", "{empty}", "out.npy"], "is empty"),
        (["{ck}", "{text}", "{folder}"], "is a folder"),
        (["{ck}", "{text}", "{text}/x/out.npy"], "Not a directory"),
        (["{ck}", "{text}", "out.npy", "--layer", "4"], "layers 1 to 3"),
        (["{text}", "{text}", "out.npy"], "no whole checkpoint"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    fairseq_amber_command, checkpoint, text, tmp_path, monkeypatch, arguments, message
):
    (tmp_path / "bad").write_bytes(b"ja\n\xff\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder.npy").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    places = {name: tmp_path / name for name in ("text", "bad", "empty")}
    places.update(ck=checkpoint, folder=tmp_path / "folder.npy")
    status, _, err = fairseq_amber_command("embed", *(a.format(**places) for a in arguments))
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert list(work.iterdir()) == []


def test_a_vector_that_overflows_names_its_line(embed, edited_checkpoint, monkeypatch, text):
    original = corpus_vectors.Encoder.sentence_vectors

    def grow(self, ids, **flags):
        for rows, batch in original(self, ids, **flags):
            batch[rows == 3] = 1e5  # the fourth line
            yield rows, batch

    monkeypatch.setattr(corpus_vectors.Encoder, "sentence_vectors", grow)
    status, _, err = embed("--output-dtype", "float16")
    assert status == 2 and err.count("\n") == 1
    assert f"{text}:4: the vector overflows" in err and "--output-dtype float32" in err
    assert embed()[0] == 0


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
    assert "out.npy: No space left on device; mend that, and the same command goes on" in err
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


@pytest.mark.parametrize("rows", [1, 10**6, 10**15])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_header_is_numpys_and_of_one_size(rows, dtype):
    header = vector_file.npy_header(rows, 1024, np.dtype(dtype))
    assert len(header) == 128
    file = io.BytesIO(header)
    assert np.lib.format.read_magic(file) == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == ((rows, 1024), False, np.dtype(dtype))
    assert file.tell() == 128
