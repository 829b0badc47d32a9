"""The criterion ``ot_alignment`` against a twin that takes one sentence at a time."""

import pytest
import torch

from transport_twins import batches, check_same, divergence, places, points_of, squares, states


def test_the_paper_pools_the_words_of_a_batch_and_holds_the_mean_target_word(build_transport):
    task, model, criterion, initial = build_transport()
    for sample in batches(task)[:3]:
        pairs = points_of(task, sample, model, initial)
        transport = divergence(*(torch.cat(side) for side in list(zip(*pairs))[:2]))
        expected = transport + torch.cat(squares(pairs)).mean()
        loss, size, log = criterion(model, {**sample, "normalizers": None})
        assert size == 1
        check_same(model, loss, expected)
        assert log["ot_sum"].item() == pytest.approx(transport.item() * len(pairs), rel=1e-5)
        assert log["anchor_count"] == sum(len(y) for _, y, _ in pairs)


def test_the_update_divides_by_its_pairs_and_target_points(build_transport):
    task, model, criterion, initial = build_transport(update_freq=(3,), ot_scope="sentence")
    samples = batches(task, max_tokens=200)[:3]
    loss = sum(criterion(model, sample)[0] for sample in samples) / 3
    pairs = [pair for sample in samples for pair in points_of(task, sample, model, initial)]
    expected = torch.stack([divergence(x, y) for x, y, _ in pairs]).mean()
    check_same(model, loss, expected + torch.cat(squares(pairs)).mean())


def test_english_is_the_target_on_whichever_side_it_is(build_transport):
    task, model, criterion, initial = build_transport(ot_target_language="de", ot_weight=0.0)
    sample = next(s for s in batches(task) if s["corpus"] == "de-en")
    assert sample["points"]["target_side"] == 0
    data = task.datasets["train"]
    losses = []
    for index in sample["id"].tolist():
        x = data[index]["tokens"][0].tolist()
        with torch.no_grad():
            before = states(initial, x)[places(x)]
        losses.append((states(model, x)[places(x)] - before).square().sum(1))
    check_same(
        model, criterion(model, {**sample, "normalizers": None})[0], torch.cat(losses).mean()
    )
