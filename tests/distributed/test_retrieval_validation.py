"""However many ranks encode a part of the sentences, the accuracy is the same to the bit."""

import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from fairseq_amber.tasks.retrieval_validation import RetrievalValidation

pytestmark = pytest.mark.distributed


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def result(folder, dictionary, model, batch_tokens):
    validation = RetrievalValidation(100, None, dictionary)
    validation.open(folder, "train")
    validation.begin("train", 64, batch_tokens)
    kept = []
    encode = validation._encode
    validation._encode = lambda *args: kept.append(encode(*args)) or kept[-1]
    validation.measure(model)
    return validation._measured, kept


def run_rank(rank, world, port, output, *arguments):
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    try:
        torch.save(result(*arguments), output / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("world, batch_tokens", [(2, 100), (2, 100_000), (3, 300)])
def test_ranks_agree_with_one(data_folder, dictionary, make_model, tmp_path, world, batch_tokens):
    arguments = (data_folder, dictionary, make_model(), batch_tokens)
    accuracy, vectors = result(*arguments)
    assert len(vectors) == 2 and 0 < accuracy["retrieval"] < 100
    mp.start_processes(
        run_rank,
        args=(world, free_port(), tmp_path, *arguments),
        nprocs=world,
        start_method="fork",
    )
    for rank in range(world):
        found, parts = torch.load(tmp_path / f"{rank}.pt")
        assert found == accuracy
        for ours, theirs in zip(vectors, parts):
            assert torch.equal(ours, theirs)
