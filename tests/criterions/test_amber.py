"""The criterion against a twin that takes one example at a time and every pass by itself."""

import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterion, AmberCriterionConfig


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


def states(model, ids):
    tokens = torch.tensor(ids)[None]
    return model(tokens, features_only=True)[0][0]


def slow_alignment(model, source, target):
    """1 - mean over heads of tr(A_xy A_yx) / min(|x|, |y|), each pass alone, states by hand."""
    maps = []
    for query, key in ((target, source), (source, target)):
        row = [0, *key, 2, *query, 2]
        n, prefix = len(row), len(key) + 2
        allowed = torch.tensor(
            [
                [k < prefix or prefix <= k < q if q >= prefix else k < prefix for k in range(n)]
                for q in range(n)
            ]
        )
        encoder = model.encoder.sentence_encoder
        positions = torch.arange(n) + encoder.padding_idx + 1
        x = encoder.embed_tokens(torch.tensor(row)) + encoder.embed_positions(positions)
        x = encoder.layernorm_embedding(x)
        for layer in encoder.layers:
            attention = layer.self_attn
            size = x.size(1) // attention.heads
            heads, outputs = [], []
            for h in range(attention.heads):
                part = slice(h * size, (h + 1) * size)
                q, k, v = (
                    F.linear(x, p.weight[part], p.bias[part])
                    for p in (attention.q_proj, attention.k_proj, attention.v_proj)
                )
                logits = (q @ k.t() / size**0.5).masked_fill(~allowed, float("-inf"))
                heads.append(logits.softmax(-1))
                outputs.append(heads[-1] @ v)
            x = layer.self_attn_layer_norm(x + attention.out_proj(torch.cat(outputs, 1)))
            x = layer.final_layer_norm(x + layer.fc2(F.gelu(layer.fc1(x))))
        maps.append([a[prefix : prefix + len(query), 1 : 1 + len(key)] for a in heads])
    traces = [(yx * xy.t()).sum() for yx, xy in zip(*maps)]
    return 1 - sum(traces) / len(traces) / min(len(source), len(target))


def slow_loss(model, sample, pairs):
    tokens, flat = sample["net_input"]["src_tokens"], sample["net_input"]["masked_tokens"]
    terms = {}
    nll = []
    for row in range(tokens.size(0)):
        ids = tokens[row][tokens[row] != 1].tolist()
        scores = None
        for position, target in zip(flat.tolist(), sample["target"].tolist()):
            if position // tokens.size(1) == row:
                if scores is None:
                    scores = model(torch.tensor(ids)[None])[0][0].log_softmax(-1)
                nll.append(-scores[position % tokens.size(1), target])
    terms["lm"] = sum(nll) / len(nll)
    if pairs:
        terms["wa"] = sum(slow_alignment(model, x, y) for x, y in pairs) / len(pairs)
        vectors = [[states(model, [0, *side, 2]).mean(0) for side in pair] for pair in pairs]
        losses = []
        for i, (x, _) in enumerate(vectors):
            logits = [
                x @ y for j, (_, y) in enumerate(vectors) if j == i or pairs[j][1] != pairs[i][1]
            ]
            losses.append(torch.stack(logits).logsumexp(0) - x @ vectors[i][1])
        terms["sa"] = sum(losses) / len(losses)
    return terms


