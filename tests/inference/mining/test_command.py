"""The command, on a folder in BUCC's layout."""

import json

import numpy as np
import pytest

from fairseq_amber.inference.mining import command as command

WORDS = "ein rotes Haus steht am See der Hund schläft heute ja wir sehen zwei alte Bäume".split()


def sentences(seed, count):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(2, 6))) for _ in range(count)]


def near(sentence):
    """What the toy encoder finds close: it knows no translation."""
    return sentence + " ."


def write_split(folder, split, seed, gold=None):
    """20 sentences of each side, of which the first 8 have a partner, in reverse order."""
    shared, source, target = sentences(seed, 8), sentences(seed + 1, 12), sentences(seed + 2, 12)
    sides = {"de": shared + source, "en": [near(s) for s in shared][::-1] + target}
    for language, lines in sides.items():
        text = "".join(f"{language}-{i}\t{line}\n" for i, line in enumerate(lines))
        (folder / f"de-en.{split}.{language}").write_text(text, encoding="utf-8")
    pairs = [(i, 7 - i) for i in range(8)] if gold is None else gold
    text = "".join(f"de-{i}\ten-{j}\n" for i, j in pairs)
    (folder / f"de-en.{split}.gold").write_text(text)


@pytest.fixture
def bucc(tmp_path):
    folder = tmp_path / "bucc"
    folder.mkdir()
    write_split(folder, "dev", 10)
    write_split(folder, "test", 20)
    return folder


def mine(run, *flags, out=None):
    status, text, err = run("mine", *flags, *(["--json", out] if out else []))
    assert status == 0, err
    return (json.loads(out.read_text()) if out else None), text


def f1(mined, gold):
    right = len(set(mined) & set(gold))
    return 200 * right / (len(mined) + len(gold))


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


def test_the_threshold_is_tuned_on_dev_and_scored_on_test(
    fairseq_amber_command, checkpoint, bucc, tmp_path
):
    out = tmp_path / "r.json"
    result, text = mine(fairseq_amber_command, checkpoint, "--folder", bucc, out=out)
    scores, config = result["per_language"]["de-en"], result["config"]
    assert (result["task"], result["metric"], result["n"]) == ("mining", "F1", 8)
    assert result["score"] == scores["score"]
    assert config["threshold_source"] == "tuned on dev"
    assert (config["test"], config["split"], config["dev_split"]) == (str(bucc), "test", "dev")
    assert (config["margin"], config["neighbours"], config["retrieval"]) == ("ratio", 4, "max")
    assert (config["search"], config["layer"], config["pooling"]) == ("exact", 3, "mean")
    assert text.splitlines()[0].split() == "pair gold threshold dev P dev R dev F1 P R F1".split()
    shown = [f"{scores[k]:.2f}" for k in ("dev_score", "precision", "recall", "score")]
    assert text.splitlines()[1].split()[5:] == shown
    assert "threshold tuned on dev; ratio margin, 4 neighbours, max; exact search" in text

    # All candidates of dev, whose best cut no other threshold beats.
    sides = [flag for s in ("de", "en") for flag in (bucc / f"de-en.dev.{s}",)]
    files = ["--format", "bucc", "--source", sides[0], "--target", sides[1]]
    _, listing = mine(fairseq_amber_command, checkpoint, *files)
    values = [float(line.split("\t")[0]) for line in listing.splitlines()]
    _, listing = mine(fairseq_amber_command, checkpoint, *files, "--ids")
    candidates = [tuple(line.split("\t")) for line in listing.splitlines()]
    gold = read_pairs(bucc / "de-en.dev.gold")
    best = max(f1(candidates[:n], gold) for n in range(1, len(candidates) + 1))
    kept = [pair for pair, value in zip(candidates, values) if value >= scores["threshold"]]
    assert f1(kept, gold) == pytest.approx(best) == pytest.approx(scores["dev_score"])
    assert values == sorted(values, reverse=True)

    # At that threshold, given by hand, the test files score the same.
    files = [
        flag
        for name, end in (("source", "de"), ("target", "en"), ("gold", "gold"))
        for flag in (f"--{name}", bucc / f"de-en.test.{end}")
    ]
    given, _ = mine(
        fairseq_amber_command,
        *(checkpoint, *files, "--format", "bucc", "--threshold", repr(scores["threshold"])),
        out=out,
    )
    assert given["score"] == scores["score"] and given["config"]["threshold_source"] == "given"
    ends = [f"de-en.test.{end}" for end in ("de", "en", "gold")]
    assert given["config"]["test"] == " ".join(str(bucc / end) for end in ends)
    assert "split" not in given["config"] and "dev_split" not in given["config"]


