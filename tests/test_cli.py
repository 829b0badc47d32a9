import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import fairseq_amber
from fairseq_amber import cli
from fairseq_amber.errors import UserError


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_has_an_example_and_no_empty_default(command, capsys):
    with pytest.raises(SystemExit) as ending:
        cli.main([command, "--help"])
    out = capsys.readouterr().out
    assert ending.value.code == 0
    assert "example:\n  fairseq-" in out
    assert "default: None" not in out and "default: False" not in out


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = capsys.readouterr().out
    listed = {line.split()[0] for line in out.splitlines() if line.startswith("    ")}
    assert set(cli.COMMANDS) <= listed


def test_without_a_command_they_are_shown(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    listed = {line.split()[0] for line in err.splitlines() if line.startswith("    ")}
    assert set(cli.COMMANDS) <= listed
    assert out == ""


def test_version_names_what_a_number_depends_on(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"fairseq_amber {fairseq_amber.__version__}",
        f"fairseq {importlib.metadata.version('fairseq')}",
        f"torch {importlib.metadata.version('torch')}",
        f"Python {platform.python_version()}",
    ]


def test_version_imports_and_needs_nothing():
    code = (
        "import sys; from fairseq_amber import cli\n"
        "cli.main(['--version'])\n"
        "print({'torch', 'fairseq', 'numpy', 'tqdm'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    texts = [
        subprocess.run(
            [sys.executable, *flags, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout.splitlines()
        for flags in ([], ["-S"])  # with what is installed, and without
    ]
    assert texts[0][-1] == texts[1][-1] == "set()"
    assert texts[1][:3] == [texts[0][0], "fairseq not installed", "torch not installed"]


def test_a_missing_package_is_one_line(monkeypatch, capsys):
    def import_module(name):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(cli.importlib, "import_module", import_module)
    assert cli.main(["aer", "a", "b"]) == 2
    assert capsys.readouterr().err == (
        "fairseq-amber: error: the package numpy is missing, which fairseq-amber aer needs; "
        "fairseq-amber doctor lists all that is missing\n"
    )


@pytest.mark.parametrize("result, status", [(None, 0), (0, 0), (1, 1)])
def test_a_command_may_have_a_status_of_its_own(result, status, monkeypatch):
    monkeypatch.setattr("fairseq_amber.user_dir.run", lambda args: result)
    assert cli.main(["user-dir"]) == status


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from fairseq_amber import cli\n"
        "cli.build_parser(None)\n"
        "print({'torch', 'fairseq', 'matplotlib', 'sentencepiece'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "error, status, line",
    [
        (UserError("x.de:3: bad"), 2, "fairseq-amber: error: x.de:3: bad\n"),
        (KeyboardInterrupt(), 130, "fairseq-amber: interrupted; the same command starts anew\n"),
    ],
)
def test_what_ends_a_command_is_one_line(error, status, line, monkeypatch, capsys):
    def run(args):
        raise error

    monkeypatch.setattr("fairseq_amber.user_dir.run", run)
    assert cli.main(["user-dir"]) == status
    assert capsys.readouterr().err == line


def test_a_command_that_resumes_says_so_when_interrupted(monkeypatch, capsys):
    def run(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("fairseq_amber.preparation.corpus.command.run", run)
    assert cli.main(["prepare", "raw", "data-bin"]) == 130
    assert capsys.readouterr().err.endswith("interrupted; the same command continues\n")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_command_says_what_it_writes(command):
    outputs = {"output", "json", "predictions", "directory", "data_bin", "out"}
    parser = cli.build_parser(command)
    (commands,) = (x for x in parser._actions if isinstance(x, argparse._SubParsersAction))
    arguments = {action.dest for action in commands.choices[command]._actions}
    assert set(commands.choices[command].get_default("writes")) == arguments & outputs


def test_objectives_import_without_fairseq():
    code = (
        "import sys\n"
        "import importlib.abc\n"
        "class Absent(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] == 'fairseq': raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import fairseq_amber.objectives.masked_lm\n"
        "from fairseq_amber.objectives.word_alignment import attention_symmetry_loss\n"
        "from fairseq_amber.objectives.sentence_alignment import contrastive_loss\n"
        "import fairseq_amber.models.encoder\n"
        "print('fairseq' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
