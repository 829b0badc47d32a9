"""The same update gives the same gradient however it is cut into ranks and micro-batches."""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.data.plan import MicroBatch
from gloo_ranks import run_on_ranks

pytestmark = pytest.mark.distributed

NOTHING = dict(mlm_weight=0.0, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0)
TERMS = {
    # Pairs are read only for a term that needs them.
    "mlm": {**NOTHING, "mlm_weight": 1.0, "tlm_weight": 1e-12},
    "tlm": {**NOTHING, "tlm_weight": 1.0},
    "wa": {**NOTHING, "wa_weight": 1.0},
    "sa": {**NOTHING, "sa_weight": 1.0},
    "sa both ways": {**NOTHING, "sa_weight": 1.0, "sa_symmetric": True},
    "all": {},
}


def gradient_of(model, criterion, samples):
    """The gradient that fairseq sums over the micro-batches of one rank."""
    model.zero_grad()
    for sample in samples:
        criterion(model, sample)[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def samples_of(task, batches):
    data = task.datasets["train"]
    return [data.collater([data[item] for item in batch]) for batch in batches]


def save_gradient(rank, world, model, task, criterion, plan, output):
    gradient = gradient_of(model, criterion, samples_of(task, plan[rank::world]))
    dist.all_reduce(gradient)
    if rank == 0:
        torch.save(gradient, output)


def gradient_of_ranks(world, model, task, criterion, update, folder):
    """The gradient after fairseq has divided by the number of micro-batches."""
    if world == 1:
        return gradient_of(model, criterion, samples_of(task, update)) / len(update)
    run_on_ranks(world, save_gradient, model, task, criterion, update, folder / "gradient.pt")
    return torch.load(folder / "gradient.pt") / len(update)


def gradient_of_one_large_batch(model, task, criterion, update):
    """The same update on one rank: its pairs are one batch, and its sentences another."""
    kinds = sorted({b.parallel for b in update})
    whole = []
    for parallel in kinds:
        parts = [b for b in update if b.parallel is parallel and not b.filler]
        whole.append(
            MicroBatch(
                np.concatenate([b.indices for b in parts]),
                parallel,
                normalizers={
                    **update[0].normalizers,
                    "micro_batches": len(kinds),
                    "update_heights": (),
                },
                draws=np.concatenate([b.draws for b in parts]),
            )
        )
    return gradient_of(model, criterion, samples_of(task, whole)) / len(whole)


def find_update(task, world, update_freq, wanted):
    """Finds an update that shows the case; the batch size that has one is chance."""
    for max_tokens in range(100, 1000, 20):
        plan = task.get_batch_iterator(
            task.datasets["train"], max_tokens=max_tokens, seed=1, num_shards=world
        ).frozen_batches
        size = world * update_freq
        for start in range(0, len(plan) - size + 1, size):
            if wanted(list(plan[start : start + size])):
                return list(plan[start : start + size])
    raise AssertionError("no update of the toy data shows the case")


def uneven(update):
    return update[0].parallel and len(update[0]) != len(update[1]) and not update[1].filler


def dry(update):
    return update[0].parallel and update[1].filler


def of_both_kinds(update):
    return len({b.parallel for b in update}) == 2


def several_parallel_steps(update):
    return sum(b.parallel for b in update) > len(update) / 2


def several_and_one_dry(update):
    return any(b.filler for b in update) and sum(b.parallel for b in update) >= 4


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize(
    "world, update_freq, wanted",
    [
        (2, 1, uneven),
        (2, 1, dry),
        (1, 2, of_both_kinds),
        (1, 3, several_parallel_steps),
        (2, 3, several_parallel_steps),
        (2, 4, several_and_one_dry),
    ],
)
def test_the_cut_does_not_matter(make_task, make_model, tmp_path, term, world, update_freq, wanted):
    task = make_task(update_freq=[update_freq], pairs="de-en", parallel_share=0.6)
    model = make_model().double()
    criterion = task.build_criterion(
        OmegaConf.structured(AmberCriterionConfig(_name="amber", **TERMS[term]))
    )
    criterion.train()
    task.load_dataset("train")
    if not task.needs.mlm and wanted is of_both_kinds:
        pytest.skip("this term reads pairs alone")
    update = find_update(task, world, update_freq, wanted)
    cut = gradient_of_ranks(world, model, task, criterion, update, tmp_path)
    whole = gradient_of_one_large_batch(model, task, criterion, update)
    assert whole.norm() > 0
    assert (cut - whole).norm() <= 1e-6 * whole.norm()


def test_candidates_of_one_step_alone_are_another_objective(make_task, make_model):
    """If the candidates of other steps did not matter, the test above would show nothing."""
    task = make_task(update_freq=[3], pairs="de-en", parallel_share=0.6)
    model = make_model().double()
    gradients = []
    for scope in ("update", "step"):
        criterion = task.build_criterion(
            OmegaConf.structured(AmberCriterionConfig(_name="amber", sa_candidates=scope))
        )
        criterion.train()
        task.load_dataset("train")
        update = find_update(task, 1, 3, several_parallel_steps)
        gradients.append(gradient_of(model, criterion, samples_of(task, update)))
    assert (gradients[0] - gradients[1]).norm() > 1e-2 * gradients[0].norm()
