"""The contrastive loss on several ranks, and in the real ``fairseq-train``.

Neither the cut of an update into ranks and micro-batches nor an interruption changes the result.
"""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from omegaconf import OmegaConf

from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig
from fairseq_amber.data.plan import MicroBatch
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq
from gloo_ranks import run_on_ranks

SETTINGS = {
    "in batch": {"contrast_symmetric": True, "contrast_projection": 5},
    "momentum": {"contrast_momentum": 0.5, "contrast_queue": 29},
    "momentum both ways": {
        "contrast_momentum": 0.5,
        "contrast_queue": 100,
        "contrast_symmetric": True,
        "contrast_projection": 5,
        "contrast_normalize": True,
    },
}


def build(task, model, settings):
    task.model = model
    cfg = ContrastiveAlignmentConfig(
        _name="contrastive_alignment", mlm_weight=0.0, tlm_weight=0.1, **settings
    )
    torch.manual_seed(7)
    return task.build_criterion(OmegaConf.structured(cfg)).train().double()


def samples_of(task, batches):
    data = task.datasets["train"]
    return [data.collater([data[item] for item in batch]) for batch in batches]


def train(model, criterion, updates, reduce=lambda gradient: gradient):
    """Plain gradient descent, with the gradient summed and averaged as in fairseq.

    Returns:
        The gradient of every update, and the queue at the end.
    """
    parameters = [*model.parameters(), *criterion.parameters()]
    gradients = []
    for samples, micro_batches in updates:
        for sample in samples:
            criterion(model, sample)[0].backward()
        gradient = torch.cat([p.grad.flatten() for p in parameters])
        gradients.append(reduce(gradient) / micro_batches)
        position = 0
        for parameter in parameters:
            step = gradients[-1][position : position + parameter.numel()]
            parameter.data -= 0.05 * step.view_as(parameter)
            parameter.grad = None
            position += parameter.numel()
        criterion.after_update()
    state = {} if criterion.past is None else criterion.past.queue.state_dict()
    return gradients, state


def train_on_rank(rank, world, model, criterion, task, updates, output):
    def reduce(gradient):
        dist.all_reduce(gradient)
        return gradient

    own = [(samples_of(task, update[rank::world]), len(update)) for update in updates]
    torch.save(train(model, criterion, own, reduce), output / f"{rank}.pt")


def one_large_batch(task, update):
    parts = [batch for batch in update if not batch.filler]
    counts = update[0].normalizers
    whole = MicroBatch(
        np.concatenate([batch.indices for batch in parts]),
        True,
        draws=np.concatenate([batch.draws for batch in parts]),
    )
    whole.normalizers = {
        **counts,
        "micro_batches": 1,
        "step_pairs": counts["pairs"],
        "update_heights": (counts["pairs"],),
    }
    return samples_of(task, [whole]), 1


def some_updates(task, world, size):
    """Three updates in a row; on two ranks one is uneven, and in one a rank has no pairs left."""
    for max_tokens in range(100, 1000, 10):
        plan = task.get_batch_iterator(
            task.datasets["train"], max_tokens=max_tokens, seed=1, num_shards=world
        ).frozen_batches
        for start in range(0, len(plan) - 3 * size + 1, size):
            batches = plan[start : start + 3 * size]
            dry = any(batch.filler for batch in batches)
            uneven = any(len(a) != len(b) for a, b in zip(batches[::2], batches[1::2]))
            if world == 1 or (dry and uneven):
                return [batches[i : i + size] for i in range(0, len(batches), size)]
    raise AssertionError("no updates of the toy data show the case")


@pytest.mark.distributed
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("world, update_freq", [(2, 1), (1, 3), (2, 3)])
def test_the_cut_does_not_matter(make_task, make_model, tmp_path, settings, world, update_freq):
    task = make_task(update_freq=[update_freq])

    def fresh():
        model = make_model(encoder_layers=3).double()
        return model, build(task, model, SETTINGS[settings])

    model, criterion = fresh()
    task.load_dataset("train")
    updates = some_updates(task, world, world * update_freq)
    assert all(batch.parallel for update in updates for batch in update)
    if world == 1:
        own = [(samples_of(task, update), len(update)) for update in updates]
        cuts = [train(model, criterion, own)]
    else:
        run_on_ranks(world, train_on_rank, model, criterion, task, updates, tmp_path)
        cuts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(world)]
    gradients, queue = train(*fresh(), [one_large_batch(task, u) for u in updates])
    for cut_gradients, cut_queue in cuts:
        for ours, theirs in zip(cut_gradients, gradients):
            assert theirs.norm() > 0
            assert (ours - theirs).norm() <= 1e-5 * theirs.norm()
        for key, value in queue.items():
            if key == "keys":
                assert torch.equal(cut_queue[key], value)
            elif torch.is_tensor(value):
                torch.testing.assert_close(cut_queue[key], value, atol=1e-5, rtol=1e-5)
            else:
                assert cut_queue[key] == value