@pytest.mark.parametrize("parallel", [False, True])
def test_one_forward_pass_equals_the_slow_twin_in_value_and_gradient(
    make_task, make_model, parallel
):
    task, model = make_task(), make_model().double()
    criterion = build_criterion(task, wa_weight=0.5, sa_weight=2.0)
    dataset_batches = batches(task, max_tokens=400)
    sample = first(dataset_batches, parallel)
    pairs = []
    if parallel:
        data = task.datasets["train"]
        pairs = [tuple(s.tolist() for s in data[i]["tokens"]) for i in sample["id"].tolist()]
    sample["normalizers"] = None  # this batch alone

    loss, sample_size, log = criterion(model, sample)
    loss.backward()
    fast = gradients(model)
    model.zero_grad()
    terms = slow_loss(model, sample, pairs)
    weights = {"lm": 1.0, "wa": 0.5, "sa": 2.0}
    slow = sum(weights[name] * term for name, term in terms.items())
    slow.backward()

    assert sample_size == 1
    # our terms are in fp32 by design, whatever the model's type
    torch.testing.assert_close(loss.double(), slow, atol=1e-6, rtol=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(fast[name], gradient, atol=1e-5, rtol=1e-4)
    if parallel:
        assert log["wa_sum"] / log["wa_count"] == pytest.approx(terms["wa"].item(), abs=1e-6)
        assert log["sa_sum"] / log["sa_count"] == pytest.approx(terms["sa"].item(), rel=1e-5)


def test_accumulated_micro_batches_sum_to_the_terms_over_the_whole_update(make_task, make_model):
    """What fairseq does with an update: the sum of gradients over the sum of sample sizes."""
    task = make_task(update_freq=[4])
    criterion, model = build_criterion(task), make_model()
    update = batches(task, max_tokens=300)[:4]
    assert {s["parallel"] for s in update} == {True, False}
    assert len({s["nsentences"] for s in update}) > 1
    losses, logs = [], []
    for sample in update:
        loss, size, log = criterion(model.eval(), sample)
        losses.append(loss / 4)
        logs.append(log)
    expected = sum(
        sum(log[f"{term}_sum"] for log in logs) / sum(log[f"{term}_count"] for log in logs)
        for term in ("mlm", "tlm", "wa", "sa")
    )
    torch.testing.assert_close(sum(losses), expected)


def test_terms_of_weight_zero_are_not_computed(make_task, make_model):
    task = make_task()
    criterion = build_criterion(task, wa_weight=0.0, sa_weight=0.0)
    sample = first(batches(task), True)
    assert "cross" not in sample["net_input"]
    assert sample["net_input"]["src_tokens"].size(0) == sample["nsentences"]
    _, _, log = criterion(make_model(), sample)
    assert log["tlm_count"] > 0 and log["wa_count"] == log["sa_count"] == 0


def test_sentences_alone(make_task):
    task = make_task()
    build_criterion(task, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0)
    assert not any(s["parallel"] for s in batches(task))


def test_pairs_alone_without_masking_still_touch_every_parameter(make_task, make_model):
    """No parameter without gradient, so that every --ddp-backend works."""
    task, model = make_task(), make_model()
    criterion = build_criterion(task, mlm_weight=0.0, tlm_weight=0.0)
    loss, _, _ = criterion(model, first(batches(task), True))
    loss.backward()
    assert {n for n, p in model.named_parameters() if p.grad is None} == set()


def test_a_filler_adds_nothing(make_task, make_model):
    task, model = make_task(), make_model()
    criterion = build_criterion(task)
    samples = batches(task, world=16, max_tokens=2000)
    filler = next(s for s in samples if not s["counts"])
    loss, size, log = criterion(model, filler)
    loss.backward()
    assert size == 1 and loss == 0
    assert all(g.abs().max() == 0 for g in gradients(model).values())
    assert not any(
        log[f"{term}_sum"] or log[f"{term}_count"] for term in ("mlm", "tlm", "wa", "sa")
    )


def test_the_logged_loss_is_the_weighted_sum_of_the_terms_means(make_task, make_model):
    from fairseq import metrics

    task, model = make_task(), make_model()
    criterion = build_criterion(task, wa_weight=3.0)
    logs = [criterion(model.eval(), s)[2] for s in batches(task)]
    with metrics.aggregate(new_root=True) as aggregate:
        for log in logs:
            AmberCriterion.reduce_metrics([log])
        values = aggregate.get_smoothed_values()
    total = {key: sum(log[key] for log in logs) for key in logs[0]}
    means = {t: total[f"{t}_sum"] / total[f"{t}_count"] for t in ("mlm", "tlm", "wa", "sa")}
    assert values["wa_loss"] == pytest.approx(means["wa"].item(), abs=1e-3)
    assert values["wa_score"] == pytest.approx(1 - means["wa"].item(), abs=1e-3)
    expected = means["mlm"] + means["tlm"] + 3 * means["wa"] + means["sa"]
    assert values["loss"] == pytest.approx(expected.item(), rel=1e-4)
    assert 0 <= values["sa_accuracy"] <= 100 and 0 < values["padding"] < 50


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close_and_finite(make_task, make_model, dtype):
    task = make_task()
    criterion = build_criterion(task)
    sample = first(batches(task), True)
    losses = []
    for model in (make_model(), make_model().to(dtype)):
        loss, _, _ = criterion(model, sample)
        loss.backward()
        assert all(g.isfinite().all() for g in gradients(model).values())
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=3e-2)
