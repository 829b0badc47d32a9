"""The terms of the criterion ``amber``, one example at a time and every pass by itself."""

import numpy as np
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.data.plan import MicroBatch


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


def indices_of(task, per_corpus, kinds=(False, True)):
    """So many examples of each corpus of these kinds: of pairs (True), of sentences (False)."""
    task.load_dataset("train")
    data = task.datasets["train"]
    starts = [start for c, start in zip(data.corpora, data.offsets) if c.parallel in kinds]
    return [start + i for start in starts for i in range(per_corpus)]


def batch_of(task, indices):
    """These examples as a batch outside a plan, which is normalised by itself."""
    data = task.datasets["train"]
    return data.collater([data[index] for index in indices])


def update_of(task, steps):
    """The batches of an update of one rank that has these examples at each step, of whose counts
    those of pairs are right."""
    data = task.datasets["train"]
    own = [MicroBatch(np.array(indices), step=step) for step, indices in enumerate(steps)]
    pairs = [sum(len(data[i]["example"].sentences) == 2 for i in indices) for indices in steps]
    sentences = [len(indices) - n for indices, n in zip(steps, pairs)]
    of_steps = [[data[i]["example"].links for i in indices] for indices in steps]
    links = [sum(len(one) for one in found if one is not None) for found in of_steps]
    counts = {name: 1 for name in ("mlm_tokens", "tlm_tokens", "points", "links")}
    own[0].update = tuple(own)
    for micro_batch in own:
        micro_batch.normalizers = dict(
            counts,
            micro_batches=len(steps),
            pairs=sum(pairs),
            pair_heights=tuple(pairs),
            sentence_heights=tuple(sentences),
            link_heights=tuple(links),
        )
    return [data.collater([data[item] for item in micro_batch]) for micro_batch in own]


def blocks_of(sample, parallel):
    return [block for block in sample["blocks"] if block["parallel"] is parallel]


def examples_of(task, sample, parallel):
    """The name of the corpus and the sentences of each pair, or sentence, of a batch."""
    data = task.datasets["train"]
    examples = [data[i]["example"] for i in sample["id"].tolist()]
    return [
        (e.name, tuple(tuple(x.tolist()) for x in e.sentences))
        for e in examples
        if (len(e.sentences) == 2) is parallel
    ]


def pairs_of(task, sample):
    return [sides for _, sides in examples_of(task, sample, True)]


def states(model, ids, layer=-1):
    tokens = torch.tensor(ids)[None]
    return model(tokens, return_all_hiddens=True)[1]["layers"][layer][0]


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


def slow_sentence_alignment(
    pairs, vector, similarity=torch.dot, symmetric=False, others=(), corpora=None
):
    """- log softmax of the own target among those of other pairs, one anchor at a time.

    ``others`` are single sentences that are candidates too. With ``corpora``, the name of each
    pair's corpus, the candidates are those of the same corpus."""
    everyone = [*pairs, *((sentence, sentence) for sentence in others)]
    vectors = [[vector(side) for side in pair] for pair in everyone]

    def is_candidate(j, i):
        alike = everyone[j][0] == pairs[i][0] or everyone[j][1] == pairs[i][1]
        return j == i or not (alike or (corpora and corpora[j] != corpora[i]))

    def one_way(of, to):
        losses = []
        for i in range(len(pairs)):
            anchor = vectors[i][of]
            scores = [
                similarity(anchor, candidate[to])
                for j, candidate in enumerate(vectors)
                if is_candidate(j, i)
            ]
            losses.append(torch.stack(scores).logsumexp(0) - similarity(anchor, vectors[i][to]))
        return sum(losses) / len(losses)

    return (one_way(0, 1) + one_way(1, 0)) / 2 if symmetric else one_way(0, 1)


def slow_masked_lm(model, block):
    """The negative log likelihoods of the masked tokens of a block, each row by itself."""
    tokens, (predicted, slots) = block["net_input"]["src_tokens"], block["net_input"]["predicted"]
    places = [(s // predicted.size(1), int(predicted.flatten()[s])) for s in slots.tolist()]
    losses = []
    for row in range(len(predicted)):
        ids = tokens[row][tokens[row] != 1].tolist()
        scores = None
        for (of_row, position), target in zip(places, block["target"].tolist()):
            if of_row == row:
                if scores is None:
                    scores = model(torch.tensor(ids)[None])[0][0].log_softmax(-1)
                losses.append(-scores[position, target])
    return losses


def mean_vector(model):
    """Turns a sentence into the mean of its states."""
    return lambda side: states(model, [0, *side, 2]).mean(0)


def slow_terms(model, sample, pairs):
    """The mean of each term over a batch with these pairs."""
    losses = {"mlm": [], "tlm": []}
    for block in sample["blocks"]:
        losses["tlm" if block["parallel"] else "mlm"] += slow_masked_lm(model, block)
    terms = {name: sum(some) / len(some) for name, some in losses.items() if some}
    if pairs:
        terms["wa"] = sum(slow_alignment(model, x, y) for x, y in pairs) / len(pairs)
        terms["sa"] = slow_sentence_alignment(pairs, mean_vector(model))
    return terms
