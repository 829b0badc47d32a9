"""`fairseq-amber align --corpus`: links that number the units of a binarised corpus."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from checkpoint_fixtures import PAIRS as SENTENCE_PAIRS
from fairseq_amber.data.alignment.corpora import load_corpora
from fairseq_amber.data.alignment.training_links import LinkFile
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.words import link_word_finder
from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment import binarised_pairs
from fairseq_amber.inference.word_alignment.link_files import format_pharaoh
from fairseq_amber.inference.word_alignment.word_aligner import Aligner, encode_units
from fairseq_amber.tokenizers.dictionary import load_dictionary

PAIRS = SENTENCE_PAIRS[:5]
# What the filters drop, between pairs that they keep: empty, too long for its partner, too long.
DROPPED = [("", "yes"), ("ja", "yes " * 30), ("Haus " * 300, "a " * 300)]
UNSEEN = [("木が見える。 ein Haus☃", "we see 木 trees"), ("☃ ☃☃ ja", "yes\u3000☃")]
KEPT = [*PAIRS, *UNSEEN]
TEXT = [DROPPED[0], *KEPT[:3], DROPPED[1], *KEPT[3:5], DROPPED[2], *KEPT[5:]]


@pytest.fixture(scope="module")
def prepared(data_folder, tmp_path_factory):
    """A data folder with the checkpoint's dictionary: train and valid of de-en, train of en-de."""
    from fairseq_amber.preparation.corpus.pipeline import prepare

    raw, data = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("prepared") / "bin"
    for split, pair, text in (
        ("train", "de-en", TEXT),
        ("valid", "de-en", PAIRS[:2]),
        ("train", "en-de", [pair[::-1] for pair in PAIRS]),
    ):
        for side, language in enumerate(pair.split("-")):
            lines = "".join(sentences[side] + "\n" for sentences in text)
            (raw / f"{split}.{pair}.{language}").write_text(lines, encoding="utf-8")
    prepare(raw, data, tokenizer=data_folder, workers=1)
    return data


@pytest.fixture
def own(prepared, tmp_path):
    """A copy of the prepared folder, to spoil."""
    return Path(shutil.copytree(str(prepared), str(tmp_path / "own")))


def lengths(data, corpus, units):
    """The units of both sides of each pair, as training counts them with --l2-units."""
    dictionary = load_dictionary(data)
    sides = corpus.sources, corpus.targets
    if units == "subwords":
        return [side.sizes - 1 for side in sides]
    finder = link_word_finder(dictionary.symbols, Specials.of(dictionary), "links")
    return [finder.words(side).counts() for side in sides]


@pytest.mark.parametrize("units", ["words", "subwords"])
@pytest.mark.parametrize("method", ["similarity", "attention"])
def test_training_reads_the_links_of_a_corpus_that_lost_lines(
    fairseq_amber_command, checkpoint, prepared, tmp_path, units, method
):
    flags = ["--split", "train", "--units", units, "--method", method, "--output", tmp_path]
    status, out, err = fairseq_amber_command("align", checkpoint, "--corpus", prepared, *flags)
    assert (status, out, err) == (0, "", "")
    corpora = load_corpora(prepared, "train", [], ["de-en", "en-de"], load_dictionary(prepared))
    assert [len(corpus) for corpus in corpora] == [len(KEPT), len(PAIRS)]
    for corpus in corpora:
        links = LinkFile(tmp_path / f"train.{corpus.name}.align", len(corpus))
        links.check(*lengths(prepared, corpus, units))
        assert links.counts.any()


