import json
import math

import pytest

from fairseq_amber.inference.word_alignment.command import _SCALES


def test_retrieve_prints_and_writes_both_directions(
    fairseq_amber_command, checkpoint, corpus, tmp_path
):
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


def test_retrieve_sweeps_layers_in_one_pass(
    fairseq_amber_command, checkpoint, corpus, tmp_path, monkeypatch
):
    from fairseq_amber.inference.encoder import Encoder

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


def test_retrieve_says_how_far_it_is(
    fairseq_amber_command, checkpoint, corpus, progress_of, monkeypatch
):
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


def test_align_says_how_far_it_is(fairseq_amber_command, checkpoint, corpus, progress_of):
    flags = ["--folder", corpus, "--output", corpus / "out", "--pairs", "de-en"]
    _, _, err = fairseq_amber_command("align", checkpoint, *flags)
    assert progress_of(err) == {"finding words": "8 of 8 lines", "aligning de-en": "8 of 8 pairs"}


def test_aer_says_how_far_it_is(fairseq_amber_command, tmp_path, progress_of):
    pharaoh, naacl = tmp_path / "found.align", tmp_path / "gold.naacl"
    pharaoh.write_text("0-0\n0-0 1-1\n")
    naacl.write_text("1 1 1 S\n2 1 1 S\n2 2 2 P\n")
    _, out, err = fairseq_amber_command("aer", pharaoh, naacl)
    assert progress_of(err) == {
        f"reading {pharaoh}": "2 of 2 lines",
        f"reading {naacl}": "3 of 3 lines",
    }
    assert "fairseq-amber:" not in out


def test_retrieve_keeps_the_outcome_of_every_sentence(
    fairseq_amber_command, checkpoint, corpus, tmp_path
):
    from fairseq_amber.files.outcomes import read_outcomes
    from fairseq_amber.metrics.significance import scores_of

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


def test_retrieve_of_a_text_against_itself_is_perfect(fairseq_amber_command, checkpoint, corpus):
    side = corpus / "test.de-en.de"
    status, text, _ = fairseq_amber_command(
        "retrieve", checkpoint, "--source", side, "--target", side, "--reinitialize", 3
    )
    assert status == 0
    assert text.splitlines()[1].split()[-1] == "100.00"
    assert "weights drawn anew" in text


@pytest.mark.parametrize("command", ["retrieve", "mine"])
def test_sentences_beyond_the_longest_row_are_counted(
    fairseq_amber_command, checkpoint, corpus, command
):
    source, target = (corpus / f"test.de-en.{language}" for language in ("de", "en"))
    long = " ".join(["Haus"] * 200)
    source.write_text("\n".join([long, "ja", long + " ja", *"abcdef"]) + "\n")
    target.write_text("\n".join("abcdefghi") + "\n")
    files = ["--source", source, "--target", target]
    status, out, err = fairseq_amber_command(command, checkpoint, *files)
    assert status == 0
    assert f"warning: 2 sentences of {source} are longer than 80 subwords" in err
    assert err.count("warning") == 1 and "warning" not in out


@pytest.mark.parametrize("command", ["retrieve", "mine", "align"])
def test_computes_in_half_precision(fairseq_amber_command, checkpoint, corpus, command, tmp_path):
    files = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    found = {}
    for dtype in ("float32", "bfloat16"):
        status, out, err = fairseq_amber_command(command, checkpoint, *files, "--dtype", dtype)
        assert status == 0, err
        found[dtype] = out
    if command == "retrieve":
        assert f"{checkpoint}, in bfloat16" in found["bfloat16"] and "bf" not in found["float32"]
        out = tmp_path / "r.json"
        flags = ["--dtype", "bfloat16", "--json", out]
        assert fairseq_amber_command("retrieve", checkpoint, *files, *flags)[0] == 0
        assert json.loads(out.read_text())["config"]["dtype"] == "bfloat16"
    else:
        assert len(found["bfloat16"].splitlines()) > 4
    if command == "mine":
        scores = [float(line.split("\t")[0]) for line in found["bfloat16"].splitlines()]
        assert scores == pytest.approx(
            [float(line.split("\t")[0]) for line in found["float32"].splitlines()], abs=0.05
        )
        assert found["bfloat16"] != found["float32"]


def test_retrieve_refuses_a_diverged_checkpoint(
    fairseq_amber_command, edited_checkpoint, corpus, tmp_path
):
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


def test_retrieve_takes_the_order_of_a_sorted_side(
    fairseq_amber_command, checkpoint, corpus, tmp_path
):
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


