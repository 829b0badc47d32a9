"""Files of tagged words as public datasets have them, and the lines of a submission."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.finetuning.tagging import TaggingGold
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.inference.prediction.submission import write_predictions
from fairseq_amber.preparation.task.tagged_file import read_tagged
from fairseq_amber.preparation.task.tagging import TaggedSentences
from raw_task_files import write


def read(tmp_path, caplog, text, *, task="ner", labelled=True, **options):
    """What is read of a file, and the warnings."""
    caplog.clear()
    file = read_tagged(write(tmp_path, text), labelled=labelled, task=task, **options)
    return file, caplog.text


def xtreme_sentences(path: Path) -> list[list[str]]:
    """The tags as XTREME's evaluate.py reads them: every empty line ends a sentence."""
    sentences: list[list[str]] = [[]]
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        if line.strip():
            sentences[-1].append(line.strip())
        else:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def test_two_empty_lines_in_a_row(tmp_path, caplog, write_task):
    """XTREME's panx test files have two empty lines in a row, which its own reader stumbles over
    (google-research/xtreme#16): they are no sentence, and the predictions have them, too, since
    evaluate.py counts them."""
    labels = ["O", "B-PER"]
    text = "\nPeter\tB-PER\nschläft\tO\n\n\nOk\tO\n\n"
    file, log = read(tmp_path, caplog, text)
    assert (file.words, file.sentence_lengths) == (["Peter", "schläft", "Ok"], [2, 1])
    assert file.lines == [2, 3, 6]
    assert "x.tsv: empty lines that end no sentence: 2 (the first in line 1)" in log

    examples = [[([5], 1, 0), ([6], 0, 0)], [([7], 0, 0)]]
    folder = write_task(tmp_path / "ner", "ner", {("test", "de"): examples}, labels)
    with np.load(folder / "test.de.npz") as arrays:
        gaps = TaggedSentences([file.path], "test")._gaps
        np.savez(folder / "test.de.npz", **arrays, gaps=gaps)
    gold = TaggingGold(TaskFolder.open(folder), "test", "de")
    path = tmp_path / "predictions" / "test-de.tsv"
    path.parent.mkdir()
    write_predictions(path, gold.for_submission(gold.answers))
    expected = [line.rpartition("\t")[2] for line in text.split("\n")]
    assert path.read_text(encoding="utf-8").split("\n") == expected
    answers = write(tmp_path, "\n".join(expected), "labels.tsv")
    assert xtreme_sentences(path) == xtreme_sentences(answers)


def test_a_folder_of_an_older_version(tmp_path, write_task):
    """It does not say where the empty lines were: one is between two sentences."""
    examples = [[([5], 1, 0), ([6], 0, 0)], [([7], 0, 0)]]
    folder = write_task(tmp_path, "ner", {("test", "de"): examples}, ["O", "B-PER"])
    gold = TaggingGold(TaskFolder.open(folder), "test", "de")
    assert gold.for_submission(gold.answers) == ["B-PER", "O", "", "O"]


def test_words_without_a_character(tmp_path, caplog):
    """PAN-X has tokens of nothing, such as "vi:<TAB>O" (google-research/xtreme#34): they stay words
    with a label, and their lines are counted."""
    file, log = read(tmp_path, caplog, "Peter\tB-PER\n\tO\n \tO\nlebt\tO\n")
    assert (file.words, file.labels) == (["Peter", "", "", "lebt"], ["B-PER", "O", "O", "O"])
    assert "empty words, read as <unk>: 2 (the first in line 2)" in log
    assert file.sentence_lengths == [4]


def test_panx_as_it_is_distributed(tmp_path, caplog):
    """The archives of PAN-X have "vi:" before every word; XTREME's script takes it off up to the
    first colon."""
    file, log = read(tmp_path, caplog, "vi:Huế\tB-LOC\nvi::\tO\nvi:\tO\n")
    assert file.words == ["Huế", ":", ""]
    assert "vi: is taken off every word" in log


@pytest.mark.parametrize("separator", [" ", "\t", "  "])
def test_columns_of_conll_2003(separator, tmp_path, caplog):
    """CoNLL-2003 has four columns, of which the first and the last count for NER, and -DOCSTART-
    lines between its documents, which are no sentence."""
    rows = [["-DOCSTART-", "-X-", "-X-", "O"], [], ["EU", "NNP", "B-NP", "B-ORG"]]
    rows += [["rejects", "VBZ", "B-VP", "O"], [], ["Peter", "NNP", "B-NP", "B-PER"]]
    text = "".join(separator.join(row) + "\n" for row in rows)
    file, log = read(tmp_path, caplog, text)
    assert (file.words, file.labels) == (["EU", "rejects", "Peter"], ["B-ORG", "O", "B-PER"])
    assert (file.sentence_lengths, file.gaps) == ([2, 1], [2, 1, 0])
    assert "of its 4 columns, 1 is the word and 4 the label (choose others by --columns)" in log
    assert "lines -DOCSTART-: 1 (the first in line 1)" in log
    assert "empty lines" not in log
    file, _ = read(tmp_path, caplog, text, task="pos", columns=(1, 2))
    assert file.labels == ["NNP", "VBZ", "NNP"]


def test_columns_of_conll_u(tmp_path, caplog):
    """A treebank's own file has comments, ids that are missing or of divided words, and ten
    columns; the words that its annotation counts are read, with their UPOS."""
    rows = [
        "1-2\tdu\t_\t_",
        "1\tde\tde\tADP",
        "2\tle\tle\tDET",
        "4\tlac\tlac\tNOUN",
        "4.1\tx\tx\tX",
    ]
    text = "# sent_id = 1\n# text = du lac\n" + "".join(f"{row}{6 * chr(9)}\n" for row in rows)
    file, log = read(
        tmp_path, caplog, text + "\n# a = b\n1\tOui\t_\tINTJ\t\t\t\t\t\t\n", task="pos"
    )
    assert (file.words, file.labels) == (["de", "le", "lac", "Oui"], ["ADP", "DET", "NOUN", "INTJ"])
    assert (file.lines, file.sentence_lengths, file.gaps) == ([4, 5, 6, 10], [3, 1], [2, 2, 0])
    assert "comments: 3 (the first in line 1)" in log
    assert "CoNLL-U's lines such as 1-2 and 1.1, which are left out: 2" in log


def test_columns_that_spaces_separate(tmp_path, caplog):
    """Most files of tagged words on the web have a space, not a tab, before the label."""
    file, log = read(tmp_path, caplog, "Peter B-PER\nschläft O\n\nOk O\n")
    assert (file.words, file.labels) == (["Peter", "schläft", "Ok"], ["B-PER", "O", "O"])
    assert not log
    file, _ = read(tmp_path, caplog, "1 000\nkm\nweit\n", labelled=False)
    assert file.words == ["1 000", "km", "weit"]


def test_labels_in_the_column_of_the_words(tmp_path, caplog):
    """A file whose columns are swapped trained a tagger of thousands of words."""
    rows = [f"{label}\tword{number}" for number, label in enumerate("XYZ" * 10)]
    path = write(tmp_path, "\n".join(rows) + "\n")
    read_tagged(path, labelled=True)
    assert "it has 30 different labels, more than words" in caplog.text
    assert "give --columns 2,1" in caplog.text
    caplog.clear()
    read_tagged(path, labelled=True, columns=(2, 1))
    assert not caplog.records
