"""The texts that `align` reads: of two files, of a folder, or of one file with `|||`."""

import gzip

import pytest


def test_a_joined_text_has_the_links_of_its_two_sides(
    fairseq_amber_command, checkpoint, corpus, tmp_path
):
    sides = [corpus / f"test.de-en.{language}" for language in ("de", "en")]
    german, english = (path.read_text().splitlines() for path in sides)
    english[2] = ""
    sides[1].write_text("".join(line + "\n" for line in english))
    joined = tmp_path / "test.de-en.gz"
    lines = "".join(f"{x} ||| {y}\n" for x, y in zip(german, english))
    joined.write_bytes(gzip.compress(lines.encode()))
    two = fairseq_amber_command("align", checkpoint, "--source", sides[0], "--target", sides[1])
    one = fairseq_amber_command("align", checkpoint, "--text", joined)
    assert one[:2] == two[:2]
    links = one[1].split("\n")
    assert len(links) == 9 and links[2] == "" and all(links[:2])


def test_moses_needs_the_languages_of_a_joined_text(fairseq_amber_command, checkpoint, tmp_path):
    pytest.importorskip("sacremoses")
    text = tmp_path / "test.de-en.de"  # whose ending would be the language of one side
    text.write_text("Der Zug, z. B. heute. ||| The train don't stop.\n")
    flags = ["align", checkpoint, "--text", text, "--word-boundaries", "moses"]
    assert (
        "give its language with --target-language"
        in fairseq_amber_command(*flags, "--source-language", "de")[2]
    )
    languages = ["--source-language", "de", "--target-language", "en"]
    assert fairseq_amber_command(*flags, *languages)[0] == 0


def test_lines_that_only_other_spaces_separate_are_named(
    fairseq_amber_command, checkpoint, tmp_path
):
    text = tmp_path / "text"
    text.write_text("ein Haus ||| a\u3000house\n")
    _, _, err = fairseq_amber_command("align", checkpoint, "--text", text)
    assert f"warning: {text}: 1 lines, the first 1, have only spaces outside ASCII" in err


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--text", "{t}", "--source", "{t}"], "--text is in place of --folder and of --source"),
        (["--text", "{t}", "--folder", "."], "--text is in place of"),
        (["--text", "{t}", "--corpus", "."], "--corpus is in place of"),
        (["--text", "{t}", "--split", "dev"], "--split is for --folder, but --text is given"),
        (["--text", "{t}"], "t:2: expected source ||| target"),
    ],
)
def test_a_mistake_is_one_clear_line(flags, message, fairseq_amber_command, checkpoint, tmp_path):
    text = tmp_path / "t"
    text.write_text("ja ||| yes\nja\n")
    flags = [flag.format(t=text) for flag in flags]
    status, _, err = fairseq_amber_command("align", checkpoint, *flags, "--output", tmp_path / "o")
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t"]
