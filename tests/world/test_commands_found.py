"""Arguments that destroyed an input, or that were left out in silence, are named in one line."""

import os
import shutil

import pytest
import torch

from checkpoint_fixtures import PAIRS
from fairseq_amber import cli
from fairseq_amber.inference.word_alignment.link_extraction import iterated_argmax
from fairseq_amber.tasks import checkpoint_start

RESULT = """{"task": "word_alignment", "metric": "AER", "system": "A", "score": 1.0, "n": 1,
 "per_language": {"de-en": {"score": 1.0, "n": 1}}, "config": {}}"""


@pytest.fixture
def folder(tmp_path, monkeypatch, checkpoint, data_folder):
    monkeypatch.chdir(tmp_path)
    for side, language in enumerate(("de", "en")):
        text = "".join(pair[side] + "\n" for pair in PAIRS)
        (tmp_path / language).write_text(text, encoding="utf-8")
    (tmp_path / "gold").write_text("0-0\n" * len(PAIRS))
    (tmp_path / "bin").mkdir()
    for name in ("dict.txt", "sentencepiece.bpe.model"):
        shutil.copy(data_folder / name, tmp_path / "bin" / name)
    shutil.copy(checkpoint, tmp_path / "c.pt")
    (tmp_path / "a.json").write_text(RESULT)
    os.link("de", "hard")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


PAIR = "--data bin --source de --target en"


@pytest.mark.parametrize(
    "command",
    [
        f"align c.pt {PAIR} --output de",
        f"align c.pt {PAIR} --output hard",
        f"align c.pt {PAIR} --output c.pt",
        f"retrieve c.pt {PAIR} --json en",
        f"retrieve c.pt {PAIR} --json gold",
        "aer gold gold --json gold",
        "doctor c.pt --json c.pt",
        "doctor bin --json bin/dict.txt",
        "doctor --json de",
        f"mine c.pt {PAIR} --output en",
    ],
)
def test_an_output_does_not_replace_an_input(command, folder, capsys):
    """The text, the gold or the checkpoint itself was overwritten by what was made of it."""
    before = contents(folder)
    assert cli.main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "name another" in error
    assert contents(folder) == before


@pytest.mark.parametrize(
    "command, fault",
    [
        ("aer gold gold --json EMPTY", "the argument after --json is empty"),
        ("report a.json --output EMPTY", "the argument after --output is empty"),
        ("aer EMPTY gold", "the argument after aer is empty"),
        ("report a.json ./a.json --output r", "a.json is given twice"),
        ("report a.json --output r --curves A=x --curves A=y", "the name A is given twice"),
        ("report a.json --output r --space-sentences 5", "--space-sentences has no effect"),
        (f"retrieve c.pt {PAIR} --split valid", "--split is for --folder"),
        (f"align c.pt {PAIR} --pairs de-en", "--pairs is for --folder"),
        (f"align c.pt {PAIR} --method transport --epsilon 1e-30", "--epsilon 1e-30 is too low"),
        ("embed c.pt de o.npy --data bin --device meta", "--device meta cannot be used"),
    ],
)
def test_what_has_no_sense_is_one_line_before_anything_is_written(command, fault, folder, capsys):
    """An empty path was the current folder, a result counted as two seeds, and flags that have no
    effect were left out; others ended in a traceback."""
    before = contents(folder)
    argv = ["" if part == "EMPTY" else part for part in command.split()]
    assert cli.main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and fault in error
    assert contents(folder) == before


@pytest.mark.parametrize(
    "command",
    [
        "prepare raw out --vocab-size 99999999999999",
        "prepare raw out --vocab-sentences 99999999999999",
        "prepare raw out --workers 100000",
        "prepare-task pos out --tokenizer bin --workers 100000",
        "embed c.pt de o.npy --reinitialize 99999999999999999999999",
    ],
)
def test_a_number_that_the_machine_cannot_take_is_refused(command, capsys):
    """They ended in tracebacks, and 100,000 workers in a machine that did not answer."""
    with pytest.raises(SystemExit) as ending:
        cli.main(command.split())
    assert ending.value.code == 2
    assert "expected a whole number" in capsys.readouterr().err.splitlines()[-1]


def test_rounds_of_itermax_that_change_nothing_end():
    """A large --iterations went on for ever, although a few rounds find every link."""
    similarity = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(1))
    masks = torch.ones(3, 5, dtype=torch.bool), torch.ones(3, 6, dtype=torch.bool)
    few, many = (iterated_argmax(similarity, *masks, alpha=0.9, iterations=n) for n in (50, 10**18))
    assert torch.equal(few, many)


@pytest.mark.parametrize("name", ["", "file", "dangling"])
def test_a_folder_for_checkpoints_that_cannot_be_one_is_one_line(name, tmp_path, monkeypatch):
    """fairseq-train ended in a traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    os.symlink("nowhere", "dangling")
    verify = checkpoint_start.checkpoint_utils.verify_checkpoint_directory
    with pytest.raises(SystemExit, match="error: cannot write to --save-dir .*; name a folder"):
        verify(name)
    assert (tmp_path / "file").read_text() == "x"
