"""The contrast against closed forms and a twin that takes one pair at a time; its momentum encoder
and its queue."""

import collections
import copy

import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.contrastive_alignment import (
    ContrastiveAlignmentConfig,
    ContrastiveAlignmentCriterion,
)

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


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"contrast_symmetric": True, "contrast_pooling": "mean", "contrast_layer": -1},
        {"contrast_normalize": True, "contrast_temperature": 0.05, "contrast_layer": 1},
        {"contrast_projection": 5, "contrast_symmetric": True},
    ],
)
def test_in_batch_equals_the_slow_twin_in_value_and_gradient(make_task, make_model, settings):
    task, model = make_task(), make_model(encoder_layers=3).double()
    criterion = build(task, model, **ALONE, **settings).double()
    sample = parallel_updates(task)[0][0]
    sample["normalizers"] = None
    loss, size, log = criterion(model, sample)
    loss.backward()
    fast = gradients(model, criterion)
    model.zero_grad()
    criterion.zero_grad()

    layer = {None: 2, -1: 3, 1: 1}[settings.get("contrast_layer")]
    pooling = settings.get("contrast_pooling", "cls")
    weight = None if criterion.projection is None else criterion.projection.weight
    pairs = pairs_of(task, [sample])
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
    assert size == 1
    torch.testing.assert_close(loss.double(), slow, atol=1e-5, rtol=1e-5)
    assert log["contrast_sum"] / log["contrast_count"] == pytest.approx(slow.item(), rel=1e-5)
    slow_gradients = gradients(model, criterion)
    # the fast one also gives zeros to what does not matter here
    fast = [g for g in fast if g.abs().max() > 0]
    slow_gradients = [g for g in slow_gradients if g.abs().max() > 0]
    scale = max(g.abs().max() for g in slow_gradients)
    for ours, theirs in zip(fast, slow_gradients):
        torch.testing.assert_close(ours, theirs, atol=1e-5 * scale, rtol=1e-3)
    assert len(fast) == len(slow_gradients)


@pytest.mark.parametrize("queue", [0, 7, 50])
@pytest.mark.parametrize("symmetric, projection", [(False, 0), (True, 5)])
@pytest.mark.parametrize("update_freq", [1, 3])
def test_momentum_and_queue_equal_the_slow_twin_over_many_updates(
    make_task, make_model, queue, symmetric, projection, update_freq
):
    task = make_task(update_freq=[update_freq])
    model = make_model().double()
    criterion = build(
        task,
        model,
        **ALONE,
        contrast_queue=queue,
        contrast_symmetric=symmetric,
        contrast_projection=projection,
        contrast_momentum=0.7,
    ).double()
    slow_model, slow_projection = copy.deepcopy((model, criterion.projection))
    past = collections.deque(maxlen=queue)
    for update in parallel_updates(task, update_freq=update_freq, max_tokens=200)[:5]:
        losses = [criterion(model, sample)[0] for sample in update]
        fast = sum(losses) / len(update)

        pairs = pairs_of(task, update)
        weights = [p and p.weight for p in (criterion.projection, slow_projection)]
        anchors, keys = (
            [[vector(m, s, 2, "cls", w) for s in side] for side in zip(*pairs)]
            for m, w in ((model, weights[0]), (slow_model, weights[1]))
        )
        names = pairs + [name for name, *_ in past]
        own = range(len(pairs))
        keywords = dict(temperature=0.2, normalize=False)
        candidates = keys[1] + [y for _, _, y in past]
        slow = slow_contrast(anchors[0], candidates, names, own, **keywords)
        if symmetric:
            candidates = keys[0] + [x for _, x, _ in past]
            slow = (slow + slow_contrast(anchors[1], candidates, names, own, **keywords)) / 2
        torch.testing.assert_close(fast.double(), slow.detach(), atol=1e-5, rtol=1e-5)

        fast.backward()
        trained = [m for m in (model, criterion.projection) if m is not None]
        for parameter in (p for m in trained for p in m.parameters()):
            if parameter.grad is not None:
                parameter.data -= 0.05 * parameter.grad
                parameter.grad = None
        criterion.after_update()
        with torch.no_grad():
            past.extend((n, *(s.detach() for s in v)) for n, v in zip(pairs, zip(*keys)))
            for m, copied in zip(trained, (slow_model, slow_projection)):
                for p, q in zip(m.parameters(), copied.parameters()):
                    q.copy_(0.7 * q + 0.3 * p)