def test_retrieve_tells_of_repeated_lines(fairseq_amber_command, checkpoint, tmp_path):
    text, result = tmp_path / "x", tmp_path / "r.json"
    text.write_text("ja\nnein\nja\n")
    status, _, err = fairseq_amber_command(
        "retrieve", checkpoint, "--source", text, "--target", text, "--json", result
    )
    assert status == 0
    config = json.loads(result.read_text())["config"]
    assert config["test"] == f"{text} {text}" and "split" not in config
    assert "warning: x-x has 2 repeated lines" in err


def test_align_then_aer_against_its_own_output_is_perfect(
    fairseq_amber_command, checkpoint, corpus, tmp_path
):
    out, gold, result = tmp_path / "aligned", tmp_path / "gold", tmp_path / "aer.json"
    status, text, err = fairseq_amber_command(
        "align", checkpoint, "--folder", corpus, "--output", out, "--plot", 3, tmp_path / "a.png"
    )
    assert (status, text) == (0, ""), err
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert "<svg" in (tmp_path / "a.svg").read_text()
    gold.mkdir()
    for pair in ("de-en", "en-de"):
        lines = (out / f"test.{pair}.align").read_text()
        assert lines.count("\n") == 8
        (gold / f"test.{pair}.gold").write_text(lines)
    status, text, err = fairseq_amber_command("aer", out, gold, "--name", "toy", "--json", result)
    assert status == 0, err
    assert text.splitlines()[1].split() == ["de-en", "8", "100.00", "100.00", "0.00"]
    content = json.loads(result.read_text())
    assert (content["task"], content["metric"], content["score"]) == ("word_alignment", "AER", 0)
    assert content["per_language"]["en-de"]["recall"] == 100


def test_align_prints_what_it_would_write(fairseq_amber_command, checkpoint, corpus, tmp_path):
    sides = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    outputs = set()
    for flags in (
        ["--method", "attention"],
        ["--method", "similarity"],
        ["--method", "itermax"],
        ["--method", "itermax", "--alpha", 0.1, "--iterations", 4],
        ["--method", "transport"],
        ["--method", "transport", "--epsilon", 1, "--reach", 0.1, "--iterations", 3, "--layer", 1],
        ["--units", "subwords"],
    ):
        arguments = ["align", checkpoint, *sides, *flags]
        status, text, _ = fairseq_amber_command(*arguments)
        assert status == 0
        assert fairseq_amber_command(*arguments, "--output", tmp_path / "out")[0] == 0
        assert (tmp_path / "out").read_text() == text
        outputs.add(text)
    assert len(outputs) == 7


def test_align_numbers_the_words_of_the_moses_tokenizer(
    fairseq_amber_command, checkpoint, tmp_path, capsys
):
    pytest.importorskip("sacremoses")
    plain, tokens = tmp_path / "plain", tmp_path / "tokens"
    for folder, text in (
        (plain, {"de": "Der Zug, z. B. heute.", "en": "The train don't stop & go."}),
        (tokens, {"de": "Der Zug , z. B. heute .", "en": "The train don 't stop & go ."}),
    ):
        folder.mkdir()
        for language, line in text.items():
            (folder / f"test.de-en.{language}").write_text(line + "\n")
    outputs = []
    for folder, words in ((plain, "moses"), (tokens, "whitespace"), (plain, "whitespace")):
        out = tmp_path / "out"
        arguments = ["--folder", folder, "--output", out, "--words", words, "--method", "itermax"]
        status, _, err = fairseq_amber_command("align", checkpoint, *arguments)
        assert status == 0 and "warning" not in err, err
        outputs.append((out / "test.de-en.align").read_text())
    assert outputs[0] == outputs[1] != outputs[2]

    other = tmp_path / "other.txt"
    other.write_text("Der Zug, z. B. heute.\n")
    sides = ["--source", other, "--target", plain / "test.de-en.en", "--words", "moses"]
    status, _, err = fairseq_amber_command("align", checkpoint, *sides)
    assert status == 2 and "give its language with --source-language" in err
    named = [*sides, "--method", "itermax", "--source-language"]
    assert fairseq_amber_command("align", checkpoint, *named, "de")[:2] == (0, outputs[0])
    status, out, err = fairseq_amber_command("align", checkpoint, *named, "deu")
    assert status == 0 and "Moses has no abbreviations of 'deu'" in err


