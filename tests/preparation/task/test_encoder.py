"""Encoding in worker processes: what is shared, and what must not matter."""

from __future__ import annotations

import shutil
from pathlib import Path

from fairseq_amber.preparation.task import encoder as encoder_module
from fairseq_amber.tokenizers.subwords import TokenizerFiles
from raw_task_files import snapshot


def test_the_tokenizer_is_loaded_once_for_all_files(prepare, monkeypatch):
    loads = []
    load = TokenizerFiles.load
    monkeypatch.setattr(TokenizerFiles, "load", lambda self: loads.append(1) or load(self))
    flags = "--train en=train.tsv --valid de=train.tsv --valid en=train.tsv".split()
    assert prepare("pos", *flags[:2])[0] == 0
    once = len(loads)
    assert prepare("pos", *flags)[0] == 0
    assert len(loads) == 2 * once


def test_the_result_does_not_depend_on_the_workers(prepare, monkeypatch):
    flags = "--train en=train.tsv --test zh=test.tsv".split()
    assert prepare("pos", *flags)[0] == 0
    whole = snapshot(Path("out"))
    shutil.rmtree("out")
    monkeypatch.setattr(encoder_module, "_TEXTS", 1)
    assert prepare("pos", *flags)[0] == 0
    assert snapshot(Path("out")) == whole
