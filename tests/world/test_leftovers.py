"""What a killed program left beside its output, the next run of the same command removes."""

import os
import signal
import subprocess
import sys

import pytest

from fairseq_amber import cli

# Ends itself by SIGKILL in the middle of writing the output.
KILLED = """
import os, signal, sys
from pathlib import Path
from fairseq_amber import cli
from fairseq_amber.files import writing
def kill(path, permissions):
    os.kill(os.getpid(), signal.SIGKILL)
writing._complete_file = kill
cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "command",
    [
        ["demo-corpus", "out", "--train-sentences", "400", "--mono-sentences", "5"]
        + ["--valid-sentences", "5", "--test-sentences", "5", "--pairs", "de-en"],
        ["aer", "gold", "gold", "--json", "out"],
    ],
    ids=["a folder", "a file"],
)
def test_the_next_run_removes_it(command, tmp_path, monkeypatch):
    """SIGKILL or SIGTERM left a hidden folder or file beside the output for ever."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gold").write_text("0-0 1-1\n")
    before = set(os.listdir())
    killed = subprocess.run([sys.executable, "-c", KILLED, *command])
    assert killed.returncode == -signal.SIGKILL
    left = set(os.listdir()) - before
    assert left and "out" not in left
    assert cli.main(command) == 0
    assert set(os.listdir()) - before <= {"out", "out.items.npz"}
