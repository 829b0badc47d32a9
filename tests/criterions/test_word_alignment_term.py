"""Word alignment by states, against a twin that encodes every sentence by itself."""

import pytest
import torch

import slow_twins
from amber_twins import (
    batch_of,
    blocks_of,
    build_criterion,
    gradients,
    indices_of,
    pairs_of,
    slow_sentence_alignment,
    states,
)
from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.word_alignment_term import WordAlignmentTerm

ALONE = dict(mlm_weight=0.0, tlm_weight=0.0, sa_weight=0.0)
APART = dict(wa_map="states", wa_map_temperature=4.0)
JOINT = dict(APART, wa_map_encoding="joint")
SELF = dict(wa_target="self", wa_target_threshold=0.2)


def word_states(model, x, y, joint=False, layer=-1, end=0):
    """The states of the aligned tokens of both sentences, each row by itself."""
    if joint:
        row = states(model, [0, *x, 2, *y, 2], layer)
        first = len(x) + 2
        return row[1 : 1 + len(x) + end], row[first : first + len(y) + end]
    return tuple(states(model, [0, *side, 2], layer)[1 : 1 + len(side) + end] for side in (x, y))


def slow_scores(model, pairs, temperature=4.0, normalize=False, threshold=None, **settings):
    """The agreement of the maps of each pair, or its self-training score."""
    scores = []
    for x, y in pairs:
        sides = [side[None] for side in word_states(model, x, y, **settings)]
        lengths = [[side.size(1)] for side in sides]
        maps = slow_twins.word_maps(*sides, *lengths, temperature, normalize)
        if threshold is None:
            scores.append(slow_twins.map_agreement(*maps)[0])
        else:
            scores.append(slow_twins.self_training(*maps, threshold)[0])
    return torch.stack(scores)


@pytest.mark.parametrize(
    "flags, slow",
    [
        (APART, dict()),
        (JOINT, dict(joint=True)),
        (dict(APART, **SELF), dict(threshold=0.2)),
        (dict(JOINT, **SELF), dict(joint=True, threshold=0.2)),
        (dict(APART, wa_layer=1), dict(layer=1)),
        (dict(JOINT, wa_layer=1), dict(joint=True, layer=1)),
        (dict(APART, wa_include_special_tokens=True), dict(end=1)),
        (dict(JOINT, wa_include_special_tokens=True), dict(joint=True, end=1)),
        (
            dict(APART, wa_map_normalize=True, wa_map_temperature=0.3),
            dict(temperature=0.3, normalize=True),
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("tlm_weight", [0.0, 1e-30])
def test_equals_the_slow_twin_in_value_and_gradient(
    make_task, make_model, many_blocks, flags, slow, tlm_weight
):
    """Also where masked rows of the same pairs are encoded beside them."""
    task, model = make_task(), make_model().double()
    criterion = build_criterion(task, **{**ALONE, **flags, "tlm_weight": tlm_weight})
    sample = batch_of(task, indices_of(task, 5, (True,)))
    pairs = pairs_of(task, sample)
    assert len(blocks_of(sample, True)) > 1
    loss, _, log = criterion(model, sample)
    loss.backward()
    fast = gradients(model)
    model.zero_grad()

    scores = slow_scores(model, pairs, **slow)
    assert scores.min() > 0 and len(set(scores.tolist())) > 3
    expected = -scores.mean() if "threshold" in slow else 1 - scores.mean()
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), atol=1e-9, rtol=1e-9)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(fast[name], gradient, atol=1e-9, rtol=1e-6)
    agreed = slow_scores(model, pairs, **{**slow, "threshold": None})
    assert log["wa_score"].item() == pytest.approx(agreed.sum().item())
    assert log["wa_count"] == len(pairs)


@pytest.mark.parametrize("flags", [APART, JOINT])
def test_every_parameter_has_a_gradient_even_above_the_layer(make_task, make_model, flags):
    """Every --ddp-backend needs a gradient of each parameter."""
    task, model = make_task(), make_model()
    criterion = build_criterion(task, **ALONE, **flags, wa_layer=1)
    criterion(model, batch_of(task, indices_of(task, 3, (True,))))[0].backward()
    assert {n for n, p in model.named_parameters() if p.grad is None} == set()


@pytest.mark.parametrize("flags, joint", [(APART, False), (JOINT, True)])
@pytest.mark.parametrize("sa_layer", [1, 2])
def test_sentence_alignment_reads_its_own_layer_beside_it(
    make_task, make_model, many_blocks, flags, joint, sa_layer
):
    task, model = make_task(), make_model().double()
    task.model = model
    criterion = build_criterion(task, **{**ALONE, **flags, "sa_weight": 1.0, "sa_layer": sa_layer})
    sample = batch_of(task, indices_of(task, 5, (True,)))
    pairs = pairs_of(task, sample)
    loss, _, log = criterion(model, sample)

    def vector(side):
        return states(model, [0, *side, 2], sa_layer).mean(0)

    expected = 1 - slow_scores(model, pairs, joint=joint).mean()
    expected = expected + slow_sentence_alignment(pairs, vector)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("sa_weight", [0.0, 1.0])
def test_sentences_by_themselves_are_encoded_once_for_all_terms(
    make_task, make_model, monkeypatch, sa_weight
):
    task, model = make_task(), make_model()
    criterion = build_criterion(
        task, **{**ALONE, **APART, "sa_weight": sa_weight, "sa_layer": 1, "wa_layer": 2}
    )
    sample = batch_of(task, indices_of(task, 3, (True,)))
    assert "cross" not in sample["blocks"][0]["net_input"]
    forward, rows = model.forward, []
    monkeypatch.setattr(
        model,
        "forward",
        lambda *a, **k: rows.append(a[0] if a else k["src_tokens"]) or forward(*a, **k),
    )
    criterion(model, sample)
    assert [len(some) for some in rows if some.numel()] == [
        2 * block["pair_widths"][0] for block in sample["blocks"]
    ]


def test_only_the_rows_that_are_read_are_asked_for(make_task):
    needs = {
        name: build_criterion(make_task(), **{**ALONE, **flags}).needs
        for name, flags in (("attention", {}), ("apart", APART), ("joint", JOINT))
    }
    assert [n.rows_per_pair for n in needs.values()] == [2, 0, 1]
    assert [n.sentences for n in needs.values()] == [False, True, False]
    assert [n.word_states for n in needs.values()] == [None, "apart", "joint"]
    both = build_criterion(make_task(), **{**ALONE, **JOINT, "sa_weight": 1.0}).needs
    assert both.sentences and both.rows_per_pair == 1
    without = build_criterion(make_task(), **{**ALONE, "wa_weight": 0.0, "sa_weight": 1.0}).needs
    assert without.word_states is None and without.sentences and not without.alignment


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("flags", [APART, JOINT, dict(APART, **SELF)], ids=str)
def test_half_precision_is_close_and_finite(make_task, make_model, flags, dtype):
    task = make_task()
    criterion = build_criterion(task, **ALONE, **flags)
    sample = batch_of(task, indices_of(task, 6, (True,)))
    losses = []
    for model in (make_model(), make_model().to(dtype)):
        loss, _, _ = criterion(model, sample)
        loss.backward()
        assert loss.dtype is torch.float32
        assert all(g.isfinite().all() for g in gradients(model).values())
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=3e-2)


