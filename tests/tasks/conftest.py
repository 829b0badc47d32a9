"""A data folder of a test's own, and a way to write corpora into it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder


@pytest.fixture
def folder(data_folder, tmp_path) -> Path:
    """A copy of the toy data folder, to be changed at will."""
    return Path(shutil.copytree(data_folder, tmp_path / "data-bin"))


@pytest.fixture
def write():
    """``(prefix, sentences)``: writes a corpus as fairseq-preprocess does."""

    def write_corpus(prefix: Path, sentences) -> None:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=np.uint16)
        for sentence in sentences:
            builder.add_item(torch.tensor([*sentence, 2]))
        builder.finalize(f"{prefix}.idx")

    return write_corpus
