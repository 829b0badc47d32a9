"""``fairseq-amber demo-corpus`` from its flags to its messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.cli import main
from fairseq_amber.demo_corpus.languages import LANGUAGES


def command(directory: Path, *flags: str) -> list[str]:
    return [
        *("demo-corpus", str(directory), "--train-sentences", "400", "--valid-sentences", "3"),
        *("--test-sentences", "2", "--mono-sentences", "0", *flags),
    ]


def test_command(tmp_path, capsys, lines):
    target = tmp_path / "deep" / "raw"
    assert main(command(target, "--train-gold")) == 0
    assert "400 train, 3 valid, 2 test pairs" in capsys.readouterr().out
    assert len(lines(target / "train.tr-en.gold")) == 400
    assert main(command(target, "--train-gold")) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert [path.name for path in target.parent.iterdir()] == ["raw"]


def test_it_says_how_far_it_is(tmp_path, capsys, progress_of):
    assert main(command(tmp_path / "raw", "--mono-sentences", "2")) == 0
    expected = {"train": 400, "valid": 3, "test": 2}
    expected.update({f"train.{language}": 2 for language in LANGUAGES})
    expected.update({f"valid.{language}": 3 for language in LANGUAGES})
    assert progress_of(capsys.readouterr().err) == {
        f"drawing {name}": f"{count} of {count} sentences" for name, count in expected.items()
    }


@pytest.mark.parametrize(
    "flags, complaint",
    [
        (["--seed", "9"], "other settings (seed 1, not 9)"),
        (["--pairs", "de-fr"], "de-fr is not a pair"),
        (["--pairs", "de-de"], "de-de is not a pair"),
        (["--pairs", "de-en", "de-en"], "names a pair twice"),
        (["--test-sentences", "0"], "--test-sentences must be at least 1, not 0"),
    ],
)
def test_mistakes(tmp_path, capsys, flags, complaint):
    target = tmp_path / "raw"
    main(command(target))
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    capsys.readouterr()
    assert main(command(target, *flags)) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == before