FLAGS = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64 --task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 300"
    " --optimizer adam --lr 0.01 --lr-scheduler inverse_sqrt --warmup-updates 4 --clip-norm 1"
    " --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
).split()
MOMENTUM = ("--contrast-momentum", "0.8", "--contrast-queue", "31", "--contrast-symmetric")


def fairseq_train(
    data,
    save_dir,
    *flags,
    criterion="contrastive_alignment",
    processes=1,
):
    own = ["--save-dir", save_dir, *FLAGS, "--user-dir", USER_DIR, "--criterion", criterion]
    result = run_fairseq("train", data, *own, *flags, processes=processes)
    assert result.returncode == 0, result.stderr
    return result, read_torch_file(save_dir / "checkpoint_last.pt")


def assert_equal_to_the_bit(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        same = torch.equal(value, theirs[name]) if torch.is_tensor(value) else value == theirs[name]
        assert same, name


@pytest.mark.parametrize("projection", [[], ["--contrast-projection", "5"]])
def test_resuming_equals_not_having_stopped(data_folder, tmp_path, projection):
    flags = [*MOMENTUM, *projection, "--update-freq", "2", "--disable-validation", "--max-update"]
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    _, whole = fairseq_train(data_folder, straight, *flags, "9")
    _, half = fairseq_train(data_folder, stopped, *flags, "5")
    _, rest = fairseq_train(data_folder, stopped, *flags, "9")
    assert_equal_to_the_bit(whole["model"], rest["model"])
    assert_equal_to_the_bit(whole["criterion"], rest["criterion"])
    state = whole["criterion"]
    assert state["past.queue.keys"][:, 2].all()  # it is full, so it has wrapped
    moved = "past.encoder.model.encoder.sentence_encoder.layers.0.fc1.weight"
    for name in ("past.queue.targets", "past.queue.sources", moved):
        assert not torch.equal(half["criterion"][name], state[name])


@pytest.mark.distributed
@pytest.mark.parametrize(
    "backend, settings, stops",
    [
        ("c10d", MOMENTUM, ["2", "4"]),
        ("c10d", ["--mlm-weight", "0", "--tlm-weight", "0"], ["3"]),
        ("legacy_ddp", [*MOMENTUM, "--contrast-projection", "5"], ["3"]),
    ],
)
def test_two_processes_on_cpu(data_folder, tmp_path, backend, settings, stops):
    if backend == "c10d" and "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    flags = ["--ddp-backend", backend, *settings, "--update-freq", "2", "--max-update"]
    for stop in stops:
        result, last = fairseq_train(data_folder, tmp_path, *flags, stop, processes=2)
    assert ("Loaded checkpoint" in result.stdout) is (len(stops) > 1)
    assert last["optimizer_history"][-1]["num_updates"] == int(stops[-1])
    for name in ("contrast_loss", "contrast_accuracy"):
        assert name in result.stdout


def test_amber_and_contrast_continue_from_each_other(data_folder, tmp_path):
    reset = ["--reset-optimizer", "--reset-dataloader", "--reset-meters", "--reset-lr-scheduler"]
    one = ["--max-update", "1", "--disable-validation"]
    fairseq_train(data_folder, tmp_path / "amber", *one, criterion="amber")
    restored = ["--restore-file", str(tmp_path / "amber" / "checkpoint_last.pt"), *reset]
    result, last = fairseq_train(data_folder, tmp_path / "contrast", *one, *MOMENTUM, *restored)
    assert "the checkpoint has no momentum encoder of this size" in result.stdout + result.stderr
    assert last["criterion"]["past.encoder._extra_state"] == {"started": True}
    restored[1] = str(tmp_path / "contrast" / "checkpoint_last.pt")
    fairseq_train(data_folder, tmp_path / "back", *one, *restored, criterion="amber")