def test_the_momentum_encoder_starts_as_the_trained_model(make_task, make_model):
    """Whatever a checkpoint has done to the model in the meantime."""
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_projection=3)
    encoder = criterion.past.encoder
    with torch.no_grad():
        for parameter in (*model.parameters(), *criterion.projection.parameters()):
            parameter.add_(1)
    criterion(model, updates(task)[0][0])
    copied = dict(encoder.model.named_buffers())
    assert len(copied) > 20
    for name, average in copied.items():
        assert torch.equal(average, model.get_parameter(name)), name
    assert torch.equal(encoder.projection.weight, criterion.projection.weight)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    before = {name: average.clone() for name, average in copied.items()}
    criterion(model, updates(task)[0][0])
    for name, average in copied.items():
        assert torch.equal(average, before[name]), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_small_steps_are_not_lost_in_half_precision(make_task, make_model, dtype):
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9999, contrast_queue=4).to(dtype)
    model.to(dtype)
    sample = parallel_updates(task)[0][0]
    loss, *_ = criterion(model, sample)
    loss.backward()
    assert loss.isfinite() and all(g.isfinite().all() for g in gradients(model, criterion))
    name = "encoder.sentence_encoder.layers.0.fc1.weight"
    average = dict(criterion.past.encoder.model.named_buffers())[name]
    before = average.clone()
    with torch.no_grad():
        model.get_parameter(name).add_(1)
    for _ in range(10):
        criterion.after_update()
    step = (average - before).mean().item()
    assert step == pytest.approx(1 - 0.9999**10, rel=2e-2)
    assert criterion.past.queue.targets.dtype is torch.float32


def test_dropout_leaves_the_candidates_alone(make_task, make_model):
    task, model = make_task(), make_model(dropout=0.5)
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=99)
    sample = parallel_updates(task)[0][0]
    for _ in range(2):
        criterion(model.train(), sample)
        criterion.past.after_update()
    first, second = criterion.past.queue.targets[: 2 * sample["nsentences"]].chunk(2)
    assert torch.equal(first, second) and first.abs().sum() > 0


def test_an_update_that_is_given_up_leaves_the_queue_alone(make_task, make_model):
    """As after an overflow in fp16: fairseq makes no step, hence no ``after_update``."""
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=99)
    first, second = (parallel_updates(task)[i][0] for i in (0, 1))
    criterion(model, first)
    criterion(model, second)
    criterion.after_update()
    assert criterion.past.queue.next == second["nsentences"]


def test_a_filler_adds_nothing_and_does_not_enter_the_queue(make_task, make_model):
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=9, contrast_projection=4)
    sample = parallel_updates(task)[0][0]
    sample["filler"] = True
    sample["normalizers"]["pairs"] = 0
    loss, size, log = criterion(model, sample)
    loss.backward()
    assert size == 1 and loss == 0
    assert all(g.abs().max() == 0 for g in gradients(model, criterion))
    assert log["contrast_count"] == log["contrast_sum"] == 0
    assert criterion.past.queue.keys.abs().sum() == 0 and criterion.past.queue.next == 0


@pytest.mark.parametrize(
    "settings",
    [{}, ALONE, {"contrast_momentum": 0.9}, {"contrast_projection": 3, "contrast_momentum": 0.9}],
)
def test_every_batch_gives_every_parameter_a_gradient(make_task, make_model, settings):
    """So that every --ddp-backend works."""
    task, model = make_task(), make_model(encoder_layers=3)
    criterion = build(task, model, contrast_queue=4 * ("contrast_momentum" in settings), **settings)
    for sample in {s["parallel"]: s for u in updates(task) for s in u}.values():
        criterion(model, sample)[0].backward()
        for module in (model, criterion):
            assert [n for n, p in module.named_parameters() if p.grad is None] == []
            module.zero_grad(set_to_none=True)


def test_validation_is_among_the_batch_and_per_corpus(make_task, make_model):
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=9).eval()
    sample = parallel_updates(task)[0][0]
    _, _, log = criterion(model, sample)
    assert criterion.past.queue.next == 0 and not criterion.past.encoder.started
    assert log[f"contrast_sum/{sample['corpus']}"] == log["contrast_sum"] > 0
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


def test_a_checkpoint_without_parts_of_the_state_starts_them_afresh(make_task, make_model, caplog):
    caplog.set_level("WARNING")
    task, model = make_task(), make_model()
    settings = dict(contrast_momentum=0.9, contrast_queue=9, contrast_projection=3)
    old = build(task, model, **settings)
    old(model, parallel_updates(task)[0][0])
    same = build(task, model, **settings)
    same.load_state_dict(old.state_dict())
    assert same.past.encoder.started and same.past.queue.next == old.past.queue.next
    assert torch.equal(same.past.queue.targets, old.past.queue.targets)
    assert not caplog.records
    other = build(task, model, **{**settings, "contrast_queue": 5})
    other.load_state_dict(old.state_dict())
    assert other.past.encoder.started and other.past.queue.next == 0
    assert [r.getMessage() for r in caplog.records] == [
        "the checkpoint has no such queue: it starts afresh"
    ]
    build(task, model, **settings).load_state_dict(None)
    assert len(caplog.records) == 4


def test_sentences_apart_count_in_the_cost_of_a_pair(make_task, make_model):
    task = make_task()
    build(task, make_model())
    sample = parallel_updates(task)[0][0]
    rows = [sample["net_input"]["src_tokens"], sample["sentences"]["tokens"]]
    assert sample["ntokens"] == sum(int(r.ne(1).sum()) for r in rows)
    source = next(s for s in task.datasets["train"].sources() if s.parallel)
    costs = dict(zip(source.indices.tolist(), source.costs.tolist()))
    first = task.datasets["train"].collater([task.datasets["train"][source.indices[0]]])
    assert costs[source.indices[0]] == first["ntokens"]
