"""The first updates of a run, from the data folder to the gradient, in any cut into micro-batches.

Every rank does what fairseq's trainer does: it builds its own task, asks it for its share of the
epoch, and runs the steps of an update through torch's DistributedDataParallel.
"""

import contextlib
import warnings
from typing import NamedTuple

import torch
import torch.distributed as dist
from fairseq.data.iterators import GroupedIterator
from omegaconf import OmegaConf
from torch.nn.parallel import DistributedDataParallel

from gloo_ranks import run_on_ranks

with contextlib.suppress(ImportError):  # once here, and not by DDP on every rank
    import torch._dynamo  # noqa: F401


class Cut(NamedTuple):
    """``ranks`` x ``update_freq`` micro-batches of ``limits``; the second is 1 where it follows
    from the size of an update."""

    ranks: int
    update_freq: int
    limits: dict


# How the size of an update may be stated: settings of the task, and cuts of updates of this size.
SIZES = {
    "update_freq": ({}, [Cut(n, 4 // n, {"max_tokens": 900}) for n in (1, 2, 4)]),
    "update_tokens": (
        {"update_tokens": 3800},
        [
            Cut(1, 1, {"max_tokens": 9000}),
            Cut(1, 1, {"max_tokens": 700}),
            Cut(4, 1, {"max_tokens": 500}),
        ],
    ),
    "update_examples": (
        {"update_examples": 7, "parallel_share": 0.25},
        [
            Cut(1, 1, {"max_tokens": 9000}),
            Cut(2, 1, {"max_sentences": 1}),
            Cut(3, 1, {"max_sentences": 2}),
        ],
    ),
    "few_examples": (
        {"update_examples": 3, "parallel_share": 0.2},
        [Cut(n, 1, {"max_sentences": 4 - n}) for n in (1, 2, 3)],
    ),
}


class Part(NamedTuple):
    """What a rank holds at a step; ``blocks`` is the number of those of pairs."""

    pairs: int
    sentences: int
    filler: bool
    blocks: int


class Run(NamedTuple):
    """``gradients`` of every update, as fairseq divides them; ``parts``, those of each update, step
    and rank; ``queue``, the state of a momentum queue at the end."""

    gradients: list
    parts: list
    queue: dict

    def micro_batches(self):
        """The parts of each update, one after the other."""
        return [[part for step in update for part in step] for update in self.parts]


def run_updates(build, cut, folder, updates=3):
    """Runs the first updates, and checks that all ranks have the same gradients.

    Args:
        build: returns a task, its model and its criterion, all made anew.
        cut: the cut of the updates.
        folder: where ranks hand over their results.
        updates: how many updates; an epoch may have fewer.
    """
    if cut.ranks == 1:
        found = [_updates(0, build, cut, updates)]
    else:
        run_on_ranks(cut.ranks, _save_updates, build, cut, updates, folder)
        found = [torch.load(folder / f"{rank}.pt") for rank in range(cut.ranks)]
    for _, gradients, _ in found[1:]:
        assert all(map(torch.equal, gradients, found[0][1]))
    by_rank = [parts for parts, _, _ in found]
    parts = [[[Part(*part) for part in step] for step in zip(*update)] for update in zip(*by_rank)]
    return Run(found[0][1], parts, found[0][2])


def assert_the_cut_does_not_matter(run_of, size, folder):
    """Checks that all cuts of ``SIZES[size]`` give the same gradients and the same queue.

    Args:
        run_of: takes settings of the task and returns a function to build it; see ``run_updates``.
        size: how the size of an update is stated.
        folder: where ranks hand over their results.
    """
    settings, cuts = SIZES[size]
    whole, *others = (run_updates(run_of(**settings), cut, folder) for cut in cuts)
    _assert_the_cuts_show_the_case(size, whole, others)
    for run in others:
        assert len(run.gradients) == len(whole.gradients) > 1
        for ours, theirs in zip(run.gradients, whole.gradients):
            assert distance(ours, theirs) <= 1e-6
        for name, value in whole.queue.items():
            if not torch.is_tensor(value):
                assert run.queue[name] == value
            elif name == "keys":
                assert torch.equal(run.queue[name], value)
            else:
                torch.testing.assert_close(run.queue[name], value, atol=1e-5, rtol=1e-5)


def distance(ours, theirs):
    """How far a gradient is from another one, in lengths of the latter."""
    assert 0 < theirs.norm() < float("inf")
    return float((ours - theirs).norm() / theirs.norm())


def _assert_the_cuts_show_the_case(size, whole, others):
    """The toy data and the sizes are chosen so that the cuts are of interest."""
    if size == "update_freq":
        assert all(run.micro_batches()[0] == whole.micro_batches()[0] for run in others)
        return
    if size == "few_examples":
        assert any(not any(part.pairs for part in update) for update in whole.micro_batches())
        return
    parts = [part for run in others for update in run.micro_batches() for part in update]
    if size != "update_tokens":  # there the ranks share out every update evenly
        assert any(part.filler for part in parts)
    assert all(len(whole.micro_batches()[0]) == 1 < len(run.micro_batches()[0]) for run in others)
    if size == "update_tokens":  # in one micro-batch long pairs and short ones are apart
        assert any(update[0].blocks > 1 for update in whole.micro_batches())
    if size == "update_examples" and whole.micro_batches()[0][0].sentences:
        for run in others:  # a rank without pairs beside one that has some
            steps = [[part.pairs for part in step] for update in run.parts for step in update]
            assert any(min(pairs) == 0 < max(pairs) for pairs in steps)


def _save_updates(rank, world, build, cut, updates, folder):
    torch.save(_updates(rank, build, cut, updates), folder / f"{rank}.pt")


def _updates(rank, build, cut, updates):
    task, model, criterion = build()
    whole = OmegaConf.create({"optimization": {"update_freq": [cut.update_freq]}, "task": task.cfg})
    whole.task.update_freq = "${optimization.update_freq}"
    task.cfg = whole.task  # it knows the whole config, as under fairseq-train
    task.load_dataset("train")
    epoch = task.get_batch_iterator(
        task.datasets["train"], seed=1, num_shards=cut.ranks, shard_id=rank, **cut.limits
    ).next_epoch_itr()
    runs = [_distributed(module, cut.ranks) for module in (model, criterion)]
    parts, gradients = [], []
    for samples in GroupedIterator(epoch, whole.optimization.update_freq[0]):
        parts.append([tuple(_part(sample)) for sample in samples])
        gradients.append(_gradient(*runs, samples, cut.ranks))
        _descend(runs, gradients[-1])
        if hasattr(criterion, "after_update"):
            criterion.after_update()
        if len(gradients) == updates:
            break
    past = getattr(criterion, "past", None)
    return parts, gradients, {} if past is None else dict(past.queue.state_dict())


def _distributed(module, ranks):
    if ranks == 1 or not any(parameter.requires_grad for parameter in module.parameters()):
        return module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about this name of the argument
        return DistributedDataParallel(module, broadcast_buffers=False)


def _part(sample):
    blocks = sum(block["parallel"] for block in sample["blocks"])
    pairs = sample["npairs"]
    return Part(pairs, sample["nsentences"] - pairs, bool(sample["filler"]), blocks)


def _gradient(model, criterion, samples, ranks):
    """The sum over ranks and steps, divided by the sample size."""
    size = torch.zeros(())
    for number, sample in enumerate(samples, start=1):
        with contextlib.ExitStack() as stack:
            for module in (model, criterion):
                if isinstance(module, DistributedDataParallel) and number < len(samples):
                    stack.enter_context(module.no_sync())
            loss, sample_size, _ = criterion(model, sample)
            loss.backward()
        size += sample_size
    if ranks > 1:
        dist.all_reduce(size)
    gradients = [p.grad for p in _parameters(model, criterion)]
    assert all(gradient is not None for gradient in gradients)
    return torch.cat([g.flatten() for g in gradients]) * ranks / size  # DDP takes the mean


def _parameters(*modules):
    return [p for module in modules for p in module.parameters() if p.requires_grad]


def _descend(modules, gradient):
    """Plain gradient descent."""
    parameters = _parameters(*modules)
    for parameter, step in zip(parameters, gradient.split([p.numel() for p in parameters])):
        parameter.data -= 0.05 * step.view_as(parameter)
        parameter.grad = None
