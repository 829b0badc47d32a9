"""The contrastive loss against closed forms and a twin that takes one pair at a time."""

import pytest
import torch

from contrastive_twins import (
    ALONE,
    AMONG_SENTENCES,
    build,
    gradients,
    kinds_of,
    pairs_of,
    slow_contrast,
    updates,
    updates_of_pairs,
    vector,
)
from fairseq_amber.criterions import contrastive_alignment
from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentCriterion


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"contrast_symmetric": True, "contrast_pooling": "mean", "contrast_layer": -1},
        {"contrast_normalize": True, "contrast_temperature": 0.05, "contrast_layer": 1},
        {"contrast_projection": 5, "contrast_symmetric": True},
    ],
)
@pytest.mark.parametrize(
    "weights, update_freq, share",
    [(ALONE, 1, 0.5), (AMONG_SENTENCES, 1, 0.5), (ALONE, 2, 0.5), (AMONG_SENTENCES, 3, 0.05)],
)
def test_an_update_equals_the_slow_twin_in_value_and_gradient(
    make_task, make_model, many_blocks, settings, weights, update_freq, share
):
    """Of one step or of several, some of which have no pair."""
    task = make_task(update_freq=[update_freq], parallel_share=share)
    model = make_model(encoder_layers=3).double()
    criterion = build(task, model, **weights, **settings).double()
    found = updates_of_pairs(task, update_freq=update_freq)
    if update_freq == 3:
        found = [update for update in found if not all(sample["npairs"] for sample in update)]
    update = next(update for update in found if kinds_of(update)[1] > 1)
    assert (kinds_of(update)[0] == 0) == (weights is ALONE)
    loss, logs = 0.0, []
    for sample in update:
        one, size, log = criterion(model, sample)
        one.backward()
        loss += one.item() / update_freq
        logs.append(log)
        assert size == 1
    fast = {name: g / update_freq for name, g in gradients(model, criterion).items()}
    model.zero_grad()
    criterion.zero_grad()

    layer = {None: 2, -1: 3, 1: 1}[settings.get("contrast_layer")]
    pooling = settings.get("contrast_pooling", "cls")
    weight = None if criterion.projection is None else criterion.projection.weight
    pairs = pairs_of(task, update)
    sides = [[vector(model, s, layer, pooling, weight) for s in side] for side in zip(*pairs)]
    keywords = dict(
        temperature=settings.get("contrast_temperature", 0.2),
        normalize=settings.get("contrast_normalize", False),
    )
    own = range(len(pairs))
    slow = slow_contrast(*sides, pairs, own, **keywords)
    if settings.get("contrast_symmetric"):
        slow = (slow + slow_contrast(*sides[::-1], pairs, own, **keywords)) / 2
    slow.backward()
    assert loss == pytest.approx(slow.item(), rel=1e-5)
    total, count = (sum(log[f"contrast_{x}"] for log in logs) for x in ("sum", "count"))
    assert count == len(pairs) and float(total) / count == pytest.approx(slow.item(), rel=1e-5)
    slow_gradients = gradients(model, criterion)
    scale = max(gradient.abs().max() for gradient in slow_gradients.values())
    for name, ours in fast.items():
        theirs = slow_gradients.get(name, torch.zeros_like(ours))
        torch.testing.assert_close(ours, theirs, atol=1e-5 * scale, rtol=1e-3)
    assert set(slow_gradients) <= set(fast)


def test_a_filler_adds_nothing_and_does_not_enter_the_queue(make_task, make_model):
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=9, contrast_projection=4)
    sample = updates_of_pairs(task)[0][0]
    sample["filler"] = True
    sample["normalizers"]["pairs"] = 0
    loss, size, log = criterion(model, sample)
    loss.backward()
    assert size == 1 and loss == 0
    assert not any(gradient.any() for gradient in gradients(model, criterion).values())
    assert log["contrast_count"] == log["contrast_sum"] == 0
    assert criterion.past.queue.keys.abs().sum() == 0 and criterion.past.queue.next == 0


@pytest.mark.parametrize(
    "settings",
    [{}, ALONE, {"contrast_momentum": 0.9}, {"contrast_projection": 3, "contrast_momentum": 0.9}],
)
def test_every_batch_gives_every_parameter_a_gradient(make_task, make_model, settings):
    """Every --ddp-backend needs that, also of a step without pairs."""
    task, model = make_task(update_freq=[2], parallel_share=0.1), make_model(encoder_layers=3)
    criterion = build(task, model, contrast_queue=4 * ("contrast_momentum" in settings), **settings)
    found = updates_of_pairs(task, update_freq=2, max_tokens=200)
    mixed = next(u for u in found if not all(s["npairs"] for s in u) or settings == ALONE)
    for sample in mixed:
        criterion(model, sample)[0].backward()
        for module in (model, criterion):
            assert [n for n, p in module.named_parameters() if p.grad is None] == []
            module.zero_grad(set_to_none=True)


