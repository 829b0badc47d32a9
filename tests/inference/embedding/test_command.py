import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch


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
    states = extra["layers"][layer][0].numpy()
    if pooling == "cls":
        return states[0]
    if pooling == "mean":
        return states.mean(0)
    return states[1:-1].mean(0) if ids else np.zeros(encoder.dim)


@pytest.mark.parametrize("pooling", ["mean", "mean-no-specials", "cls"])
@pytest.mark.parametrize("layer", [0, 2, -1])
def test_vectors_are_those_of_one_sentence_at_a_time(
    embed, encoder, small_chunks, tmp_path, layer, pooling, lines
):
    status, out, err = embed("--layer", layer, "--pooling", pooling, "--batch-tokens", 40)
    assert status == 0, err
    found = np.load(tmp_path / "out.npy")
    assert found.shape == (10, 16) and found.dtype == np.float32
    expected = [one_at_a_time(encoder, line, layer, pooling) for line in lines]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    whole = encoder.embed(lines, layer=layer, pooling=pooling).numpy()
    np.testing.assert_allclose(found, whole, rtol=1e-6, atol=1e-6)
    assert f"10 vectors of 16, float32; layer {layer % 4} of 3, {pooling} pooling" in out
    assert "sentences/s" in out


def test_lengths_are_taken_out_in_float32_before_the_files_dtype(embed, encoder, tmp_path, lines):
    assert embed("--normalize", "--output-dtype", "float16")[0] == 0
    found = np.load(tmp_path / "out.npy")
    expected = encoder.embed(lines).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, atol=2**-11)


def test_a_prefix_is_written_in_front_of_each_line(embed, encoder, tmp_path, lines):
    status, out, err = embed("--prefix", "der ")
    assert status == 0, err
    expected = encoder.embed([f"der {line}" for line in lines]).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-6, atol=1e-6)
    assert "mean pooling, --prefix 'der ', computed" in out


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_computes_what_is_near(embed, encoder, tmp_path, dtype, lines):
    status, _, err = embed("--dtype", dtype)
    assert status == 0, err
    found = torch.from_numpy(np.load(tmp_path / "out.npy"))
    assert found.dtype == torch.float32
    assert torch.cosine_similarity(found, encoder.embed(lines)).min() > 0.99


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
        (["{text}", "{text}", "out.npy"], "not a complete checkpoint"),
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