@pytest.mark.parametrize(
    "flags, message",
    [
        (dict(wa_map="states", wa_heads="0"), "--wa-heads has no effect on --wa-map states: drop"),
        (
            dict(wa_map="states", wa_include_diagonal=True),
            "--wa-include-diagonal has no effect on --wa-map states",
        ),
        (dict(wa_map_temperature=2.0), "--wa-map-temperature has no effect on --wa-map attention"),
        (dict(wa_map_normalize=True), "--wa-map-normalize has no effect on --wa-map attention"),
        (dict(wa_map_encoding="joint"), "--wa-map-encoding has no effect on --wa-map attention"),
        (dict(wa_target="self"), "--wa-target has no effect on --wa-map attention: .*add --wa-map"),
        (
            dict(wa_target_threshold=0.1),
            "--wa-target-threshold has no effect on --wa-map attention",
        ),
        (
            dict(wa_map="states", wa_target_threshold=0.1),
            "--wa-target-threshold has no effect on --wa-target symmetric",
        ),
        (dict(APART, wa_map_temperature=0.0), "--wa-map-temperature 0.0 is not a finite number"),
        (dict(APART, wa_map_temperature=float("nan")), "--wa-map-temperature nan is not"),
        (dict(APART, **SELF, wa_layer=3), "--wa-layer 3: the model has layers 1 to 2"),
        (
            dict(APART, wa_target="self", wa_target_threshold=1.0),
            "--wa-target-threshold 1.0 is not a probability",
        ),
    ],
)
def test_impossible_choices_end_in_one_line(make_task, make_model, flags, message):
    task = make_task()
    task.model = make_model()
    with pytest.raises(SystemExit, match=message):
        build_criterion(task, **flags)


def test_the_default_is_the_attention_of_the_last_layer():
    term = WordAlignmentTerm(AmberCriterionConfig())
    assert term.attention and term.states is None
    assert term.passes(1) == dict(attention_layer=-1, sentence_layer=1, include_diagonal=False)
