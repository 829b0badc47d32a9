"""The terms of the criterion ``amber``, one example at a time and every pass by itself."""

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig


def build_criterion(task, **overrides):
    cfg = OmegaConf.structured(AmberCriterionConfig(_name="amber", **overrides))
    return task.build_criterion(cfg)


def gradients(model):
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def batches(task, epoch=1, world=1, max_tokens=600):
    task.load_dataset("train")
    plan = task.get_batch_iterator(
        task.datasets["train"], max_tokens=max_tokens, seed=1, num_shards=world, epoch=epoch
    ).frozen_batches
    return [task.datasets["train"].collater([task.datasets["train"][i] for i in b]) for b in plan]


def first(samples, parallel):
    return next(s for s in samples if s["parallel"] is parallel)


def pairs_of(task, sample):
    data = task.datasets["train"]
    return [tuple(s.tolist() for s in data[i]["tokens"]) for i in sample["id"].tolist()]


def states(model, ids, layer=-1):
    tokens = torch.tensor(ids)[None]
    return model(tokens, return_all_hiddens=True)[1]["inner_states"][layer][0]


def slow_alignment(model, source, target, diagonal=0, heads=(0, 1, 2, 3), layer=2, specials=0):
    """1 - mean over heads of tr(A_xy A_yx) / min(|x|, |y|), each pass alone, states by hand."""
    maps = []
    for query, key in ((target, source), (source, target)):
        row = [0, *key, 2, *query, 2]
        n, prefix = len(row), len(key) + 2
        allowed = torch.tensor(
            [[k < prefix or prefix <= k < q + diagonal for k in range(n)] for q in range(n)]
        )
        encoder = model.encoder.sentence_encoder
        positions = torch.arange(n) + encoder.padding_idx + 1
        x = encoder.embed_tokens(torch.tensor(row)) + encoder.embed_positions(positions)
        x = encoder.layernorm_embedding(x)
        for block in encoder.layers[:layer]:
            attention = block.self_attn
            size = x.size(1) // attention.heads
            weights, outputs = [], []
            for h in range(attention.heads):
                part = slice(h * size, (h + 1) * size)
                q, k, v = (
                    F.linear(x, p.weight[part], p.bias[part])
                    for p in (attention.q_proj, attention.k_proj, attention.v_proj)
                )
                logits = (q @ k.t() / size**0.5).masked_fill(~allowed, float("-inf"))
                weights.append(logits.softmax(-1))
                outputs.append(weights[-1] @ v)
            x = block.self_attn_layer_norm(x + attention.out_proj(torch.cat(outputs, 1)))
            x = block.final_layer_norm(x + block.fc2(F.gelu(block.fc1(x))))
        queries = slice(prefix, prefix + len(query) + specials)  # a sentence's </s> follows it
        maps.append([weights[h][queries, 1 : 1 + len(key) + specials] for h in heads])
    traces = [(yx * xy.t()).sum() for yx, xy in zip(*maps)]
    return 1 - sum(traces) / len(traces) / (min(len(source), len(target)) + specials)


def slow_sentence_alignment(pairs, vector, similarity=torch.dot, symmetric=False):
    """- log softmax of the own target among those of other pairs, one anchor at a time."""
    vectors = [[vector(side) for side in pair] for pair in pairs]

    def one_way(of, to):
        losses = []
        for i, anchor in enumerate(vectors):
            scores = [
                similarity(anchor[of], candidate[to])
                for j, candidate in enumerate(vectors)
                if j == i or not (pairs[j][0] == pairs[i][0] or pairs[j][1] == pairs[i][1])
            ]
            losses.append(torch.stack(scores).logsumexp(0) - similarity(anchor[of], vectors[i][to]))
        return sum(losses) / len(losses)

    return (one_way(0, 1) + one_way(1, 0)) / 2 if symmetric else one_way(0, 1)


def slow_loss(model, sample, pairs):
    tokens, (predicted, slots) = sample["net_input"]["src_tokens"], sample["net_input"]["predicted"]
    places = [(s // predicted.size(1), int(predicted.flatten()[s])) for s in slots.tolist()]
    terms = {}
    nll = []
    for row in range(tokens.size(0)):
        ids = tokens[row][tokens[row] != 1].tolist()
        scores = None
        for (of_row, position), target in zip(places, sample["target"].tolist()):
            if of_row == row:
                if scores is None:
                    scores = model(torch.tensor(ids)[None])[0][0].log_softmax(-1)
                nll.append(-scores[position, target])
    terms["lm"] = sum(nll) / len(nll)
    if pairs:
        terms["wa"] = sum(slow_alignment(model, x, y) for x, y in pairs) / len(pairs)
        terms["sa"] = slow_sentence_alignment(
            pairs, lambda side: states(model, [0, *side, 2]).mean(0)
        )
    return terms
