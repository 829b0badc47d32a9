"""The corpora of a split in one of several data folders."""

import os

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tasks.read_corpora import names_in, read_corpora


def test_names_keep_the_order_of_the_flag_and_those_of_the_folder(make_task, folder, tmp_path):
    (tmp_path / "b/mono/fr").mkdir(parents=True)
    (tmp_path / "b/dict.txt").write_text((folder / "dict.txt").read_text())
    both = os.pathsep.join(map(str, (folder, tmp_path / "b")))
    cfg = make_task(data=both, languages="fr,en,de").cfg
    assert names_in(cfg, folder, "mono") == ["en", "de"]
    assert names_in(cfg, tmp_path / "b", "mono") == ["fr"]


def test_text_that_lies_beside_the_corpora_is_named(make_task, folder, caplog):
    (folder / "train.idx").touch()
    task = make_task(data=str(folder))
    read_corpora(task.cfg, folder, "train", task.needs, task.dictionary, 64)
    assert "left out: " in caplog.text and "mono/<language>/" in caplog.text
    (folder / "test.idx").touch()
    with pytest.raises(UserError, match="no test text .*; .*test.idx is binarised text outside"):
        read_corpora(task.cfg, folder, "test", task.needs, task.dictionary, 64)
