"""The contrastive loss, one pair at a time: the twin of the criterion ``contrastive_alignment``."""

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig

ALONE = dict(mlm_weight=0.0, tlm_weight=0.0)


def build(task, model, **overrides):
    task.model = model
    cfg = ContrastiveAlignmentConfig(_name="contrastive_alignment", **overrides)
    torch.manual_seed(7)
    return task.build_criterion(OmegaConf.structured(cfg)).train()


def updates(task, update_freq=1, max_tokens=400, epoch=1):
    """The micro-batches of each update of an epoch."""
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=max_tokens, seed=1, epoch=epoch).frozen_batches
    samples = [data.collater([data[item] for item in batch]) for batch in plan]
    return [samples[i : i + update_freq] for i in range(0, len(samples), update_freq)]


def parallel_updates(task, **settings):
    return [u for u in updates(task, **settings) if any(s["parallel"] for s in u)]


def pairs_of(task, samples):
    data = task.datasets["train"]
    ids = [i for s in samples if s["parallel"] and not s["filler"] for i in s["id"].tolist()]
    return [tuple(tuple(side.tolist()) for side in data[i]["tokens"]) for i in ids]


def vector(model, sentence, layer, pooling, projection):
    tokens = torch.tensor([[0, *sentence, 2]])
    _, extra = model(tokens, features_only=True, return_all_hiddens=True)
    states = extra["inner_states"][layer][0]
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
    return [p.grad.clone() for m in modules for p in m.parameters() if p.grad is not None]
