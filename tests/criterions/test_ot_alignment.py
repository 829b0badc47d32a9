"""The criterion ``ot_alignment`` against a twin that takes one sentence at a time."""

import pytest
import torch

from transport_twins import (
    batches,
    check_same,
    divergence,
    mean_over_pairs,
    pairs_of,
    places,
    points_of,
    pooled_divergence,
    problems_of,
    several_blocks,
    squares,
    states,
)


def test_the_paper_pools_the_words_of_a_batch_and_holds_the_mean_target_word(
    build_transport, many_blocks
):
    """A batch of several pairs of languages has one pool for each."""
    task, model, criterion, initial = build_transport()
    for sample in map(several_blocks, batches(task)[:3]):
        pairs = points_of(task, sample, model, initial)
        transport = mean_over_pairs(problems_of(task, sample, pairs), pooled_divergence)
        expected = transport + torch.cat(squares(pairs)).mean()
        loss, size, log = criterion(model, {**sample, "normalizers": None})
        assert size == 1
        check_same(model, loss, expected)
        assert log["ot_sum"].item() == pytest.approx(transport.item() * len(pairs), rel=1e-5)
        assert log["ot_count"] == len(pairs)
        assert log["anchor_count"] == sum(len(y) for _, y, _ in pairs)


@pytest.mark.parametrize("scope", ["batch", "sentence"])
def test_the_update_divides_by_its_pairs_and_target_points(build_transport, many_blocks, scope):
    task, model, criterion, initial = build_transport(update_freq=(3,), ot_scope=scope)
    samples = list(map(several_blocks, batches(task)[:3]))
    loss = sum(criterion(model, sample)[0] for sample in samples) / 3
    problems, pairs = [], []
    for sample in samples:
        some = points_of(task, sample, model, initial)
        problems += problems_of(task, sample, some)
        pairs += some
    if scope == "sentence":
        problems = [[pair] for pair in pairs]
    expected = mean_over_pairs(problems, pooled_divergence)
    check_same(model, loss, expected + torch.cat(squares(pairs)).mean())


def test_the_target_language_is_the_target_on_whichever_side_it_is(build_transport, many_blocks):
    """In a pair without it, the second side is."""
    task, model, criterion, initial = build_transport(
        ot_target_language="de", ot_scope="sentence", anchor_weight=0.5
    )
    sample = several_blocks(batches(task)[0])
    costs, losses, names = [], [], set()
    for name, *sides in pairs_of(task, sample):
        names.add(name)
        x, y = sides[::-1] if name == "de-en" else sides
        with torch.no_grad():
            before = states(initial, y)[places(y)]
        ends = states(model, y)[places(y)]
        costs.append(divergence(states(model, x)[places(x)], ends))
        losses.append((ends - before).square().sum(1))
    assert names == {"de-en", "tr-en"}
    expected = torch.stack(costs).mean() + 0.5 * torch.cat(losses).mean()
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)