@pytest.mark.parametrize("units", ["words", "subwords"])
def test_links_are_those_of_the_text_that_is_left(
    fairseq_amber_command, checkpoint, encoder, prepared, tmp_path, units, monkeypatch
):
    monkeypatch.setattr(binarised_pairs, "_CHUNK", 3)
    flags = ["--split", "train", "--pairs", "de-en", "--units", units, "--output", tmp_path]
    flags += ["--layer", "-1"]
    assert fairseq_amber_command("align", checkpoint, "--corpus", prepared, *flags)[0] == 0
    names = ["train.de-en.align", "train.de-en.align.settings"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    sides = [encode_units(encoder.tokenizer, side, units) for side in zip(*KEPT)]
    found = dict(Aligner(encoder, method="similarity", layer=-1).align(*sides))
    expected = [format_pharaoh(found[i]) for i in range(len(KEPT))]
    assert (tmp_path / "train.de-en.align").read_text().splitlines() == expected


@pytest.mark.parametrize("units", ["words", "subwords"])
def test_words_are_numbered_as_training_counts_them(encoder, prepared, units):
    [corpus] = load_corpora(prepared, "train", [], ["de-en"], load_dictionary(prepared))
    words = binarised_pairs.words_of(corpus, binarised_pairs.finder_of(units, encoder))
    [(sources, targets)] = binarised_pairs.read_pairs(corpus, words)
    counts = lengths(prepared, corpus, units)
    for pieces, stored, own in zip((sources, targets), (corpus.sources, corpus.targets), counts):
        assert [p.words[-1] + 1 for p in pieces] == own.tolist()
        assert [p.ids.tolist() for p in pieces] == [s[:-1].tolist() for s in stored]


def test_a_hand_made_folder_with_empty_and_overlong_sentences(
    fairseq_amber_command, checkpoint, own, tmp_path
):
    (own / "sentencepiece.bpe.model").unlink()
    eos = Dictionary.load(str(own / "dict.txt")).eos()
    sentences = {"de": [[], [7], [8] * 100, []], "en": [[6], [7], [8] * 100, []]}
    for language, rows in sentences.items():
        prefix = str(own / "parallel" / "de-en" / f"test.de-en.{language}")
        builder = MMapIndexedDatasetBuilder(prefix + ".bin", dtype=np.int32)
        for row in rows:
            builder.add_item(torch.tensor([*row, eos]))
        builder.finalize(prefix + ".idx")
    flags = ["--units", "subwords", "--data", own, "--output", tmp_path / "out"]
    status, _, err = fairseq_amber_command("align", checkpoint, "--corpus", own, *flags)
    assert status == 0
    assert "44 subwords of de-en lie beyond the model's 80 subwords" in err
    lines = (tmp_path / "out" / "test.de-en.align").read_text().split("\n")
    assert lines[:2] == ["", "0-0"] and lines[3:] == ["", ""]
    assert "77-77" in lines[2]


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--folder", "x", "--output", "out"], "--corpus is in place of --folder and of --source"),
        (["--source", "x", "--target", "x", "--output", "out"], "--corpus is in place of"),
        (["--split", "train"], "--corpus needs --output FOLDER"),
        (["--output", "out", "--plot", "1", "a.png"], "--plot draws the words of a text"),
        (["--output", "out"], "has no test text of de-en, en-de; --split may be train, valid"),
        (
            ["--output", "out", "--split", "valid", "--pairs", "de-en,en-de"],
            "has no valid text of en-de; --split may be train\n",
        ),
        (["--output", "out", "--pairs", "de-fr"], "--pairs: unknown pair 'de-fr'"),
        (["--output", "out", "--corpus", "none"], "the data folder none does not exist"),
        (["--output", "out", "--split", "train", "--method", "attention", "--layer", "1"], "last"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    flags, message, fairseq_amber_command, checkpoint, prepared, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    status, _, err = fairseq_amber_command("align", checkpoint, "--corpus", prepared, *flags)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_of_another_dictionary_is_refused(
    fairseq_amber_command, checkpoint, own, tmp_path
):
    path = own / "dict.txt"
    first, second, *others = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([second, first, *others]) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    flags = ["--split", "train", "--output", out]
    status, _, err = fairseq_amber_command("align", checkpoint, "--corpus", own, *flags)
    assert status == 2
    assert f"{path} is not the dictionary that {checkpoint} was trained with" in err
    assert not out.exists()


def test_words_need_a_vocabulary_that_marks_them(encoder, monkeypatch):
    bare = Dictionary()
    for symbol in ("a", "b", "<mask>"):
        bare.add_symbol(symbol)
    monkeypatch.setattr(encoder, "dictionary", bare)
    assert binarised_pairs.finder_of("subwords", encoder) is None
    with pytest.raises(UserError, match="--units words: dict.txt has neither"):
        binarised_pairs.finder_of("words", encoder)
