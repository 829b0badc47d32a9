"""The contrastive loss, one pair at a time: the twin of the criterion ``contrastive_alignment``."""

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig

ALONE = dict(mlm_weight=0.0, tlm_weight=0.0)
AMONG_SENTENCES = dict(mlm_weight=1e-30, tlm_weight=0.0)  # whose term is nothing beside the other


def build(task, model, **overrides):
    task.model = model
    cfg = ContrastiveAlignmentConfig(_name="contrastive_alignment", **overrides)
    torch.manual_seed(7)
    return task.build_criterion(OmegaConf.structured(cfg)).train()


def updates(task, update_freq=1, max_tokens=400, epoch=1):
    """The micro-batches of each update of an epoch, each with the examples in planned order."""
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=max_tokens, seed=1, epoch=epoch).frozen_batches
    samples = [data.collater([data[item] for item in batch]) for batch in plan]
    for sample, batch in zip(samples, plan):
        sample["planned"] = batch.indices.tolist()
    return [samples[i : i + update_freq] for i in range(0, len(samples), update_freq)]


def updates_of_pairs(task, **settings):
    return [u for u in updates(task, **settings) if any(s["npairs"] for s in u)]


def pairs_of(task, samples):
    data = task.datasets["train"]
    examples = [data[i]["example"] for s in samples if not s["filler"] for i in s["planned"]]
    sides = (example.sentences for example in examples if len(example.sentences) == 2)
    return [tuple(tuple(side.tolist()) for side in pair) for pair in sides]


def kinds_of(samples):
    """How many blocks of sentences and of pairs some batches have."""
    blocks = [block["parallel"] for sample in samples for block in sample["blocks"]]
    return blocks.count(False), blocks.count(True)


def vector(model, sentence, layer, pooling, projection):
    tokens = torch.tensor([[0, *sentence, 2]])
    _, extra = model(tokens, features_only=True, return_all_hiddens=True)
    states = extra["layers"][layer][0]
    pooled = states[0] if pooling == "cls" else states.mean(0)
    return pooled if projection is None else projection @ pooled


def slow_contrast(anchors, candidates, names, own, *, temperature, normalize):
    """The mean over anchors of -log softmax; ``names`` tells which pairs are equal on a side."""
    losses = []
    for x, here in zip(anchors, own):
        logits = []
        for c, y in enumerate(candidates):
            alike = any(p == q for p, q in zip(names[c], names[here]))
            if c == here or not alike:
                score = F.cosine_similarity(x, y, dim=0) if normalize else x @ y
                logits.append(score / temperature)
                if c == here:
                    positive = logits[-1]
        losses.append(torch.stack(logits).logsumexp(0) - positive)
    return sum(losses) / len(losses)


def gradients(*modules):
    """By name, one module after the other."""
    return {
        f"{i}.{name}": p.grad.clone()
        for i, module in enumerate(modules)
        for name, p in module.named_parameters()
        if p.grad is not None
    }
