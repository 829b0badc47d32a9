"""Files of sentence pairs as public datasets have them."""

from __future__ import annotations

import pytest

from fairseq_amber import cli
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.classification import read_pairs
from raw_task_files import write


def test_the_columns_of_paws_x(tmp_path, caplog):
    """PAWS-X's own files begin with a line of headings and have an id before the sentences."""
    path = write(tmp_path, "id\tsentence1\tsentence2\tlabel\r\n1\tA b\tb A\t0\r\n2\tC\tc\t1\r\n")
    with pytest.raises(UserError, match="x.tsv:1: 4 columns instead of 3; .* --columns 2,3,4"):
        read_pairs(path, labelled=True)
    file = read_pairs(path, labelled=True, columns=(2, 3, 4))
    assert (file.first, file.second, file.labels) == (["A b", "C"], ["b A", "c"], ["0", "1"])
    assert file.line(0) == 2
    assert "x.tsv: line 1 names the columns (id sentence1 sentence2 label): it is" in caplog.text


def test_the_columns_of_xnli(tmp_path):
    """XNLI's own files have all languages in one, its translations of MultiNLI a label that is
    spelt in another way."""
    path = write(tmp_path, "premise\thypo\tlabel\nA\tb\tcontradictory\nC\td\tneutral\n")
    file = read_pairs(path, labelled=True)
    assert (file.first, file.labels) == (["A", "C"], ["contradiction", "neutral"])
    text = "language\tgold_label\tsentence1\tsentence2\nde\tneutral\ta\tb\nen\tneutral\tc\td\n"
    with pytest.raises(UserError, match="x.tsv holds pairs in de, en; give a file for each"):
        read_pairs(write(tmp_path, text), labelled=True, columns=(3, 4, 2))
    file = read_pairs(write(tmp_path, text.rpartition("en")[0]), labelled=True, columns=(3, 4, 2))
    assert (file.first, file.second, file.labels) == (["a"], ["b"], ["neutral"])


def test_headings_of_a_test_file(tmp_path):
    """Without labels they were a pair like the others."""
    file = read_pairs(write(tmp_path, "sentence1\tsentence2\na\tb\n"), labelled=False)
    assert (file.first, file.second) == (["a"], ["b"])
    file = read_pairs(write(tmp_path, "The label\tA text\na\tb\n"), labelled=False)
    assert len(file.first) == 2
    with pytest.raises(UserError, match="x.tsv has no pairs"):
        read_pairs(write(tmp_path, "sentence1\tsentence2\n"), labelled=False)


@pytest.mark.parametrize(
    "task, flags, message",
    [
        ("squad", ["--columns", "1,2"], "--columns means nothing to squad; leave it out"),
        ("pos", ["--skip-misfits"], "--skip-misfits means nothing to pos; leave it out"),
        ("pos", ["--columns", "1,2,3"], "--columns of pos names two columns"),
        ("xnli", ["--columns", "2,9"], "x.tsv:1: 2 columns, but --columns 2,9"),
    ],
)
def test_flags_of_another_task(task, flags, message, tmp_path, monkeypatch, capsys):
    """A flag that a task does not use is named."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a\tb\n")
    (tmp_path / "dict.txt").write_text("a 1\n")
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    arguments = ["prepare-task", task, "out", "--tokenizer", ".", "--test", "en=x.tsv", *flags]
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