@pytest.mark.parametrize("method", ["attention", "similarity", "itermax", "transport"])
def test_align_draws_what_each_method_scores(
    fairseq_amber_command, checkpoint, corpus, tmp_path, method
):
    sides = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    picture = tmp_path / "a.svg"
    status, _, err = fairseq_amber_command(
        "align", checkpoint, *sides, "--method", method, "--plot", 3, picture
    )
    assert status == 0, err
    assert _SCALES[method] in picture.read_text()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "flag, value",
    [
        ("--epsilon", "0"),
        ("--epsilon", "nan"),
        ("--iterations", "0"),
        ("--reach", "-1"),
        ("--alpha", "1.1"),
    ],
)
def test_a_transport_setting_out_of_its_range_is_refused(
    fairseq_amber_command, capsys, flag, value
):
    with pytest.raises(SystemExit) as stopped:
        fairseq_amber_command("align", "c.pt", "--method", "transport", flag, value)
    assert stopped.value.code == 2
    assert f"argument {flag}: expected a" in capsys.readouterr().err


def test_aer_counts_from_one_and_notices_swapped_indices(fairseq_amber_command, tmp_path):
    predicted, gold = tmp_path / "x.align", tmp_path / "test.de-en.gold"
    predicted.write_text("1-0 2-1\n")
    gold.write_text("1-2 2-3\n")
    status, text, err = fairseq_amber_command("aer", predicted, gold, "--one-based")
    assert status == 0
    _, row = text.splitlines()
    assert "warning: " in err and "indices swapped (AER 0.00)" in err
    assert row.split() == ["de-en", "1", "0.00", "0.00", "100.00"]


def test_aer_reads_naacl_and_talp_and_stores_the_outcomes(fairseq_amber_command, tmp_path):
    import numpy as np

    predicted, folder = tmp_path / "test.de-en.align", tmp_path / "gold"
    predicted.write_text("0-0 1-1 2-2\n\n0-1\n5-5\n")
    folder.mkdir()
    naacl, talp = folder / "test.de-en.naacl", folder / "test.de-en.talp"
    naacl.write_text("0001 1 1 S\n0001 2 2 P\n0003 1 2\n0003 1 0 S\n")
    talp.write_text("1s1:0.9 2p2\n\n1-2 1-0\n\n")
    outputs = []
    for arguments in ([naacl], [talp, "--one-based"]):
        result = tmp_path / "r.json"
        status, out, err = fairseq_amber_command("aer", predicted, *arguments, "--json", result)
        assert status == 0, err
        outputs.append(out)
        counts = np.load(tmp_path / "r.items.npz")["de-en/score"]
        assert counts.tolist() == [[3, 4], [0, 0], [2, 2], [0, 1]]
        score = json.loads(result.read_text())["score"]
        assert score == pytest.approx(100 * (1 - counts[:, 0].sum() / counts[:, 1].sum()))
    assert outputs[0] == outputs[1]
    # the same both ways; the last pair has no links in either
    (tmp_path / "found.naacl").write_text("1 1 1\n1 2 2\n1 3 3\n3 1 2\n4 6 6\n")
    assert fairseq_amber_command("aer", tmp_path / "found.naacl", naacl)[:2] == (0, outputs[0])
    predicted.write_text("0-0\n")
    status, _, err = fairseq_amber_command("aer", predicted, naacl)
    assert status == 2 and "has 1 sentence pairs but" in err and "has 3" in err


