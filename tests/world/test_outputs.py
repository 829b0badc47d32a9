"""What is written has the permissions of the umask; what cannot be written is one line."""

import os
import stat
import subprocess
import sys

import pytest

from checkpoint_fixtures import PAIRS
from fairseq_amber import cli
from writing_commands import WRITERS


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    for split in ("train", "valid"):
        for side, language in enumerate(("de", "en")):
            text = "".join(pair[side] + "\n" for pair in PAIRS)
            (folder / f"{split}.de-en.{language}").write_text(text, encoding="utf-8")
    (folder / "gold").write_text("0-0\n" * len(PAIRS))
    (folder / "pos.tsv").write_text("ja\tX\n\nnein\tY\n")
    return folder


@pytest.mark.parametrize("mask", [0o027, 0o002])
def test_every_file_has_the_permissions_of_the_umask(
    mask, raw, checkpoint, data_folder, tmp_path, monkeypatch
):
    """Some files had mode 600 whatever the umask, so that a group could not read them."""
    monkeypatch.chdir(tmp_path)
    text = f"--source {raw}/valid.de-en.de --target {raw}/valid.de-en.en"
    commands = [
        f"prepare {raw} bin --vocab-size 60 --word-boundaries spaces --workers 1",
        f"prepare-task pos task --tokenizer {data_folder} --train en={raw}/pos.tsv",
        f"prepare-task pos task --tokenizer {data_folder} --test en={raw}/pos.tsv",
        f"embed {checkpoint} {raw}/valid.de-en.de new/de.npy",
        f"retrieve {checkpoint} {text} --json new/retrieve.json",
        f"align {checkpoint} {text} --output new/de-en.align --plot 1 new/plot.png",
        f"mine {checkpoint} {text} --output mined",
        f"aer new/de-en.align {raw}/gold --json aer.json",
        "report new/retrieve.json aer.json --output report",
        f"convert {checkpoint} hub --to hugging-face --data {data_folder}",
        f"average {checkpoint} {checkpoint} --output mean.pt",
        "doctor --json doctor.json",
        "demo-corpus corpus --pairs de-en --train-sentences 400 --valid-sentences 5 "
        "--test-sentences 5 --mono-sentences 5",
    ]
    before = os.umask(mask)
    try:
        statuses = {command: cli.main(command.split()) for command in commands}
    finally:
        os.umask(before)
    assert statuses == dict.fromkeys(commands, 0)
    written = list(tmp_path.rglob("*"))
    assert {path.parts[len(tmp_path.parts)] for path in written} >= {
        *("bin", "task", "new", "mined", "aer.json", "report", "hub", "mean.pt", "corpus"),
    }
    assert not [path for path in written if path.name.startswith(".")]
    for path in written:
        allowed = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == allowed & ~mask, path


@pytest.mark.parametrize("writer", WRITERS)
def test_an_output_that_cannot_be_written_is_one_line_before_the_work(writer, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    output = tmp_path / "file" / "out.npy"
    assert cli.main(WRITERS[writer].format(output).split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{tmp_path}/file is a file" in error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["--json", "stdout"])
def test_a_full_disk_is_one_line(where, tmp_path):
    """The standard output on a full disk ended in a traceback, or in status 120."""
    (tmp_path / "gold").write_text("0-0\n")
    command = ["aer", "gold", "gold"] + (["--json", "/dev/full"] if where == "--json" else [])
    with open("/dev/full" if where == "stdout" else os.devnull, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "fairseq_amber.cli", *command],
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
    name = "/dev/full" if where == "--json" else "the standard output"
    line = f"fairseq-amber: error: cannot write {name}: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, line)
    assert os.path.exists("/dev/full")
