"""The criterion against a twin that takes one example at a time and every pass by itself."""

import pytest
import torch
import torch.nn.functional as F

from amber_twins import (
    batches,
    build_criterion,
    first,
    gradients,
    pairs_of,
    slow_alignment,
    slow_loss,
    slow_sentence_alignment,
    states,
)


@pytest.mark.parametrize("parallel", [False, True])
def test_one_forward_pass_equals_the_slow_twin_in_value_and_gradient(
    make_task, make_model, parallel
):
    task, model = make_task(), make_model().double()
    criterion = build_criterion(task, wa_weight=0.5, sa_weight=2.0)
    dataset_batches = batches(task, max_tokens=400)
    sample = first(dataset_batches, parallel)
    pairs = pairs_of(task, sample) if parallel else []
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


def one_term(task, model, term, **flags):
    """The loss of one term on a batch of pairs, one of which is there twice; and these pairs."""
    weights = {f"{name}_weight": float(name == term) for name in ("mlm", "tlm", "wa", "sa")}
    criterion = build_criterion(task, **{**weights, **flags})
    task.load_dataset("train")
    data = task.datasets["train"]
    parallel = [i for i in range(len(data)) if data[i]["corpus"].parallel][:9]
    sample = data.collater([data[i] for i in parallel + parallel[:1]])
    loss, _, _ = criterion(model, sample)
    return loss, pairs_of(task, sample)


@pytest.mark.parametrize(
    "flags, slow",
    [
        (dict(wa_include_diagonal=True), dict(diagonal=1)),
        (dict(wa_heads="1,3"), dict(heads=(1, 3))),
        (dict(wa_layer=1), dict(layer=1)),
        (dict(wa_include_special_tokens=True), dict(specials=1)),
        (dict(wa_layer=2, wa_heads="0,1,2,3"), dict()),
    ],
)
def test_choices_of_word_alignment(make_task, make_model, flags, slow):
    task, model = make_task(), make_model().double()
    loss, pairs = one_term(task, model, "wa", **flags)
    expected = sum(slow_alignment(model, x, y, **slow) for x, y in pairs) / len(pairs)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    default = sum(slow_alignment(model, x, y) for x, y in pairs) / len(pairs)
    assert (abs(expected - default) > 1e-4) == bool(slow)


def cosine(a, b):
    return F.cosine_similarity(a, b, dim=0) / 0.1


@pytest.mark.parametrize(
    "flags, layer, pool, slow",
    [
        (dict(sa_layer=1), 1, lambda x: x.mean(0), {}),
        (dict(sa_pooling="cls"), -1, lambda x: x[0], {}),
        (dict(sa_skip_special_tokens=True), -1, lambda x: x[1:-1].mean(0), {}),
        (dict(sa_symmetric=True), -1, lambda x: x.mean(0), dict(symmetric=True)),
        (
            dict(sa_normalize=True, sa_temperature=0.1),
            -1,
            lambda x: x.mean(0),
            dict(similarity=cosine),
        ),
    ],
)
def test_choices_of_sentence_alignment(make_task, make_model, flags, layer, pool, slow):
    task, model = make_task(), make_model().double()
    loss, pairs = one_term(task, model, "sa", **flags)
    expected = slow_sentence_alignment(
        pairs, lambda side: pool(states(model, [0, *side, 2], layer)), **slow
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_sentence_vectors_of_word_alignments_rows_are_those_of_separate_encodings(
    make_task, make_model
):
    losses = []
    for wa_weight in (0.0, 1e-30):
        model = make_model().double()
        loss, _ = one_term(make_task(), model, "sa", wa_weight=wa_weight)
        loss.backward()
        losses.append((loss, gradients(model)))
    torch.testing.assert_close(losses[0][0], losses[1][0], atol=1e-6, rtol=1e-6)
    for name, gradient in losses[0][1].items():
        torch.testing.assert_close(gradient, losses[1][1][name], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "flags, message",
    [
        (dict(mlm_weight=0.0, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0), "every term has"),
        (dict(tlm_weight=-1.0), "--tlm-weight -1.0 is not"),
        (dict(wa_weight=float("nan")), "--wa-weight nan is not"),
        (dict(sa_temperature=0.0), "--sa-temperature 0.0 is not a finite"),
        (dict(sa_temperature=float("nan")), "--sa-temperature nan is not a finite"),
        (dict(wa_heads="0,x"), "--wa-heads '0,x' is not a list"),
        (dict(wa_heads="1,1"), "--wa-heads '1,1' is not a list"),
        (dict(wa_heads="0,4"), "--wa-heads 4: the model's heads are 0 to 3"),
        (dict(wa_layer=3), "--wa-layer 3: the model has layers 1 to 2"),
        (dict(sa_layer=0), "--sa-layer 0: the model has layers 1 to 2"),
    ],
)
def test_impossible_choices_end_in_one_line(make_task, make_model, flags, message):
    """They do so before training begins."""
    task = make_task()
    task.model = make_model()
    with pytest.raises(SystemExit, match=message):
        build_criterion(task, **flags)


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
    """Every --ddp-backend needs a gradient of each parameter."""
    task, model = make_task(), make_model()
    criterion = build_criterion(task, mlm_weight=0.0, tlm_weight=0.0)
    loss, _, _ = criterion(model, first(batches(task), True))
    loss.backward()
    assert {n for n, p in model.named_parameters() if p.grad is None} == set()


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