def test_report_shows_systems_side_by_side(fairseq_amber_command, checkpoint, corpus, tmp_path):
    results = []
    for name, seed in (("first", 1), ("second", 2), ("second", 3)):
        results.append(tmp_path / f"{name}{seed}.json")
        fairseq_amber_command(
            "retrieve",
            checkpoint,
            "--folder",
            corpus,
            "--reinitialize",
            seed,
            "--name",
            name,
            "--json",
            results[-1],
        )
    picture = tmp_path / "p.png"
    picture.write_bytes(b"picture")
    picture.with_suffix(".svg").write_bytes(b"lines")
    (tmp_path / "alone.svg").write_bytes(b"more lines")
    output = tmp_path / "report"
    heatmaps = ["--heatmap", f"An alignment={picture}", "--heatmap", f"B={tmp_path / 'alone.svg'}"]
    status, text, err = fairseq_amber_command("report", *results, "--output", output, *heatmaps)
    assert status == 0, err
    assert (output / "alignment_1.png").read_bytes() == b"picture"
    assert (output / "alignment_1.svg").read_bytes() == b"lines"
    assert (output / "alignment_2.svg").read_bytes() == b"more lines"
    assert not (output / "alignment_2.png").exists()
    # pictures of a report in itself, in another order
    parts = [output / "alignment_2.svg", output / "alignment_1.png"]
    heatmaps = [flag for path in parts for flag in ("--heatmap", f"C={path}")]
    assert fairseq_amber_command("report", "--output", output, *heatmaps)[0] == 0
    assert (output / "alignment_1.svg").read_bytes() == b"more lines"
    assert (output / "alignment_2.png").read_bytes() == b"picture"
    heatmaps = ["--heatmap", f"An alignment={picture}"]
    assert fairseq_amber_command("report", *results, "--output", output, *heatmaps)[0] == 0
    content = json.loads((output / "report.json").read_text())
    [section] = content["sections"]
    labels = [row["label"] for row in section["rows"]]
    assert labels == ["de → en", "en → de", "en → de", "de → en", "mean"]  # of two pairs of files
    assert len(section["rows"][0]["systems"]["second"]["values"]) == 2
    document = (output / "report.md").read_text()
    assert text.splitlines()[0] in document and "![An alignment](alignment_1.png)" in document
    assert "±" in text and document.count("reinitialized_with_seed") == 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["retrieve", "{ck}"], "either --source FILE and --target FILE, or --folder DIR"),
        (["retrieve", "{ck}", "--source", "{x}"], "either --source"),
        (["retrieve", "{ck}", "--folder", "{dir}", "--gold", "g"], "--gold goes with --source"),
        (["retrieve", "{ck}", "--folder", "{dir}", "--layer", "9"], "layers 1 to 3"),
        (["retrieve", "{ck}", "--folder", "{dir}", "--layers", "2-9"], "layers 1 to 3"),
        (["retrieve", "{ck}", "--folder", "{dir}", "--layers", "top"], "expected all, or such as"),
        (
            ["retrieve", "{ck}", "--folder", "{dir}", "--layers", "1,2", "--layer", "3"],
            "--layer 3 is not among --layers 1,2",
        ),
        (["retrieve", "{ck}", "--folder", "{dir}", "--device", "warp"], "--device warp"),
        (["retrieve", "{x}", "--folder", "{dir}"], "no whole checkpoint"),
        (["align", "{ck}", "--folder", "{dir}"], "--folder needs --output"),
        (["align", "{ck}", "--folder", "{dir}", "--output", "o", "--plot", "9", "a.png"], "1 to 8"),
        (["align", "{ck}", "--folder", "{dir}", "--output", "o", "--plot", "1", "a.txt"], ".png"),
        (["align", "{ck}", "--folder", "{dir}", "--reach", "1"], "--reach: for --method transport"),
        (["align", "{ck}", "--folder", "{dir}", "--alpha", "1"], "--alpha: for --method itermax"),
        (["align", "{ck}", "--words", "moses", "--units", "subwords"], "--words is for --units"),
        (["align", "{ck}", "--source-language", "de"], "are for --words moses"),
        (
            ["align", "{ck}", "--folder", "{dir}", "--output", "o", "--words", "moses"]
            + ["--target-language", "de"],
            "--folder names the languages",
        ),
        (
            ["align", "{ck}", "--corpus", "{dir}", "--output", "o", "--words", "moses"],
            "--words is for text",
        ),
        (
            ["align", "{ck}", "--method", "attention", "--epsilon", "1", "--iterations", "9"],
            "--iterations: for --method itermax and transport alone, but the method is attention",
        ),
        (
            ["align", "{ck}", "--folder", "{dir}", "--output", "o", "--plot", "1", "a.png"]
            + ["--units", "subwords"],
            "--plot draws words",
        ),
        (["aer", "{x}", "{dir}"], "two files or two folders"),
        (["retrieve", "{ck}", "--folder", "{dir}", "--pairs", "de-en,xx-yy"], "no pair 'xx-yy'"),
        (["aer", "{dir}", "{dir}"], "no files <name>.align"),
        (["report", "{x}", "--output", "o"], "is no result"),
        (["report", "{r}", "--output", "o", "--curves", "tb"], "NAME=DIR"),
        (["report", "{r}", "--output", "o", "--heatmap", "a=none.png"], "none.png is missing"),
        (["report", "{r}", "--output", "o", "--heatmap", "a={x}"], "neither a .png nor an .svg"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, checkpoint, corpus, tmp_path, monkeypatch
):
    result = tmp_path / "r.json"
    result.write_text(
        '{"task": "t", "metric": "m", "system": "s", "score": 1, "n": 1, '
        '"per_language": {"de": {"score": 1, "n": 1}}, "config": {}}'
    )
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    places = {"ck": checkpoint, "dir": corpus, "x": corpus / "test.de-en.de", "r": result}
    status, _, err = fairseq_amber_command(*(argument.format(**places) for argument in arguments))
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert list(work.iterdir()) == []
