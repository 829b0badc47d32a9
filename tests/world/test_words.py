"""Word alignments as others tokenise, number and mark them."""

# ruff: noqa: F811 (fixtures are imported)

import pytest

from checkpoint_fixtures import (  # noqa: F401
    checkpoint,
    data_folder,
    encoder,
    fairseq_amber_command,
)
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import link_word_finder
from fairseq_amber.preparation.corpus.pipeline import prepare
from fairseq_amber.tokenizers.dictionary import load_dictionary

# What fast_align, eflomal and published gold count as one token each.
TOKENS = ["der", "10\u00a0000", "Haus\u202f!", "a\u3000b", "see\u2028x", "."]


@pytest.fixture
def text(tmp_path):
    """A folder with raw text of one pair, whose tokens hold other spaces, aligned one by one."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for split in ("train", "test"):
        for language in ("de", "en"):
            line = " ".join(TOKENS) + "\n"
            (folder / f"{split}.de-en.{language}").write_text(line, encoding="utf-8")
    return folder


def test_a_token_may_hold_other_spaces(fairseq_amber_command, checkpoint, text, tmp_path):
    """lilt/alignment-scripts#7, neulab/compare-mt#106: aligners in Python split tokens at U+00A0,
    so that their links number other words than gold does."""
    gold = tmp_path / "test.de-en.gold"
    gold.write_text(" ".join(f"{i}-{i}" for i in range(len(TOKENS))) + "\n")
    out = tmp_path / "out"
    flags = ["--folder", text, "--output", out, "--layer", 0]
    assert fairseq_amber_command("align", checkpoint, *flags)[0] == 0
    status, table, err = fairseq_amber_command("aer", out / "test.de-en.align", gold)
    assert status == 0 and err == ""
    assert table.splitlines()[1].split() == ["de-en", "1", "100.00", "100.00", "0.00"]


@pytest.mark.parametrize("kept", [True, False])
def test_training_counts_the_tokens_that_prepare_has_kept(kept, text, data_folder, tmp_path):
    """Links of other aligners number tokens; SentencePiece turns U+00A0 in a token into a space."""
    data = tmp_path / "data"
    prepare(
        text, data, tokenizer=data_folder, workers=1, word_boundaries="spaces" if kept else None
    )
    finder = link_word_finder(load_dictionary(data).symbols, (0, 1, 2), "links")
    for language in ("de", "en"):
        file = TokenFile(data / "parallel/de-en" / f"train.de-en.{language}")
        assert (finder.words(file).counts()[0] == len(TOKENS)) == kept


def test_lines_that_only_other_spaces_separate_are_named(
    fairseq_amber_command,
    checkpoint,
    tmp_path,
):
    """Japanese whose words U+3000 separates can still be aligned by these words."""
    side = tmp_path / "x.ja"
    side.write_text("ein\u3000Haus\u3000ja\nein Haus\n", encoding="utf-8")
    command = ["align", checkpoint, "--source", side, "--target", side, "--layer", 0]
    status, links, err = fairseq_amber_command(*command)
    assert status == 0 and links == "0-0\n0-0 1-1\n"
    assert err.count("\n") == 2 and f"warning: {side}: 1 lines, the first 1, have only" in err
    assert "--word-boundaries white-space" in err
    status, links, err = fairseq_amber_command(*command, "--word-boundaries", "white-space")
    assert (status, links, err) == (0, "0-0 1-1 2-2\n0-0 1-1\n", "")


LINKS = [[(0, 0), (1, 2), (2, 3), (3, 1)], [(0, 1), (1, 2), (2, 0)]]


def pharaoh(shift, mark="-"):
    """The links in Pharaoh's format, counted from ``shift``."""
    lines = (" ".join(f"{i + shift}{mark}{j + shift}" for i, j in line) for line in LINKS)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "predicted, gold, flags",
    [(0, 1, ["--one-based"]), (1, 0, ["--one-based-predicted"])],
)
def test_words_that_count_from_one_are_noticed(
    predicted,
    gold,
    flags,
    fairseq_amber_command,
    tmp_path,
):
    """neulab/awesome-align#20: gold or predictions that count from 1 give a bad score, silently.
    awesome-align's evaluator has --oneRef and --oneHyp for them."""
    files = tmp_path / "x.align", tmp_path / "x.gold"
    for path, shift in zip(files, (predicted, gold)):
        path.write_text(pharaoh(shift))
    status, table, err = fairseq_amber_command("aer", *files)
    assert status == 0 and table.split()[-1] != "0.00"
    assert err.count("\n") == 1 and "by one (AER 0.00)" in err and f"give {flags[0]}\n" in err
    assert fairseq_amber_command("aer", *files, *flags)[1:] == (
        "pair    n  precision %  recall %  AER %\nx.gold  2       100.00    100.00   0.00\n",
        "",
    )
    for path in files:  # both from 1
        path.write_text(pharaoh(1))
    both = ["--one-based", "--one-based-predicted"]
    assert fairseq_amber_command("aer", *files, *both)[1].split()[-1] == "0.00"
    err = fairseq_amber_command("aer", *files, "--one-based")[2]
    assert "give --one-based-predicted" in err


@pytest.mark.parametrize("form", ["{}-{}:P", "{}-{}P", "{}p{}", "{}?{}", "{}-{}:0.5:P"])
def test_possible_links_are_not_sure(form, fairseq_amber_command, tmp_path):
    """A P behind a colon looked like a confidence, so that the link counted as sure."""
    predicted, gold = tmp_path / "x.align", tmp_path / "x.gold"
    predicted.write_text("0-0\n")
    gold.write_text(f"0-0 {form.format(1, 1)}\n")
    table = fairseq_amber_command("aer", predicted, gold)[1]
    assert table.split()[-3:] == ["100.00", "100.00", "0.00"]


def test_simaligns_files_have_its_own_score(fairseq_amber_command, tmp_path):
    """SimAlign's gold and output begin with the number of the sentence and a tab; the score is that
    of its calc_align_score.py: 4 of 5 predicted links are possible, 2 of 3 sure ones are found."""
    predicted, gold = tmp_path / "x.inter", tmp_path / "x.gold"
    predicted.write_text("0\t0-0-.91-.95 1-1-.8-.8 2-2-.7-.7\n1\t0-0-.5-.5 1-1-.6-.6\n")
    gold.write_text("0\t0-0 1p1 2p2\n1\t0-0 0-1\n")
    hits_possible, hits_sure, found, sure = 4, 2, 5, 3
    aer = 100 * (1 - (hits_sure + hits_possible) / (found + sure))
    status, table, err = fairseq_amber_command("aer", predicted, gold)
    assert status == 0, err
    assert table.split()[-3:] == ["80.00", "66.67", f"{aer:.2f}"]
