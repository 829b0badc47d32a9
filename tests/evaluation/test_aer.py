import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.files.outcomes import outcomes_path, read_outcomes
from fairseq_amber.inference.word_alignment.provenance import write_settings


def test_says_how_far_it_is(fairseq_amber_command, tmp_path, progress_of):
    pharaoh, naacl = tmp_path / "found.align", tmp_path / "gold.naacl"
    pharaoh.write_text("0-0\n0-0 1-1\n")
    naacl.write_text("1 1 1 S\n2 1 1 S\n2 2 2 P\n")
    _, out, err = fairseq_amber_command("aer", pharaoh, naacl)
    assert progress_of(err) == {
        f"reading {pharaoh}": "2 of 2 lines",
        f"reading {naacl}": "3 of 3 lines",
    }
    assert "fairseq-amber:" not in out


def test_counts_from_one_and_warns_of_swapped_indices(fairseq_amber_command, tmp_path):
    predicted, gold = tmp_path / "x.align", tmp_path / "test.de-en.gold"
    predicted.write_text("1-0 2-1\n")
    gold.write_text("1-2 2-3\n")
    status, text, err = fairseq_amber_command("aer", predicted, gold, "--one-based")
    assert status == 0
    _, row = text.splitlines()
    assert err.count("\n") == 1 and "warning: " in err and "indices swapped (AER 0.00)" in err
    assert row.split() == ["de-en", "1", "0.00", "0.00", "100.00"]


def test_reads_naacl_and_talp_and_stores_the_outcomes(fairseq_amber_command, tmp_path):
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


def test_folders_are_scored_file_by_file(fairseq_amber_command, tmp_path):
    predicted, gold = tmp_path / "predicted", tmp_path / "gold"
    for folder, suffix in ((predicted, "align"), (gold, "gold")):
        folder.mkdir()
        for pair in ("de-en", "fr-en"):
            (folder / f"test.{pair}.{suffix}").write_text("0-0 1-1\n")
    (predicted / "test.fr-en.align").write_text("0-0 0-1\n")
    result = tmp_path / "r.json"
    arguments = [predicted, gold, "--name", "toy", "--json", result]
    status, text, err = fairseq_amber_command("aer", *arguments)
    assert status == 0, err
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["de-en", "1", "100.00", "100.00", "0.00"],
        ["fr-en", "1", "50.00", "50.00", "50.00"],
        ["mean", "2", "25.00"],
    ]
    content = json.loads(result.read_text())
    assert (content["system"], content["score"], content["n"]) == ("toy", 25, 2)
    for path in (predicted / "test.de-en.align", gold / "test.fr-en.gold"):
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert fairseq_amber_command("aer", *arguments)[1] == text
    # two splits of one pair keep their whole names
    for folder, suffix in ((predicted, "align"), (gold, "gold")):
        (folder / f"dev.de-en.{suffix}").write_text("0-0\n")
    text = fairseq_amber_command("aer", *arguments)[1]
    names = [line.split()[0] for line in text.splitlines()[1:]]
    assert names == ["dev.de-en", "test.de-en", "test.fr-en", "mean"]


def test_layers_are_one_table_and_one_of_them_is_the_result(fairseq_amber_command, tmp_path):
    gold, out, result = tmp_path / "test.de-en.gold", tmp_path / "out", tmp_path / "r.json"
    gold.write_text("0-0 1-1\n2-2\n")
    out.mkdir()
    for layer, links in ((0, "5-5\n\n"), (2, "0-0 1-1\n2-2\n"), (10, "0-0\n2-2 1-1\n")):
        (out / f"layer-{layer}.align").write_text(links)
        write_settings(out / f"layer-{layer}.align", {"layer": layer, "layers": 12})
    status, text, err = fairseq_amber_command("aer", out, gold, "--json", result)
    assert status == 0 and "warning" not in err, err
    lines = [line.split() for line in text.splitlines()]
    assert lines[1] == ["de-en", "2", "66.67", "66.67", "33.33"]
    assert lines[4:8] == [["layer", "de-en"], ["0", "100.00"], ["2", "*0.00"], ["10", "33.33"]]
    assert "chosen on the test data" in text
    content = json.loads(result.read_text())
    assert content["score"] == pytest.approx(100 / 3) and content["config"]["layer"] == 10
    layers = content["per_language"]["de-en"]["layers"]
    assert layers == pytest.approx({"0": 100, "2": 0, "10": 100 / 3})
    assert read_outcomes(outcomes_path(result))["de-en"]["score"].tolist() == [[2, 3], [2, 3]]
    flags = ["--layer", 2, "--json", result]
    assert fairseq_amber_command("aer", out, gold, *flags)[0] == 0
    content = json.loads(result.read_text())
    assert (content["score"], content["config"]["layer"]) == (0, 2)
    for layer in (0, 2, 10):  # with 3 layers, 2 is the default of align
        made_with = {"layer": layer, "layers": 3, "method": "itermax"}
        write_settings(out / f"layer-{layer}.align", made_with)
    assert fairseq_amber_command("aer", out, gold)[1].splitlines()[1].endswith("0.00")
    write_settings(out / "layer-0.align", {"layer": 0, "layers": 3, "method": "similarity"})
    assert (
        "layers that were aligned with different settings"
        in (fairseq_amber_command("aer", out, gold)[2])
    )


def test_the_text_beside_the_gold_counts_where_it_has_the_words(fairseq_amber_command, tmp_path):
    predicted, gold = tmp_path / "test.de-en.align", tmp_path / "test.de-en.gold"
    predicted.write_text("0-0 2-0\n")
    gold.write_text("0-0\n")
    for language in ("de", "en"):
        (tmp_path / f"test.de-en.{language}").write_text("a b\n")
    status, _, err = fairseq_amber_command("aer", predicted, gold)
    assert status == 0 and f"{predicted}: 1 links lie outside their sentences" in err
    write_settings(predicted, {"units": "words", "word_boundaries": "moses"})
    assert fairseq_amber_command("aer", predicted, gold)[2] == ""


@pytest.mark.parametrize(
    "predicted, gold, message",
    [
        ("x.align", "", "two files or two folders"),
        ("empty", "empty", "no files <name>.align"),
        ("folder", "empty", "x.gold is missing: there is no gold for"),
        ("x.align", "possible.gold", "possible.gold: the gold has no sure link"),
        ("none.align", "possible.gold", "cannot read"),
        ("x.align", "possible.gold --layer 3", "--layer is for a folder of several layers"),
        ("layers", "possible.gold --layer 3", "--layer 3 is not among the layers 1, 2"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    predicted, gold, message, fairseq_amber_command, tmp_path
):
    for folder in ("empty", "folder", "layers"):
        (tmp_path / folder).mkdir()
    for name in ("x.align", "folder/x.align", "layers/layer-1.align", "layers/layer-2.align"):
        (tmp_path / name).write_text("0-0\n")
    (tmp_path / "possible.gold").write_text("0p0\n")
    out = tmp_path / "out.json"
    gold, _, layer = gold.partition(" --layer ")
    flags = ["--layer", layer] if layer else []
    arguments = [tmp_path / predicted, tmp_path / gold, *flags, "--json", out]
    status, _, err = fairseq_amber_command("aer", *arguments)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert not out.exists()