def test_outcomes_add_up_to_the_score_and_are_compared(
    fairseq_amber_command, checkpoint, bucc, tmp_path
):
    paths = []
    for name, flags in (
        ("best", []),
        ("near", ["--margin", "absolute", "--retrieval", "backward", "--layer", 1]),
        ("few", ["--threshold", 1.05]),
    ):
        out = tmp_path / f"{name}.json"
        result, _ = mine(
            fairseq_amber_command, checkpoint, "--folder", bucc, "--name", name, *flags, out=out
        )
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
    result, _ = mine(fairseq_amber_command, checkpoint, "--folder", tmp_path / "dev", out=out)
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


def test_test_gold_changes_neither_threshold_nor_pairs(
    fairseq_amber_command, checkpoint, bucc, tmp_path
):
    thresholds, outputs, scores = set(), set(), []
    for gold in (None, [(9, 9), (10, 3), (2, 14)], "none"):
        if gold == "none":
            (bucc / "de-en.test.gold").unlink()
        else:
            write_split(bucc, "test", 20, gold)
        result, text = mine(
            fairseq_amber_command,
            *(checkpoint, "--folder", bucc, "--output", tmp_path / "out"),
            out=tmp_path / "r.json",
        )
        thresholds.add(result["per_language"]["de-en"]["threshold"])
        outputs.add((tmp_path / "out" / "de-en.test.mined").read_text())
        scores.append((result["metric"], result["score"]))
    assert len(thresholds) == len(outputs) == 1
    assert scores[0][1] != scores[1][1]
    assert scores[2][0] == "F1 on dev" and text.splitlines()[-1].startswith("note: without test")


def test_dev_gold_does_change_the_threshold(fairseq_amber_command, checkpoint, bucc, tmp_path):
    thresholds = set()
    for gold in (None, [(9, 9), (10, 3), (2, 14)]):
        write_split(bucc, "dev", 10, gold)
        result, _ = mine(
            fairseq_amber_command, checkpoint, "--folder", bucc, out=tmp_path / "r.json"
        )
        thresholds.add(result["per_language"]["de-en"]["threshold"])
    assert len(thresholds) == 2


def test_a_folder_of_dev_alone_says_that_its_score_is_an_upper_bound(
    fairseq_amber_command, checkpoint, bucc, tmp_path
):
    for path in bucc.glob("*.test.*"):
        path.unlink()
    result, text = mine(
        fairseq_amber_command, *(checkpoint, "--folder", bucc, "--output", tmp_path)
    )
    assert "dev P" in text and "an upper bound" in text
    assert (tmp_path / "de-en.dev.mined").exists()


def test_a_given_threshold_needs_no_dev(fairseq_amber_command, checkpoint, bucc, tmp_path):
    for path in bucc.glob("*.dev.*"):
        path.unlink()
    flags = (checkpoint, "--folder", bucc, "--threshold", "-9")
    result, _ = mine(fairseq_amber_command, *flags, out=tmp_path / "r.json")
    parts = result["per_language"]["de-en"]
    assert parts["threshold"] == -9 and "dev_score" not in parts
    (bucc / "de-en.test.gold").unlink()
    _, text = mine(fairseq_amber_command, *flags, "--output", tmp_path)
    assert text == "" and len(read_pairs(tmp_path / "de-en.test.mined")) == parts["mined"]


