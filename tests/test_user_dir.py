"""The folder that fairseq's --user-dir takes."""

from pathlib import Path

import fairseq_amber
from fairseq_amber import cli


def test_user_dir_prints_the_package(capsys):
    assert cli.main(["user-dir"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder == Path(fairseq_amber.__file__).parent and folder.name == "fairseq_amber"
