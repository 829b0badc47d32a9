"""Micro-batches of many blocks, and criterions that compare points, on toy data."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data import words
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.tokenizers.word_boundaries import WordBoundaries
from toy_corpora import make_blocks_cheap, write_binarised
from transport_twins import ALONE, BEGINS, ENDS


@pytest.fixture
def many_blocks(monkeypatch):
    """Micro-batches of several blocks of each kind."""
    make_blocks_cheap(monkeypatch, 4)


@pytest.fixture
def overlapping(folder):
    """The toy data folder, whose English sentences are among those of its pairs."""
    data = folder / "parallel" / "de-en" / "train.de-en."
    sources, targets = (TokenFile(Path(f"{data}{language}")) for language in ("de", "en"))
    sentences = [side[i][:-1].tolist() for i in range(30) for side in (sources, targets)]
    write_binarised(folder / "mono" / "en" / "train", sentences)
    return folder


@pytest.fixture
def build_transport(make_task, make_model, monkeypatch):
    """A task with words, its model, a criterion whose frozen encoder is another model, and that
    model. The toy dictionary marks no words, so that they are made up."""
    toy = WordBoundaries(BEGINS, ENDS)
    monkeypatch.setattr(words, "word_boundaries", lambda *args, **settings: toy)

    def make(config=TransportConfig, name="ot_alignment", update_freq=(1,), **settings):
        task = make_task(update_freq=list(update_freq))
        initial = make_model(seed=1)
        task.model = initial
        cfg = OmegaConf.structured(config(_name=name, **{**ALONE, **settings}))
        criterion = task.build_criterion(cfg).train()
        task.model = make_model(seed=2)
        return task, task.model, criterion, initial

    return make
