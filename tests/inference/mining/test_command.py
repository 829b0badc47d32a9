"""The command, on two files, on vectors and on a folder in BUCC's layout."""

import json

import numpy as np
import pytest

from fairseq_amber.inference.mining import command as command


def read_pairs(path):
    return [tuple(line.split("\t")) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("search", ["exact", "approximate"])
def test_it_says_how_far_it_is(search, fairseq_amber_command, checkpoint, bucc, progress_of):
    texts = [bucc / f"de-en.dev.{side}" for side in ("de", "en")]
    flags = ["--source", texts[0], "--target", texts[1], "--format", "bucc", "--search", search]
    _, out, err = fairseq_amber_command("mine", checkpoint, *flags)
    found = progress_of(err)
    assert [found.pop(f"encoding {text}") for text in texts] == ["20 of 20 sentences"] * 2
    if search == "exact":
        assert found == {"exact search": "400 of 400 cosines"}
    else:
        assert set(found.values()) == {"20 of 20 sentences"}
        stages = ["filling the lists", "approximate search", "exact search for 20 sentences"]
        assert list(found) == stages
    assert "fairseq-amber:" not in out


def test_outcomes_add_up_to_the_score_and_are_compared(
    mine, fairseq_amber_command, checkpoint, bucc, tmp_path
):
    paths = []
    for name, flags in (
        ("best", []),
        ("near", ["--margin", "absolute", "--retrieval", "backward", "--layer", 1]),
        ("few", ["--threshold", 1.05]),
    ):
        out = tmp_path / f"{name}.json"
        result, _ = mine(checkpoint, "--folder", bucc, "--name", name, *flags, out=out)
        scores = result["per_language"]["de-en"]
        items = np.load(tmp_path / f"{name}.items.npz")["de-en/score"]
        assert items.shape == (20, 2)
        assert items[:, 1].sum() == scores["mined"] + scores["n"]
        assert 100 * items[:, 0].sum() / items[:, 1].sum() == pytest.approx(scores["score"])
        paths.append(out)
    (tmp_path / "dev").mkdir()
    for path in bucc.glob("*.dev.*"):
        (tmp_path / "dev" / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "dev.json"
    result, _ = mine(checkpoint, "--folder", tmp_path / "dev", out=out)
    items = np.load(tmp_path / "dev.items.npz")["de-en/score"]
    assert 100 * items[:, 0].sum() / items[:, 1].sum() == pytest.approx(result["score"])

    status, text, err = fairseq_amber_command(
        *("report", *paths, "--output", tmp_path / "report", "--compare", "best", "few")
    )
    assert status == 0, err
    [comparison] = json.loads((tmp_path / "report" / "report.json").read_text())["comparisons"]
    [row] = comparison["tasks"][0]["rows"]
    assert (comparison["tasks"][0]["task"], row["n"], row["label"]) == ("mining", 20, "de-en")
    scores = [json.loads(path.read_text())["score"] for path in paths]
    assert (row["first"], row["second"]) == pytest.approx((scores[0], scores[2]))
    assert comparison["left_out"] == [] and "left out" not in text


def test_repeated_sentences_are_mined_once_and_count_under_any_id(mine, checkpoint, tmp_path):
    (tmp_path / "x").write_text("a\tja\nb\tder Hund schläft\nc\tder Hund schläft\n")
    (tmp_path / "y").write_text("A\tder Hund schläft\nB\tja\nC\tja\n")
    (tmp_path / "gold").write_text("c\tA\na\tC\n")
    flags = ["--format", "bucc", "--source", tmp_path / "x", "--target", tmp_path / "y"]
    flags += ["--margin", "absolute"]
    _, text = mine(checkpoint, *flags, "--ids")
    assert sorted(text.splitlines()) == ["a\tB", "b\tA"]
    result, _ = mine(
        *(checkpoint, *flags, "--gold", tmp_path / "gold", "--threshold", "0.99"),
        out=tmp_path / "r.json",
    )
    assert (result["score"], result["n"]) == (100, 2)


def test_vectors_stand_for_a_checkpoint(mine, checkpoint, arrays):
    texts = ["--source", arrays / "x", "--target", arrays / "y"]
    vectors = ["--vectors", arrays / "x.npy", arrays / "y.npy"]
    _, embedded = mine(checkpoint, *texts)
    _, ready = mine(*texts, *vectors)
    assert embedded == ready and ready
    pytest.importorskip("faiss")
    flags = ["--search", "approximate", "--nlist", 3, "--nprobe", 3]
    assert mine(*texts, *vectors, *flags)[1] == ready


def test_a_prefix_is_put_in_front_of_both_sides(mine, checkpoint, encoder, arrays):
    texts = ["--source", arrays / "x", "--target", arrays / "y"]
    for name in ("x", "y"):
        lines = (arrays / name).read_text().splitlines()
        np.save(arrays / f"{name}.npy", encoder.embed(lines, prefix="ja ja ").numpy())
    _, ready = mine(*texts, "--vectors", arrays / "x.npy", arrays / "y.npy")
    assert mine(checkpoint, *texts, "--prefix", "ja ja ")[1] == ready
    assert mine(checkpoint, *texts)[1] != ready
    (arrays / "gold").write_text("1\t1\n")
    scored = ["--gold", arrays / "gold", "--threshold", 0, "--prefix", "ja ja "]
    result, text = mine(checkpoint, *texts, *scored, out=arrays / "r.json")
    assert result["config"]["prefix"] == "ja ja " and "--prefix 'ja ja '" in text


def test_vectors_alone_give_rows(mine, arrays):
    pytest.importorskip("faiss")
    vectors = ["--vectors", arrays / "x.npy", arrays / "x.npy"]
    (arrays / "gold").write_text("".join(f"{i}\t{i}\n" for i in range(1, 13)))
    result, text = mine(
        *(*vectors, "--gold", arrays / "gold", "--threshold", "0.5", "--name", "toy"),
        *("--search", "approximate", "--output", arrays / "out"),
        out=arrays / "r.json",
    )
    assert result["config"]["vectors"] == f"{arrays / 'x.npy'} {arrays / 'x.npy'}"
    assert result["per_language"]["x.npy-x.npy"]["search_recall"] == 100
    assert "the search found 100.0 % of the nearest neighbours" in text
    assert all(a.isdecimal() and b.isdecimal() for _, a, b in read_pairs(arrays / "out"))


def test_an_interruption_leaves_nothing_half_written(fairseq_amber_command, arrays, monkeypatch):
    before = sorted(arrays.iterdir())

    def interrupted(*_):
        yield "1.0\tja\tyes\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_lines", interrupted)
    status, _, err = fairseq_amber_command(
        "mine", "--vectors", arrays / "x.npy", arrays / "y.npy", "--output", arrays / "out"
    )
    assert status == 130 and err.count("\n") == 1
    assert sorted(arrays.iterdir()) == before


def test_a_place_that_cannot_be_written_to_shows_before_the_work(
    fairseq_amber_command, arrays, monkeypatch
):
    monkeypatch.setattr(
        "fairseq_amber.inference.mining.pair_miner.Miner.mine", lambda *_: pytest.fail("mined")
    )
    status, _, err = fairseq_amber_command(
        *("mine", "--vectors", arrays / "x.npy", arrays / "y.npy"),
        *("--output", arrays / "x" / "out"),
    )
    assert status == 2 and "cannot write" in err


def test_sentences_beyond_the_longest_row_are_counted(fairseq_amber_command, checkpoint, corpus):
    source, target = (corpus / f"test.de-en.{language}" for language in ("de", "en"))
    long = " ".join(["Haus"] * 200)
    source.write_text("\n".join([long, "ja", long + " ja", *"abcdef"]) + "\n")
    target.write_text("\n".join("abcdefghi") + "\n")
    files = ["--source", source, "--target", target]
    status, out, err = fairseq_amber_command("mine", checkpoint, *files)
    assert status == 0
    assert f"warning: 2 sentences of {source} are longer than 80 subwords" in err
    assert err.count("warning") == 1 and "warning" not in out


def test_computes_in_half_precision(mine, checkpoint, corpus):
    files = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    found = {
        dtype: mine(checkpoint, *files, "--dtype", dtype)[1] for dtype in ("float32", "bfloat16")
    }
    assert len(found["bfloat16"].splitlines()) > 4
    scores = [float(line.split("\t")[0]) for line in found["bfloat16"].splitlines()]
    assert scores == pytest.approx(
        [float(line.split("\t")[0]) for line in found["float32"].splitlines()], abs=0.05
    )
    assert found["bfloat16"] != found["float32"]