def test_repeated_sentences_are_mined_once_and_count_under_any_id(
    fairseq_amber_command, checkpoint, tmp_path
):
    (tmp_path / "x").write_text("a\tja\nb\tder Hund schläft\nc\tder Hund schläft\n")
    (tmp_path / "y").write_text("A\tder Hund schläft\nB\tja\nC\tja\n")
    (tmp_path / "gold").write_text("c\tA\na\tC\n")
    flags = ["--format", "bucc", "--source", tmp_path / "x", "--target", tmp_path / "y"]
    flags += ["--margin", "absolute"]
    _, text = mine(fairseq_amber_command, checkpoint, *flags, "--ids")
    assert sorted(text.splitlines()) == ["a\tB", "b\tA"]
    result, _ = mine(
        fairseq_amber_command,
        *(checkpoint, *flags, "--gold", tmp_path / "gold", "--threshold", "0.99"),
        out=tmp_path / "r.json",
    )
    assert (result["score"], result["n"]) == (100, 2)


@pytest.fixture
def arrays(tmp_path, encoder):
    """Texts of 12 lines, some blank or repeated, and the vectors of their lines."""
    sides = []
    for name, seed in (("x", 3), ("y", 4)):
        lines = sentences(seed, 12)
        lines[5], lines[8] = "", lines[2]
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        np.save(tmp_path / f"{name}.npy", encoder.embed(lines).numpy())
        sides.append(lines)
    return tmp_path


def test_vectors_stand_for_a_checkpoint(fairseq_amber_command, checkpoint, arrays):
    texts = ["--source", arrays / "x", "--target", arrays / "y"]
    vectors = ["--vectors", arrays / "x.npy", arrays / "y.npy"]
    _, embedded = mine(fairseq_amber_command, checkpoint, *texts)
    _, ready = mine(fairseq_amber_command, *texts, *vectors)
    assert embedded == ready and ready
    pytest.importorskip("faiss")
    flags = ["--search", "approximate", "--nlist", 3, "--nprobe", 3]
    assert mine(fairseq_amber_command, *texts, *vectors, *flags)[1] == ready


def test_vectors_alone_give_rows(fairseq_amber_command, arrays):
    pytest.importorskip("faiss")
    vectors = ["--vectors", arrays / "x.npy", arrays / "x.npy"]
    (arrays / "gold").write_text("".join(f"{i}\t{i}\n" for i in range(1, 13)))
    result, text = mine(
        fairseq_amber_command,
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


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--folder {bucc}", "give either a CHECKPOINT"),
        ("{ck} --folder {bucc} --vectors {x}.npy {x}.npy", "give either a CHECKPOINT"),
        ("{ck}", "give either --source FILE and --target FILE, or --folder DIR"),
        ("{ck} --source {x}", "give either --source"),
        ("--vectors {x}.npy {x}.npy --target {x}", "give either --source"),
        ("{ck} --folder {bucc} --gold {x}", "--gold goes with two files"),
        ("--folder {bucc} --vectors {x}.npy {x}.npy", "--vectors goes with two files"),
        ("{ck} --source {x} --target {x} --gold {x}", "--gold scores at one threshold"),
        ("{ck} --source {x} --target {x} --json r.json", "--json holds scores"),
        ("{ck} --folder {bucc} --nprobe 3", "for --search approximate alone"),
        ("{ck} --folder {bucc} --pairs fr-en", "no pair 'fr-en'"),
        ("{ck} --folder {bucc} --layer 9", "layers 1 to 3"),
        ("{ck} --source {x} --target {x} --format bucc", "x:1: expected id<TAB>sentence"),
        ("{ck} --source {x} --target {x} --threshold 1 --gold {bad}", "bad:1: {x} has no id a"),
        ("--vectors {x}.npy {short} ", "have 16 dimensions but those of {short} 2"),
        ("--vectors {x}.npy {short} --source {x} --target {x}", "3 vectors but {x} has 12 lines"),
        ("--vectors {x}.npy {x}", "x is no .npy of floats"),
        ("--vectors {x}.npy {x}.npy --device warp", "--device warp"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, checkpoint, bucc, arrays, tmp_path, monkeypatch
):
    (tmp_path / "bad").write_text("a\t1\n")
    np.save(tmp_path / "short.npy", np.ones((3, 2), dtype=np.float32))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    places = {
        **{"ck": checkpoint, "bucc": bucc, "x": arrays / "x"},
        **{"bad": tmp_path / "bad", "short": tmp_path / "short.npy"},
    }
    status, _, err = fairseq_amber_command(
        "mine", *arguments.format(**places).split(), "--output", "out"
    )
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message.format(**places) in err
    assert list(work.iterdir()) == []
