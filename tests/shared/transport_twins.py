"""Optimal transport and its anchor, one sentence at a time: twins of the criterions' fast paths."""

import numpy as np
import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn_divergence

ALONE = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")


BEGINS = np.arange(45) % 3 != 0  # of the toy words a third continue one


ENDS = np.arange(45) < 4


def batches(task, max_tokens=300, world=1):
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=max_tokens, seed=1, num_shards=world)
    return [data.collater([data[item] for item in batch]) for batch in plan.frozen_batches]


def places(sentence, words=True, specials=False):
    """Where the last subword of each word is in <s> x </s>."""
    last = [
        i + 1
        for i in range(len(sentence))
        if not words or i + 1 == len(sentence) or BEGINS[sentence[i + 1]]
    ]
    return [0, *last, len(sentence) + 1] if specials else last


def states(model, sentence, layer=-1):
    tokens = torch.tensor([[0, *sentence, 2]])
    return model(tokens, return_all_hiddens=True)[1]["layers"][layer][0]


def pairs_of(task, sample):
    """The name of the corpus and both sentences of each pair of a batch."""
    data = task.datasets["train"]
    examples = [data[index]["example"] for index in sample["id"].tolist()]
    pairs = [example for example in examples if len(example.sentences) == 2]
    return [(example.name, *(x.tolist() for x in example.sentences)) for example in pairs]


def points_of(task, sample, model, initial, **choice):
    """Of every pair: source points, target points, and the latter before training."""
    out = []
    for _, x, y in pairs_of(task, sample):  # *-en: y is English
        at_x, at_y = (places(side, **choice) for side in (x, y))
        with torch.no_grad():
            before = states(initial, y)[at_y]
        out.append((states(model, x)[at_x], states(model, y)[at_y], before))
    return out


def problems_of(task, sample, per_pair):
    """What is given of each pair, grouped by its two languages."""
    groups = {}
    for (name, *_), given in zip(pairs_of(task, sample), per_pair):
        groups.setdefault(name, []).append(given)
    assert len(groups) > 1  # of the toy data
    return list(groups.values())


def mean_over_pairs(problems, cost):
    """The mean of the costs of problems, each of which counts once for each of its pairs."""
    pairs = sum(map(len, problems))
    return sum(len(problem) * cost(problem) for problem in problems) / pairs


def pooled_divergence(pairs, **settings):
    """Of all points of these pairs together."""
    return divergence(*(torch.cat(side) for side in list(zip(*pairs))[:2]), **settings)


def several_blocks(sample):
    """The batch, which has more than one block of pairs."""
    assert sum(block["parallel"] for block in sample["blocks"]) > 1
    return sample


def divergence(x, y, **settings):
    weights = [torch.full((1, len(side)), 1 / len(side)) for side in (x, y)]
    return sinkhorn_divergence(x[None], y[None], *weights, **settings)[0]


def loss_and_gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return loss.item(), {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


def check_same(model, loss, expected):
    value, gradient = loss_and_gradient(model, loss)
    wanted, wanted_gradient = loss_and_gradient(model, expected)
    assert value == pytest.approx(wanted, rel=2e-5)
    for name, of_parameter in wanted_gradient.items():
        torch.testing.assert_close(gradient[name], of_parameter, rtol=1e-3, atol=1e-4)
    return gradient


def squares(pairs):
    return [(y - before).square().sum(1) for _, y, before in pairs]
