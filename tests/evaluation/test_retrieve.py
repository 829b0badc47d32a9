import json
import math

import pytest

from fairseq_amber.files.outcomes import read_outcomes
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.metrics.significance import scores_of


def test_prints_and_writes_both_directions(fairseq_amber_command, checkpoint, corpus, tmp_path):
    out = tmp_path / "r.json"
    status, text, err = fairseq_amber_command(
        "retrieve", checkpoint, "--folder", corpus, "--name", "toy", "--json", out, "--layer", 2
    )
    assert status == 0, err
    result = json.loads(out.read_text())
    assert (result["task"], result["metric"], result["system"]) == ("retrieval", "accuracy", "toy")
    german, english = result["per_language"]["de-en"], result["per_language"]["en-de"]
    assert (german["forward"], german["backward"]) == (english["backward"], english["forward"])
    assert result["score"] == pytest.approx((german["forward"] + german["backward"]) / 2)
    assert result["n"] == 16
    assert len({german["test_digest"], english["test_digest"]}) == 2
    config = result["config"]
    assert (config["layer"], config["layers"], config["pooling"]) == (2, 3, "mean")
    assert config["checkpoint"] == str(checkpoint) and config["updates"] == 7
    assert (config["test"], config["split"]) == (str(corpus), "test")
    rows = [line.split() for line in text.splitlines()]
    assert rows[0] == ["pair", "n", "->", "<-", "mean"]
    assert rows[1][:3] == ["de-en", "8", f"{german['forward']:.2f}"]
    assert rows[3] == ["mean", "16"] + [f"{result['score']:.2f}"] * 3
    assert "layer 2 of 3, mean pooling, cosine" in text


def test_sweeps_layers_in_one_pass(
    fairseq_amber_command, checkpoint, corpus, tmp_path, monkeypatch
):
    alone = {}
    for layer in range(4):
        out = tmp_path / "alone.json"
        flags = ["--layer", layer, "--similarity", "margin", "--json", out]
        assert fairseq_amber_command("retrieve", checkpoint, "--folder", corpus, *flags)[0] == 0
        alone[layer] = json.loads(out.read_text())
    assert alone[1]["config"]["neighbours"] == 4

    rows = []
    original = Encoder._states
    monkeypatch.setattr(
        Encoder, "_states", lambda self, x, layers: rows.extend(x) or original(self, x, layers)
    )
    out = tmp_path / "sweep.json"
    for flag, layer, swept in (("all", None, [0, 1, 2, 3]), ("1-2,-1", 2, [1, 2, 3])):
        rows.clear()
        flags = ["--layers", flag, *([] if layer is None else ["--layer", layer])]
        flags += ["--similarity", "margin", "--json", out]
        status, text, err = fairseq_amber_command(
            "retrieve", checkpoint, "--folder", corpus, *flags
        )
        assert status == 0, err
        assert len(rows) == 2 * 16  # each sentence once
        result, expected = json.loads(out.read_text()), alone[swept[-1] if layer is None else layer]
        for pair in ("de-en", "en-de"):
            by_layer = result["per_language"][pair].pop("layers")
            scores = {str(n): alone[n]["per_language"][pair]["score"] for n in swept}
            assert by_layer == scores
        assert result == expected
        table = [line.split() for line in text.split("\n\n")[1].splitlines()]
        assert table[0] == ["layer", "de-en", "en-de", "mean"]
        assert [row[0] for row in table[1:-1]] == [str(n) for n in swept]
        means = {n: alone[n]["score"] for n in swept}
        marked = [int(row[0]) for row in table[1:-1] if row[3].startswith("*")]
        assert marked == [n for n in swept if means[n] == max(means.values())]
        assert "chosen on the test data" in text


def test_says_how_far_it_is(fairseq_amber_command, checkpoint, corpus, progress_of, monkeypatch):
    monkeypatch.setattr("fairseq_amber.inference.tokenizer._CHUNK", 3)
    flags = ["--layers", "1-2", "--similarity", "csls", "--pairs", "de-en", "--batch-tokens", 20]
    _, out, err = fairseq_amber_command("retrieve", checkpoint, "--folder", corpus, *flags)
    assert progress_of(err) == {
        "finding subwords": "8 of 8 texts",
        f"encoding {corpus}/test.de-en.de": "8 of 8 sentences",
        f"encoding {corpus}/test.de-en.en": "8 of 8 sentences",
        # two layers, at each of which CSLS goes twice over 8 x 8
        "searching de-en at layer 1": "128 of 256 cosines",
        "searching de-en at layer 2": "256 of 256 cosines",
    }
    assert "fairseq-amber:" not in out