def test_validation_is_among_the_batch_and_per_corpus(make_task, make_model):
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=9).eval()
    task.load_dataset("valid")
    data = task.datasets["valid"]
    plan = task.get_batch_iterator(data, max_tokens=900, seed=1).frozen_batches
    samples = [data.collater([data[item] for item in batch]) for batch in plan]
    sample = next(sample for sample in samples if sample["corpus"] == "de-en")
    _, _, log = criterion(model, sample)
    assert criterion.past.queue.next == 0 and not criterion.past.encoder.started
    assert log["contrast_sum/de-en"] == log["contrast_sum"] > 0
    assert log["contrast_count/de-en"] == sample["npairs"] and log["contrast_sum/de"] == 0
    plain = build(task, model, contrast_candidates="rank")
    assert log["contrast_sum"] == plain(model, sample)[2]["contrast_sum"]


def test_the_terms_are_logged(make_task, make_model):
    from fairseq import metrics

    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_weight=3.0)
    logs = [criterion(model, s)[2] for u in updates(task) for s in u]
    with metrics.aggregate(new_root=True) as aggregate:
        ContrastiveAlignmentCriterion.reduce_metrics(logs)
        values = aggregate.get_smoothed_values()
    expected = values["mlm_loss"] + values["tlm_loss"] + 3 * values["contrast_loss"]
    assert values["loss"] == pytest.approx(expected, rel=1e-3)
    assert 0 <= values["contrast_accuracy"] <= 100 and 0 < values["padding"] < 50


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"contrast_queue": 5}, "--contrast-queue 5 without a momentum encoder"),
        ({"contrast_momentum": 1.0}, r"--contrast-momentum 1.0 is not in \[0, 1\)"),
        ({"contrast_layer": 3}, "--contrast-layer 3: the model has layers 1 to 2"),
        (
            {"contrast_temperature": 0.0},
            "--contrast-temperature 0.0 is not a finite",
        ),
        ({**ALONE, "contrast_weight": 0.0}, "every term has weight 0"),
    ],
)
def test_a_mistake_ends_in_one_clear_line(make_task, make_model, settings, message):
    with pytest.raises(SystemExit, match=message):
        build(make_task(), make_model(), **settings)


def test_a_queue_that_the_memory_does_not_hold(make_task, make_model, monkeypatch):
    def full(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(contrastive_alignment, "PairQueue", full)
    with pytest.raises(SystemExit, match="--contrast-queue 2000000000 do not fit into the memory"):
        build(make_task(), make_model(), contrast_momentum=0.9, contrast_queue=2_000_000_000)


def test_a_checkpoint_without_parts_of_the_state_starts_them_afresh(make_task, make_model, caplog):
    caplog.set_level("WARNING")
    task, model = make_task(), make_model()
    settings = dict(contrast_momentum=0.9, contrast_queue=9, contrast_projection=3)
    old = build(task, model, **settings)
    old(model, updates_of_pairs(task)[0][0])
    same = build(task, model, **settings)
    same.load_state_dict(old.state_dict())
    assert same.past.encoder.started and same.past.queue.next == old.past.queue.next
    assert torch.equal(same.past.queue.targets, old.past.queue.targets)
    assert not caplog.records
    other = build(task, model, **{**settings, "contrast_queue": 5})
    other.load_state_dict(old.state_dict())
    assert other.past.encoder.started and other.past.queue.next == 0
    assert [r.getMessage() for r in caplog.records] == [
        "the checkpoint has no queue of this size: it starts afresh"
    ]
    build(task, model, **settings).load_state_dict(None)
    assert len(caplog.records) == 4


def test_sentences_apart_count_in_the_cost_of_a_pair(make_task, make_model):
    task = make_task()
    build(task, make_model())
    sample = updates_of_pairs(task)[0][0]
    rows = [block["net_input"]["src_tokens"] for block in sample["blocks"]]
    rows += [block["sentences"]["tokens"] for block in sample["blocks"] if block["parallel"]]
    assert sample["ntokens"] == sum(int(r.ne(1).sum()) for r in rows)
    source = next(s for s in task.datasets["train"].sources() if s.parallel)
    index = int(source.indices[0])
    alone = task.datasets["train"].collater([task.datasets["train"][index]])
    [block] = alone["blocks"]
    cost = block["net_input"]["src_tokens"].numel() + block["sentences"]["tokens"].numel()
    assert source.costs[0] == cost
