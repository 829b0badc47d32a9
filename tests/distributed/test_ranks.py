"""Two gloo processes on CPU give the gradients that one process gives for the same update."""

import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig

pytestmark = pytest.mark.distributed


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def gradient_of(model, criterion, samples):
    """fairseq's update on one rank: summed gradients."""
    model.zero_grad()
    for sample in samples:
        criterion(model, sample)[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def samples_of(task, batches):
    data = task.datasets["train"]
    return [data.collater([data[item] for item in batch]) for batch in batches]


def run_rank(rank, world, port, model, task, criterion, plan, output):
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    try:
        gradient = gradient_of(model, criterion, samples_of(task, plan[rank::world]))
        dist.all_reduce(gradient)
        if rank == 0:
            torch.save(gradient, output)
    finally:
        dist.destroy_process_group()


def one_rank_twin(model, task, criterion, plan, world):
    """Each step's batches of all ranks as one batch, which its own rank normalises."""
    from fairseq_amber.data.sampling import MicroBatch, _predicted, _set_normalizers

    steps = []
    for start in range(0, len(plan), world):
        indices = [b.indices for b in plan[start : start + world] if not b.filler]
        merged = torch.cat([torch.from_numpy(i) for i in indices]).numpy()
        steps.append([MicroBatch(merged, plan[start].parallel)])
    _set_normalizers(steps, len(steps), _predicted(task.datasets["train"].sources()))
    return gradient_of(model, criterion, samples_of(task, [step[0] for step in steps])) / len(steps)


def find_update(task, update_freq, case):
    """An update of two ranks that shows the case; which batch size has one is chance."""
    wanted = {
        "even": lambda u: u[0].parallel and len(u[0]) != len(u[1]) and not u[1].filler,
        "accumulated": lambda u: len({b.parallel for b in u}) == 2,
        "dry": lambda u: u[0].parallel and u[1].filler,
    }[case]
    for max_tokens in range(400, 1000, 20):
        plan = task.get_batch_iterator(
            task.datasets["train"], max_tokens=max_tokens, seed=1, num_shards=2
        ).frozen_batches
        size = 2 * update_freq
        for start in range(0, len(plan), size):
            if wanted(plan[start : start + size]):
                return plan[start : start + size]
    raise AssertionError(f"no update of the toy data is {case}")


@pytest.mark.parametrize("case", ["even", "accumulated", "dry"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_two_ranks_equal_one(make_task, make_model, tmp_path, case, symmetric):
    update_freq = 2 if case == "accumulated" else 1
    task = make_task(update_freq=[update_freq], pairs="de-en")
    model = make_model().double()
    criterion = task.build_criterion(
        OmegaConf.structured(AmberCriterionConfig(_name="amber", sa_symmetric=symmetric))
    )
    criterion.train()
    task.load_dataset("train")
    update = find_update(task, update_freq, case)
    mp.start_processes(
        run_rank,
        args=(2, free_port(), model, task, criterion, update, tmp_path / "gradient.pt"),
        nprocs=2,
        start_method="fork",
    )
    two = torch.load(tmp_path / "gradient.pt") / len(update)
    one = one_rank_twin(model, task, criterion, update, world=2)
    assert (two - one).norm() <= 1e-6 * one.norm()
