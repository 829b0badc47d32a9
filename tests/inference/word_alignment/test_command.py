"""The command, on text: what it writes, prints and draws, and what it refuses."""

import json

import pytest

from fairseq_amber.inference.word_alignment.defaults import SCALES


def test_align_says_how_far_it_is(fairseq_amber_command, checkpoint, corpus, progress_of):
    flags = ["--folder", corpus, "--output", corpus / "out", "--pairs", "de-en"]
    _, _, err = fairseq_amber_command("align", checkpoint, *flags)
    assert progress_of(err) == {"finding words": "8 of 8 lines", "aligning de-en": "8 of 8 pairs"}


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
    for folder, words in ((plain, "moses"), (tokens, "spaces"), (plain, "spaces")):
        out = tmp_path / "out"
        arguments = [
            "--folder",
            folder,
            "--output",
            out,
            "--word-boundaries",
            words,
            "--method",
            "itermax",
        ]
        status, _, err = fairseq_amber_command("align", checkpoint, *arguments)
        assert status == 0 and "warning" not in err, err
        outputs.append((out / "test.de-en.align").read_text())
    assert outputs[0] == outputs[1] != outputs[2]

    other = tmp_path / "other.txt"
    other.write_text("Der Zug, z. B. heute.\n")
    sides = ["--source", other, "--target", plain / "test.de-en.en", "--word-boundaries", "moses"]
    status, _, err = fairseq_amber_command("align", checkpoint, *sides)
    assert status == 2 and "give its language with --source-language" in err
    named = [*sides, "--method", "itermax", "--source-language"]
    assert fairseq_amber_command("align", checkpoint, *named, "de")[:2] == (0, outputs[0])
    status, out, err = fairseq_amber_command("align", checkpoint, *named, "deu")
    assert status == 0 and "Moses has no abbreviations of 'deu'" in err


def test_align_numbers_the_words_of_berts_basic_tokeniser(
    fairseq_amber_command, checkpoint, tmp_path
):
    outputs = []
    for name, words, german, english in (
        ("plain", "punctuation", "Der Zug, z. B. heute.", "The train don't stop & go."),
        ("tokens", "spaces", "Der Zug , z . B . heute .", "The train don ' t stop & go ."),
        ("plain", "spaces", "Der Zug, z. B. heute.", "The train don't stop & go."),
    ):
        folder, out = tmp_path / name, tmp_path / "out"
        folder.mkdir(exist_ok=True)
        (folder / "test.de-en.de").write_text(german + "\n")
        (folder / "test.de-en.en").write_text(english + "\n")
        arguments = ["--folder", folder, "--output", out, "--method", "itermax"]
        flags = [*arguments, "--word-boundaries", words]
        assert fairseq_amber_command("align", checkpoint, *flags)[0] == 0
        outputs.append((out / "test.de-en.align").read_text())
        settings = json.loads((out / "test.de-en.align.settings").read_text())["settings"]
        assert (settings["units"], settings["word_boundaries"]) == ("words", words)
    assert outputs[0] == outputs[1] != outputs[2]


def test_align_reads_words_without_spaces_as_they_are_written(
    fairseq_amber_command, checkpoint, tmp_path
):
    from fairseq_amber import load

    (tmp_path / "test.ja-en.ja").write_text("wir 父 Haus alt 父 \n")
    (tmp_path / "test.ja-en.en").write_text("we see old house\n")
    arguments = ["--folder", tmp_path, "--output", tmp_path / "out"]
    arguments += ["--plot", 1, tmp_path / "a.png", "--scores"]
    settings, scores = [], set()
    for flags in ([], ["--as-written"]):
        assert fairseq_amber_command("align", checkpoint, *arguments, *flags)[0] == 0
        record = (tmp_path / "out" / "test.ja-en.align.settings").read_text()
        settings.append(json.loads(record)["settings"].get("as_written"))
        scores.add((tmp_path / "out" / "test.ja-en.align.scores").read_text())
    assert settings == [None, True] and len(scores) == 2
    tokenizer = load(checkpoint).tokenizer
    alone, written = (tokenizer.encode_words([["wir", "父", "Haus"]], x)[0].ids for x in (0, 1))
    assert len(written) < len(alone) or (written != alone).any()


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
    assert SCALES[method] in picture.read_text()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_computes_in_half_precision(fairseq_amber_command, checkpoint, corpus):
    files = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    for dtype in ("float32", "bfloat16"):
        status, out, err = fairseq_amber_command("align", checkpoint, *files, "--dtype", dtype)
        assert status == 0, err
    assert len(out.splitlines()) > 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["align", "{ck}", "--folder", "{dir}"], "--folder needs --output"),
        (["align", "{ck}", "--folder", "{dir}", "--output", "o", "--plot", "9", "a.png"], "1 to 8"),
        (["align", "{ck}", "--folder", "{dir}", "--output", "o", "--plot", "1", "a.txt"], ".png"),
        (
            ["align", "{ck}", "--folder", "{dir}", "--reach", "1"],
            "--reach is only for --method",
        ),
        (
            ["align", "{ck}", "--folder", "{dir}", "--alpha", "1"],
            "--alpha is only for --method",
        ),
        (
            ["align", "{ck}", "--word-boundaries", "moses", "--units", "subwords"],
            "--word-boundaries is for --units",
        ),
        (
            ["align", "{ck}", "--as-written", "--units", "subwords"],
            "--as-written is for --units words",
        ),
        (
            ["align", "{ck}", "--corpus", "{dir}", "--output", "o", "--as-written"],
            "--as-written is for text",
        ),
        (["align", "{ck}", "--source-language", "de"], "are for --word-boundaries moses"),
        (
            ["align", "{ck}", "--folder", "{dir}", "--output", "o", "--word-boundaries", "moses"]
            + ["--target-language", "de"],
            "--folder names the languages",
        ),
        (
            ["align", "{ck}", "--corpus", "{dir}", "--output", "o", "--word-boundaries", "moses"],
            "--word-boundaries is for text",
        ),
        (
            ["align", "{ck}", "--method", "attention", "--epsilon", "1", "--iterations", "9"],
            "--iterations is only for --method itermax and transport, but the method is attention",
        ),
        (
            ["align", "{ck}", "--folder", "{dir}", "--output", "o", "--plot", "1", "a.png"]
            + ["--units", "subwords"],
            "--plot draws words",
        ),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, checkpoint, corpus, tmp_path, monkeypatch
):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    places = {"ck": checkpoint, "dir": corpus}
    status, _, err = fairseq_amber_command(*(argument.format(**places) for argument in arguments))
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert list(work.iterdir()) == []
