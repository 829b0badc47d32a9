"""The edits for newer torch and numpy, seen at work; each test is named after its edit."""

from __future__ import annotations

import argparse
import io

import numpy as np
import pytest
import torch

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

from fairseq import checkpoint_utils  # noqa: E402
from fairseq.data import (  # noqa: E402
    Dictionary,
    LanguagePairDataset,
    ListDataset,
    TokenBlockDataset,
    data_utils,
)
from fairseq.modules.dynamic_crf_layer import DynamicCRF  # noqa: E402


def loads_a_namespace():
    assert checkpoint_utils.__name__ == "fairseq.checkpoint_utils"
    buffer = io.BytesIO()
    torch.save({"args": argparse.Namespace(arch="roberta_base")}, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True)["args"].arch == "roberta_base"


test_safe_namespace = loads_a_namespace
test_safe_namespace_import = loads_a_namespace


def test_numpy_float():
    crf = DynamicCRF(num_embedding=6, low_rank=2, beam_size=3)
    targets = torch.tensor([[1, 2, 3]])
    loss = crf(torch.zeros(1, 3, 6), targets, torch.ones(1, 3, dtype=torch.bool))
    assert torch.isfinite(loss).all()


def test_numpy_int():
    np.random.seed(0)
    mask = data_utils.compute_mask_indices((2, 40), None, 0.3, 4, no_overlap=True)
    assert mask.any()


def test_numpy_compat_blocks():
    sentences = [torch.tensor([5, 6, 2]), torch.tensor([7, 2])]
    blocks = TokenBlockDataset(sentences, [3, 2], block_size=None, pad=1, eos=2, break_mode="eos")
    assert [block.tolist() for block in blocks] == [[5, 6, 2], [7, 2]]


def bucketed_pairs():
    dictionary = Dictionary()
    sentences = ListDataset([torch.tensor([4, 2]), torch.tensor([4, 4, 4, 2])], [2, 4])
    pairs = LanguagePairDataset(
        sentences, [2, 4], dictionary, sentences, [2, 4], dictionary, num_buckets=2
    )
    assert pairs.bucketed_num_tokens.dtype == np.int64
    assert pairs.bucketed_num_tokens.tolist() == [2, 4]


test_numpy_compat_pairs = bucketed_pairs
test_numpy_percentile = bucketed_pairs