def test_a_prefix_is_put_in_front_of_both_sides(
    fairseq_amber_command, checkpoint, corpus, tmp_path
):
    out = tmp_path / "r.json"
    texts = [corpus / f"test.de-en.{language}" for language in ("de", "en")]
    retrieve = ["retrieve", checkpoint, "--source", texts[0], "--target", texts[1], "--layer", 2]
    retrieve += ["--json", out, "--output", tmp_path / "found"]
    status, text, err = fairseq_amber_command(*retrieve, "--prefix", "ja ja ")
    assert status == 0 and "mean pooling, --prefix 'ja ja ', cosine" in text, err
    assert json.loads(out.read_text())["config"]["prefix"] == "ja ja "
    prefixed = (tmp_path / "found" / "de-en.forward.tsv").read_text()
    for path in texts:
        path.write_text("".join(f"ja ja {line}\n" for line in path.read_text().splitlines()))
    assert fairseq_amber_command(*retrieve)[0] == 0
    assert (tmp_path / "found" / "de-en.forward.tsv").read_text() == prefixed
    assert "prefix" not in json.loads(out.read_text())["config"]


def test_keeps_the_outcome_of_every_sentence(fairseq_amber_command, checkpoint, corpus, tmp_path):
    out = tmp_path / "r.json"
    status, _, err = fairseq_amber_command(
        *("retrieve", checkpoint, "--folder", corpus, "--json", out, "--layers", "all")
    )
    assert status == 0, err
    outcomes = read_outcomes(tmp_path / "r.items.npz")
    per_language = json.loads(out.read_text())["per_language"]
    for pair, score in scores_of(outcomes).items():
        assert score == pytest.approx(per_language[pair]["score"])
        found = outcomes[pair]["forward"]
        assert found.shape == (8, 2)
        assert 100 * found[:, 0].mean() == pytest.approx(per_language[pair]["forward"])
    report = ["report", out, "--output", tmp_path / "report", "--compare"]
    name = json.loads(out.read_text())["system"]
    status, text, err = fairseq_amber_command(*report, name, name)
    assert status == 0 and "1.000" in text, err
    assert (tmp_path / "report" / "retrieval_by_layer.png").exists()


def test_a_text_against_itself_is_perfect(fairseq_amber_command, checkpoint, corpus):
    side = corpus / "test.de-en.de"
    status, text, _ = fairseq_amber_command(
        "retrieve", checkpoint, "--source", side, "--target", side, "--reinitialize", 3
    )
    assert status == 0
    assert text.splitlines()[1].split()[-1] == "100.00"
    assert "weights drawn anew" in text


def test_sentences_beyond_the_longest_row_are_counted(fairseq_amber_command, checkpoint, corpus):
    source, target = (corpus / f"test.de-en.{language}" for language in ("de", "en"))
    long = " ".join(["Haus"] * 200)
    source.write_text("\n".join([long, "ja", long + " ja", *"abcdef"]) + "\n")
    target.write_text("\n".join("abcdefghi") + "\n")
    files = ["--source", source, "--target", target]
    status, out, err = fairseq_amber_command("retrieve", checkpoint, *files)
    assert status == 0
    assert f"warning: 2 sentences of {source} are longer than 80 subwords" in err
    assert err.count("warning") == 1 and "warning" not in out


def test_computes_in_half_precision(fairseq_amber_command, checkpoint, corpus, tmp_path):
    files = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    found = {}
    for dtype in ("float32", "bfloat16"):
        status, out, err = fairseq_amber_command("retrieve", checkpoint, *files, "--dtype", dtype)
        assert status == 0, err
        found[dtype] = out
    assert f"{checkpoint}, in bfloat16" in found["bfloat16"] and "bf" not in found["float32"]
    out = tmp_path / "r.json"
    flags = ["--dtype", "bfloat16", "--json", out]
    assert fairseq_amber_command("retrieve", checkpoint, *files, *flags)[0] == 0
    assert json.loads(out.read_text())["config"]["dtype"] == "bfloat16"


