"""The terms of a loss: how they are normalised, weighted and logged."""

import pytest
import torch

from amber_twins import batches, build_criterion, gradients
from fairseq_amber.criterions.amber import AmberCriterion
from fairseq_amber.criterions.terms import Terms, check_weights
from fairseq_amber.errors import UserError


def sample(**values):
    update = dict(micro_batches=4, mlm_tokens=10, tlm_tokens=20, pairs=5, points=40, links=50)
    return {"filler": False, "nsentences": 3, "normalizers": update, **values}


def loss_of(sample, term, normalized_by=None, **settings):
    terms = Terms({term: 3.0}, sample, normalized_by)
    terms.add(term, torch.tensor([1.0, 2.0]), **settings)
    return terms.loss().item()


@pytest.mark.parametrize(
    "term, count", [("mlm", 10), ("tlm", 20), ("l2", 50), ("wa", 5), ("anchor", 5)]
)
def test_a_term_is_divided_by_its_count_of_the_update(term, count):
    """It is multiplied by the number of micro-batches, by which fairseq divides."""
    assert loss_of(sample(), term) == pytest.approx(3 * 3 / count * 4)
    assert loss_of(sample(filler=True), term) == 0


def test_another_count_than_the_usual_one():
    assert loss_of(sample(), "anchor", {"anchor": "points"}) == pytest.approx(3 * 3 / 40 * 4)


def test_without_an_update_a_term_is_divided_by_its_own_count():
    assert loss_of(sample(normalizers=None), "wa") == pytest.approx(3 * 3 / 2)
    assert loss_of(sample(normalizers=None), "wa", count=6) == pytest.approx(3 * 3 / 6)


@pytest.mark.parametrize(
    "weights, message",
    [
        (dict(mlm=0.0, wa=0.0), "every term has weight 0: raise one of --mlm-weight, --wa-weight"),
        (dict(mlm=1.0, wa=-1.0), "--wa-weight -1.0 is not a finite number"),
        (dict(mlm=float("inf")), "--mlm-weight inf is not a finite number"),
    ],
)
def test_weights_out_of_range(weights, message):
    with pytest.raises(UserError, match=message):
        check_weights(weights)


def test_accumulated_micro_batches_sum_to_the_terms_over_the_whole_update(make_task, make_model):
    """fairseq divides the sum of the gradients by the sum of the sample sizes."""
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


def test_a_filler_adds_nothing(make_task, make_model):
    task, model = make_task(), make_model()
    criterion = build_criterion(task)
    samples = batches(task, world=16, max_tokens=2000)
    filler = next(s for s in samples if s["filler"])
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
