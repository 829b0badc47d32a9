"""The criterion against a twin that takes one example at a time and every pass by itself."""

import pytest
import torch
import torch.nn.functional as F

from amber_twins import (
    batch_of,
    batches,
    blocks_of,
    build_criterion,
    examples_of,
    gradients,
    indices_of,
    mean_vector,
    pairs_of,
    slow_alignment,
    slow_sentence_alignment,
    slow_terms,
    states,
)

KINDS = {"sentences": (False,), "pairs": (True,), "both": (False, True)}


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
def test_one_forward_pass_of_each_block_equals_the_slow_twin_in_value_and_gradient(
    make_task, make_model, many_blocks, kinds
):
    task, model = make_task(), make_model().double()
    criterion = build_criterion(task, tlm_weight=1.5, wa_weight=0.5, sa_weight=2.0)
    sample = batch_of(task, indices_of(task, 4, kinds))
    assert [len(blocks_of(sample, kind)) > 1 for kind in (False, True)] == [
        kind in kinds for kind in (False, True)
    ]
    pairs = pairs_of(task, sample)

    loss, sample_size, log = criterion(model, sample)
    loss.backward()
    fast = gradients(model)
    model.zero_grad()
    terms = slow_terms(model, sample, pairs)
    weights = {"mlm": 1.0, "tlm": 1.5, "wa": 0.5, "sa": 2.0}
    slow = sum(weights[name] * term for name, term in terms.items())
    slow.backward()

    assert sample_size == 1
    # our terms are in fp32 by design, whatever the model's type
    torch.testing.assert_close(loss.double(), slow, atol=1e-6, rtol=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(fast[name], gradient, atol=1e-5, rtol=1e-4)
    for name in weights:
        assert (log[f"{name}_count"] > 0) == (name in terms)
        if name in terms:
            mean = log[f"{name}_sum"] / log[f"{name}_count"]
            assert mean == pytest.approx(terms[name].item(), rel=1e-5)


def one_term(task, model, term, **flags):
    """The loss of one term on a batch of both kinds, in which one pair is twice; these pairs."""
    weights = {f"{name}_weight": float(name == term) for name in ("mlm", "tlm", "wa", "sa")}
    criterion = build_criterion(task, **{**weights, **flags})
    indices = indices_of(task, 5)
    sample = batch_of(task, indices + indices[-1:])
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


def one_term_with_gradient(make_task, make_model, term, **flags):
    model = make_model().double()
    loss, _ = one_term(make_task(), model, term, **flags)
    loss.backward()
    return loss, gradients(model)


def test_sentence_vectors_of_word_alignments_rows_are_those_of_separate_encodings(
    make_task, make_model
):
    (apart, expected), (loss, found) = (
        one_term_with_gradient(make_task, make_model, "sa", wa_weight=weight)
        for weight in (0.0, 1e-30)
    )
    torch.testing.assert_close(apart, loss, atol=1e-6, rtol=1e-6)
    for name, gradient in expected.items():
        torch.testing.assert_close(gradient, found[name], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("negatives", ["pair", "update", "all"])
def test_negatives_are_those_of_the_pair_or_of_all_pairs_or_of_all_text(
    make_task, make_model, many_blocks, overlapping, negatives, symmetric
):
    """A monolingual sentence that equals the anchor's source or target is none."""
    task, model = make_task(data=str(overlapping)), make_model().double()
    weights = dict(mlm_weight=1e-30, tlm_weight=0.0, wa_weight=0.0)
    criterion = build_criterion(task, **weights, sa_negatives=negatives, sa_symmetric=symmetric)
    sample = batch_of(task, indices_of(task, 5))
    loss, _, log = criterion(model, sample)
    loss.backward()
    fast = gradients(model)
    model.zero_grad()

    corpora, pairs = zip(*examples_of(task, sample, True))
    sentences = [x for _, (x,) in examples_of(task, sample, False)]
    assert len(set(corpora)) == 2 and len(set(sentences) & {x for pair in pairs for x in pair}) > 2
    choices = {"pair": dict(corpora=corpora), "update": {}, "all": dict(others=sentences)}
    slow = {
        name: slow_sentence_alignment(pairs, mean_vector(model), symmetric=symmetric, **choice)
        for name, choice in choices.items()
    }
    expected = slow.pop(negatives)
    assert all(abs(expected - other) > 1e-3 for other in slow.values())
    expected.backward()
    torch.testing.assert_close(loss.double(), expected.detach(), atol=1e-6, rtol=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(fast[name], gradient, atol=1e-5, rtol=1e-4)
    assert log["sa_count"] == len(pairs)


@pytest.mark.parametrize(
    "flags, message",
    [
        (dict(mlm_weight=0.0, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0), "every term has"),
        (dict(tlm_weight=-1.0), "--tlm-weight -1.0 is not"),
        (dict(wa_weight=float("nan")), "--wa-weight nan is not"),
        (dict(sa_temperature=0.0), "--sa-temperature 0.0 is not a finite"),
        (dict(sa_temperature=float("nan")), "--sa-temperature nan is not a finite"),
        (dict(sa_negatives="all", mlm_weight=0.0), "--sa-negatives all takes the monolingual"),
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
    sample = batches(task)[0]
    for block in blocks_of(sample, True):
        assert "cross" not in block["net_input"] and "sentences" not in block
    rows = [len(block["net_input"]["src_tokens"]) for block in sample["blocks"]]
    assert sum(rows) == sample["nsentences"]
    _, _, log = criterion(make_model(), sample)
    assert log["tlm_count"] > 0 and log["wa_count"] == log["sa_count"] == 0


def test_sentences_alone(make_task):
    task = make_task()
    build_criterion(task, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0)
    assert not any(blocks_of(sample, True) for sample in batches(task))


def test_pairs_alone_without_masking_still_touch_every_parameter(make_task, make_model):
    """Every --ddp-backend needs a gradient of each parameter."""
    task, model = make_task(), make_model()
    criterion = build_criterion(task, mlm_weight=0.0, tlm_weight=0.0)
    sample = batches(task)[0]
    assert not blocks_of(sample, False)
    criterion(model, sample)[0].backward()
    assert {n for n, p in model.named_parameters() if p.grad is None} == set()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close_and_finite(make_task, make_model, dtype):
    task = make_task()
    criterion = build_criterion(task, sa_negatives="all")
    sample = batches(task)[0]
    assert blocks_of(sample, False) and blocks_of(sample, True)
    losses = []
    for model in (make_model(), make_model().to(dtype)):
        loss, _, _ = criterion(model, sample)
        loss.backward()
        assert all(g.isfinite().all() for g in gradients(model).values())
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=3e-2)
