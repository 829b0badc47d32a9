"""Optimal transport and linked words on several ranks, and in the real ``fairseq-train``.

Where each problem is a single pair, the cut of an update into ranks and micro-batches does not
matter.
"""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.l2_alignment import L2AlignmentConfig
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data.plan import MicroBatch
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq
from gloo_ranks import run_on_ranks

pytestmark = pytest.mark.distributed

START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
OT = dict(_name="ot_alignment", **START)
CONFIGS = {
    "transport": TransportConfig(**OT, ot_scope="sentence"),
    "transport, sum": TransportConfig(
        **OT, ot_scope="sentence", ot_special_tokens=True, anchor_reduction="sum"
    ),
    "transport, sinkhorn": TransportConfig(
        **OT,
        ot_solver="sinkhorn",
        ot_scope="sentence",
        ot_marginals="idf",
        ot_reach=0.5,
        ot_position_weight=0.1,
        ot_target_states="frozen",
        anchor_reduction="mse",
    ),
    "links": L2AlignmentConfig(_name="l2_alignment", **START),
    "amber": AmberCriterionConfig(
        _name="amber",
        **START,
        mlm_weight=0.0,
        sa_weight=0.0,
        ot_weight=1.0,
        anchor_weight=0.1,
        ot_scope="sentence",
    ),
}


@pytest.fixture
def build(make_task, make_model, word_folder, link_folder):
    """A task, a model in fp64, and a criterion whose frozen encoder is another model."""

    def make(config, update_freq):
        task = make_task(data=str(word_folder), update_freq=[update_freq])
        task.model = make_model(seed=1)
        config = OmegaConf.structured(config)
        if "l2_links" in config:
            config.l2_links = str(link_folder)
        criterion = task.build_criterion(config).train()
        task.model = make_model(seed=2).double()
        task.load_dataset("train")
        return task, task.model, criterion

    return make


def samples_of(task, batches):
    data = task.datasets["train"]
    return [data.collater([data[item] for item in batch]) for batch in batches]


def gradient_of(model, criterion, samples):
    """The gradient that fairseq sums over the micro-batches of one rank."""
    model.zero_grad()
    for sample in samples:
        criterion(model, sample)[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def save_gradient(rank, world, model, task, criterion, update, output):
    gradient = gradient_of(model, criterion, samples_of(task, update[rank::world]))
    dist.all_reduce(gradient)
    if rank == 0:
        torch.save(gradient, output)


def gradient_of_ranks(world, model, task, criterion, update, folder):
    """The gradient after fairseq has divided by the number of micro-batches."""
    if world == 1:
        return gradient_of(model, criterion, samples_of(task, update)) / len(update)
    output = folder / "gradient.pt"
    run_on_ranks(world, save_gradient, model, task, criterion, update, output)
    return torch.load(output) / len(update)


def pair_by_pair(task, update):
    """The same update on one rank, with a micro-batch for each pair."""
    singles = []
    for batch in update:
        if batch.filler:
            continue
        for index, draw in zip(batch.indices, batch.draws):
            singles.append(MicroBatch(np.array([index]), True, draws=np.array([draw])))
    for single in singles:
        single.normalizers = {
            **update[0].normalizers,
            "micro_batches": len(singles),
            "update_heights": (),
        }
    return singles


def find_update(task, world, update_freq, wanted):
    """Finds an update that shows the case; the batch size that has one is chance."""
    size = world * update_freq
    for max_tokens in range(100, 1000, 10):
        plan = task.get_batch_iterator(
            task.datasets["train"], max_tokens=max_tokens, seed=1, num_shards=world
        ).frozen_batches
        for start in range(0, len(plan) - size + 1, size):
            update = list(plan[start : start + size])
            if wanted(update):
                return update
    raise AssertionError("no update of the toy data shows the case")


def uneven(update):
    return len({len(batch) for batch in update}) > 1 and not any(b.filler for b in update)


def dry(update):
    return any(batch.filler for batch in update)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(
    "world, update_freq, wanted", [(2, 1, uneven), (2, 2, dry), (1, 3, uneven)]
)
def test_the_cut_does_not_matter(build, tmp_path, name, world, update_freq, wanted):
    task, model, criterion = build(CONFIGS[name], update_freq)
    update = find_update(task, world, update_freq, wanted)
    assert all(batch.parallel for batch in update)
    cut = gradient_of_ranks(world, model, task, criterion, update, tmp_path)
    singles = pair_by_pair(task, update)
    whole = gradient_of(model, criterion, samples_of(task, singles)) / len(singles)
    assert whole.norm() > 0
    assert (cut - whole).norm() <= 1e-6 * whole.norm()


def test_pooled_problems_are_another_objective(build):
    """If the pairs of a batch never met, the test above would show nothing."""
    gradients = []
    for scope in ("batch", "sentence"):
        task, model, criterion = build(TransportConfig(**OT, ot_scope=scope), 1)
        update = find_update(task, 1, 1, lambda batches: len(batches[0]) > 3)
        gradients.append(gradient_of(model, criterion, samples_of(task, update)))
    assert (gradients[0] - gradients[1]).norm() > 1e-2 * gradients[1].norm()


def test_a_pooled_problem_counts_for_each_of_its_pairs(build):
    task, model, criterion = build(TransportConfig(**OT, anchor_weight=0.0), 3)
    update = find_update(task, 1, 3, uneven)
    samples = samples_of(task, update)
    ours = gradient_of(model, criterion, samples) / len(update)
    pairs = sum(len(batch) for batch in update)
    expected = sum(
        len(batch) / pairs * gradient_of(model, criterion, [{**sample, "normalizers": None}])
        for batch, sample in zip(update, samples)
    )
    assert (ours - expected).norm() <= 1e-6 * expected.norm()


FLAGS = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64 --task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 300"
    " --optimizer adam --lr 0.01 --lr-scheduler inverse_sqrt --warmup-updates 4 --clip-norm 1"
    " --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
    " --ddp-backend c10d --update-freq 2 --max-update 4"
).split()


@pytest.mark.parametrize(
    "criterion, flags, terms",
    [
        ("ot_alignment", "", ("ot_loss", "anchor_loss")),
        ("l2_alignment", "--l2-links LINKS", ("l2_loss", "anchor_loss")),
        ("amber", "--ot-weight 1 --anchor-weight 0.1 --max-tokens 600", ("wa_loss", "ot_loss")),
    ],
)
def test_two_processes_on_cpu(word_folder, link_folder, tmp_path, criterion, flags, terms):
    if "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    own = [*FLAGS, "--save-dir", tmp_path, "--user-dir", USER_DIR, "--criterion", criterion]
    own += flags.replace("LINKS", str(link_folder)).split()
    result = run_fairseq("train", word_folder, *own, processes=2)
    assert result.returncode == 0, result.stderr
    last = read_torch_file(tmp_path / "checkpoint_last.pt")
    assert last["optimizer_history"][-1]["num_updates"] == 4
    for term in terms:
        assert f"{term}=" in result.stdout