def test_refuses_a_diverged_checkpoint(fairseq_amber_command, edited_checkpoint, corpus, tmp_path):
    diverged = edited_checkpoint(
        lambda state: state["model"]["encoder.sentence_encoder.layers.1.fc2.bias"].fill_(math.nan)
    )
    out = tmp_path / "r.json"
    retrieve = ["retrieve", diverged, "--folder", corpus, "--json", out]
    status, text, err = fairseq_amber_command(*retrieve)
    assert status == 2 and err.count("\n") == 1, err
    assert f"{diverged}, layer 3: a vector is NaN or infinite" in err
    assert text == "" and not out.exists()
    assert fairseq_amber_command(*retrieve, "--layer", 1)[0] == 0  # layers below are sound


def test_takes_the_order_of_a_sorted_side(fairseq_amber_command, checkpoint, corpus, tmp_path):
    source, target = (corpus / f"test.de-en.{language}" for language in ("de", "en"))
    lines = target.read_text().splitlines()
    order = sorted(range(len(lines)), key=lines.__getitem__)
    gold, out = tmp_path / "test-de.tsv", tmp_path / "r.json"
    flags = ["--source", source, "--target", target, "--layer", 2, "--json", out]
    assert fairseq_amber_command("retrieve", checkpoint, *flags)[0] == 0
    expected = json.loads(out.read_text())["per_language"]
    target.write_text("".join(lines[i] + "\n" for i in order))
    gold.write_text("".join(f"{i}\n" for i in order))
    assert fairseq_amber_command("retrieve", checkpoint, *flags)[0] == 0
    assert json.loads(out.read_text())["per_language"] != expected
    assert fairseq_amber_command("retrieve", checkpoint, *flags, "--gold", gold)[0] == 0
    found = json.loads(out.read_text())["per_language"]
    for parts in (*found.values(), *expected.values()):
        del parts["test_digest"]  # of the lines in another order
    assert found == expected


def test_warns_of_repeated_lines(fairseq_amber_command, checkpoint, tmp_path):
    text, result = tmp_path / "x", tmp_path / "r.json"
    text.write_text("ja\nnein\nja\n")
    status, _, err = fairseq_amber_command(
        "retrieve", checkpoint, "--source", text, "--target", text, "--json", result
    )
    assert status == 0
    config = json.loads(result.read_text())["config"]
    assert config["test"] == f"{text} {text}" and "split" not in config
    assert "warning: x-x has 2 repeated lines" in err


def test_another_file_than_a_checkpoint_is_refused(fairseq_amber_command, corpus):
    status, _, err = fairseq_amber_command("retrieve", corpus / "test.de-en.de", "--folder", corpus)
    assert status == 2 and "not a complete checkpoint" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "either --source FILE and --target FILE, or --folder DIR"),
        (["--source", "{x}"], "either --source"),
        (["--folder", "{dir}", "--gold", "g"], "--gold goes with --source"),
        (["--folder", "{dir}", "--layer", "9"], "layers 1 to 3"),
        (["--folder", "{dir}", "--layers", "2-9"], "layers 1 to 3"),
        (["--folder", "{dir}", "--layers", "1,3-2"], "the range 3-2 ends before it begins"),
        (["--folder", "{dir}", "--layers", "top"], "expected all, or such as"),
        (
            ["--folder", "{dir}", "--layers", "1,2", "--layer", "3"],
            "--layer 3 is not among --layers 1,2",
        ),
        (["--folder", "{dir}", "--device", "warp"], "--device warp"),
        (["--folder", "{dir}", "--pairs", "de-en,xx-yy"], "no pair 'xx-yy'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, checkpoint, corpus, tmp_path, monkeypatch
):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    places = {"dir": corpus, "x": corpus / "test.de-en.de"}
    flags = [argument.format(**places) for argument in arguments]
    status, _, err = fairseq_amber_command("retrieve", checkpoint, *flags)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert list(work.iterdir()) == []
