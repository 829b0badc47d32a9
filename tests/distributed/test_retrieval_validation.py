"""However many ranks encode a part of the sentences, the accuracy is the same to the bit."""

import pytest
import torch

from fairseq_amber.tasks.retrieval_validation import RetrievalValidation
from gloo_ranks import run_on_ranks

pytestmark = pytest.mark.distributed


def result(folder, dictionary, model, batch_tokens):
    validation = RetrievalValidation(100, None, dictionary)
    validation.open(folder, "train")
    validation.begin("train", 64, batch_tokens)
    kept = []
    encode = validation._encode
    validation._encode = lambda *args: kept.append(encode(*args)) or kept[-1]
    validation.measure(model)
    return validation._measured, kept


def save_result(rank, world, output, *arguments):
    torch.save(result(*arguments), output / f"{rank}.pt")


@pytest.mark.parametrize("world, batch_tokens", [(2, 100), (2, 100_000), (3, 300)])
def test_ranks_agree_with_one(data_folder, dictionary, make_model, tmp_path, world, batch_tokens):
    arguments = (data_folder, dictionary, make_model(), batch_tokens)
    accuracy, vectors = result(*arguments)
    assert len(vectors) == 2 and 0 < accuracy["retrieval"] < 100
    run_on_ranks(world, save_result, tmp_path, *arguments)
    for rank in range(world):
        found, parts = torch.load(tmp_path / f"{rank}.pt")
        assert found == accuracy
        for ours, theirs in zip(vectors, parts):
            assert torch.equal(ours, theirs)
