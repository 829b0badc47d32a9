"""The momentum encoder and the queue against twins that are obvious."""

import collections
import copy

import pytest
import torch

from contrastive_twins import (
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
from fairseq_amber.criterions.momentum import PairQueue
from fairseq_amber.criterions.update_pairs import Pairs


@pytest.mark.parametrize("size", [1, 4, 10])
def test_the_queue_wraps_like_a_deque(size):
    """Batches do not divide its size, or exceed it, and some of their pairs do not count."""
    queue, twin = PairQueue(size, 0, 2), collections.deque(maxlen=size)
    generator = torch.Generator().manual_seed(3)
    number = 0
    for _ in range(30):
        n = int(torch.randint(0, 8, (), generator=generator))
        real = torch.rand(n, generator=generator) < 0.7
        keys = torch.stack([torch.arange(number, number + n), torch.arange(n), real.long()], dim=1)
        number += n
        targets = keys[:, :2].float()
        queue.push(Pairs(targets[:, :0], targets, keys), int(real.sum()))
        twin.extend(keys[real].tolist())
        order = [(queue.next + i) % size for i in range(size)]
        kept = [key for key in queue.keys[order].tolist() if key[2]]
        assert kept == list(twin)
        assert queue.targets[order][-len(kept) :].tolist() == [k[:2] for k in kept] or not kept


@pytest.mark.parametrize("queue", [0, 7, 50])
@pytest.mark.parametrize("symmetric, projection", [(False, 0), (True, 5)])
@pytest.mark.parametrize("update_freq", [1, 3])
def test_momentum_and_queue_equal_the_slow_twin_over_many_updates(
    make_task, make_model, many_blocks, queue, symmetric, projection, update_freq
):
    share = {1: 0.4, 3: 0.04}[update_freq]  # so that a step may have no pair
    task = make_task(update_freq=[update_freq], parallel_share=share)
    model = make_model().double()
    criterion = build(
        task,
        model,
        **AMONG_SENTENCES,
        contrast_queue=queue,
        contrast_symmetric=symmetric,
        contrast_projection=projection,
        contrast_momentum=0.7,
    ).double()
    slow_model, slow_projection = copy.deepcopy((model, criterion.projection))
    past = collections.deque(maxlen=queue)
    found = updates_of_pairs(task, update_freq=update_freq, max_tokens=300)
    several_blocks = next(u for u in found if any(min(kinds_of([sample])) > 1 for sample in u))
    chosen = [several_blocks, *found[:3]]
    if update_freq > 1:
        chosen.append(next(u for u in found if not all(sample["npairs"] for sample in u)))
    for update in chosen:
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
        parameters = [p for m in trained for p in m.parameters()]
        wanted = torch.autograd.grad(slow, parameters, allow_unused=True)
        scale = max(gradient.abs().max() for gradient in wanted if gradient is not None)
        for parameter, gradient in zip(parameters, wanted):
            gradient = torch.zeros_like(parameter) if gradient is None else gradient
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-5 * scale, rtol=1e-3)
            parameter.data -= 0.05 * parameter.grad
            parameter.grad = None
        criterion.after_update()
        with torch.no_grad():
            past.extend((n, *(s.detach() for s in v)) for n, v in zip(pairs, zip(*keys)))
            for m, copied in zip(trained, (slow_model, slow_projection)):
                for p, q in zip(m.parameters(), copied.parameters()):
                    q.copy_(0.7 * q + 0.3 * p)


def test_the_momentum_encoder_starts_as_the_trained_model(make_task, make_model):
    """A checkpoint may have changed the model since the encoder was built."""
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
    sample = updates_of_pairs(task)[0][0]
    loss, *_ = criterion(model, sample)
    loss.backward()
    assert loss.isfinite() and all(g.isfinite().all() for g in gradients(model, criterion).values())
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
    sample = updates_of_pairs(task)[0][0]
    for _ in range(2):
        criterion(model.train(), sample)
        criterion.past.after_update()
    first, second = criterion.past.queue.targets[: 2 * sample["npairs"]].chunk(2)
    assert torch.equal(first, second) and first.abs().sum() > 0


def test_an_update_that_is_given_up_leaves_the_queue_alone(make_task, make_model):
    """After an overflow in fp16 fairseq makes no step and does not call ``after_update``."""
    task, model = make_task(), make_model()
    criterion = build(task, model, contrast_momentum=0.9, contrast_queue=99)
    first, second = (updates_of_pairs(task)[i][0] for i in (0, 1))
    criterion(model, first)
    criterion(model, second)
    criterion.after_update()
    assert criterion.past.queue.next == second["npairs"]


def test_candidates_do_not_depend_on_how_an_update_is_cut(make_task, make_model, many_blocks):
    """Nor does the order in which they leave a queue that holds a part of an update."""
    queues = []
    for max_tokens in (200, 2000):
        task, model = make_task(update_tokens=600), make_model()
        criterion = build(task, model, **AMONG_SENTENCES, contrast_momentum=0.9, contrast_queue=5)
        steps = updates(task, max_tokens=max_tokens)
        firsts = [i for i, [sample] in enumerate(steps) if sample["step"] == 0]
        kept = []
        for (first, end), _ in zip(zip(firsts, firsts[1:]), range(4)):
            for [sample] in steps[first:end]:
                criterion(model, sample)
            criterion.after_update()
            kept.append(criterion.past.queue.keys.clone())
        queues.append((kept, firsts[1]))
    (one, steps), (other, fewer) = queues
    assert steps > fewer == 1
    assert torch.equal(torch.stack(one), torch.stack(other)) and one[-1][:, 2].all()
