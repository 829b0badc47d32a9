import json

import pytest
import torch

from fairseq_amber.cli import main
from fairseq_amber.doctor.paths import inspect
from fairseq_amber.errors import UserError


def test_each_kind_is_recognised(data_bin, toy_tasks, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    torch.save({"cfg": {"model": None}, "model": {}}, runs / "checkpoint_last.pt")
    kinds = [inspect(path).kind for path in (data_bin, toy_tasks["qa"], runs)]
    assert kinds == [
        "a folder of binarised text",
        "the prepared task squad",
        "a folder of checkpoints",
    ]
    assert inspect(runs / "checkpoint_last.pt").kind == "a checkpoint"


def test_what_is_none_of_them_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot read .*absent: No such file"):
        inspect(tmp_path / "absent")
    with pytest.raises(UserError, match="is neither a folder of fairseq-amber prepare"):
        inspect(tmp_path)


def test_the_command_tells_what_was_checked_and_what_is_damaged(data_bin, flip, tmp_path, capsys):
    assert main(["doctor", str(data_bin)]) == 0
    text, errors = capsys.readouterr()
    assert text.endswith("\n  no damage found\n") and errors == ""
    flip(data_bin / "mono/en/valid.idx", 26)
    out = tmp_path / "found.json"
    assert main(["doctor", str(data_bin), str(data_bin), "--json", str(out)]) == 2
    text, errors = capsys.readouterr()
    assert text.count("mono/en/valid.idx is damaged: the sizes") == 2 and errors == ""
    first, second = json.loads(out.read_text(encoding="utf-8"))["inspected"]
    assert first == second and first["checked"]["manifests"] == 1
    assert f"  {first['damages'][0]}\n" in text
