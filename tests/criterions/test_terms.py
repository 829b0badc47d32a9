"""The terms of a loss: how they are normalised, weighted and logged."""

import pytest
import torch

from amber_twins import batches, build_criterion, gradients
from fairseq_amber.criterions.amber import AmberCriterion
from fairseq_amber.criterions.contrastive_term import ContrastiveTerm
from fairseq_amber.criterions.terms import Terms, check_frozen, check_weights
from fairseq_amber.errors import UserError


def sample(**values):
    update = dict(micro_batches=4, mlm_tokens=10, tlm_tokens=20, pairs=5, points=40, links=50)
    batch = {"filler": False, "nsentences": 3, "npairs": 2, "ntokens": 30, "blocks": []}
    return {**batch, "normalizers": update, **values}


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


def test_the_losses_of_all_blocks_add_up():
    terms = Terms({"mlm": 3.0, "tlm": 0.0, "sa": 1.0}, sample())
    for losses in ([1.0, 2.0], [4.0]):
        terms.add("mlm", torch.tensor(losses))
        terms.log("right", torch.tensor(losses).sum())
    terms.add("tlm", torch.tensor([9.0]))
    assert terms.loss().item() == pytest.approx(3 * 7 / 10 * 4)
    log = terms.logging_output(["right"])
    assert (log["mlm_sum"], log["mlm_count"], log["right"]) == (7, 3, 7)
    assert log["sa_count"] == log["sa_sum"] == 0 and log["tlm_count"] == 1


def test_a_fillers_sentences_get_a_gradient_although_its_own_anchors_do_not_count():
    """They are candidates of other ranks."""
    total = torch.tensor(5.0, requires_grad=True)
    terms = Terms({"sa": 3.0}, sample(filler=True))
    zero = torch.tensor(0.0)
    terms.add_contrastive("sa", ContrastiveTerm(total, zero, zero))
    loss = terms.loss()
    loss.backward()
    assert loss == 0 and total.grad == pytest.approx(3 / 5 * 4)
    log = terms.logging_output(["sa_correct"])
    assert log["sa_count"] == log["sa_sum"] == log["sa_correct"] == log["npairs"] == 0


def test_each_corpus_of_validation_has_its_own_sums():
    values = dict(corpora=("de", "en"), corpus="en")
    terms = Terms({"mlm": 1.0}, sample(**values))
    terms.add("mlm", torch.tensor([1.0, 2.0]))
    log = terms.logging_output(per_corpus=True)
    assert (log["mlm_sum/en"], log["mlm_count/en"]) == (3, 2)
    assert (log["mlm_sum/de"], log["mlm_count/de"]) == (0, 0)


def test_all_rows_of_all_blocks_count_in_the_padding():
    def block(*shape, **parts):
        return {"net_input": {"src_tokens": torch.ones(shape)}, **parts}

    apart = {"tokens": torch.ones(4, 5)}
    blocks = [block(3, 7), block(0, 6, sentences=apart), block(2, 2)]
    terms = Terms({"mlm": 1.0}, sample(blocks=blocks))
    terms.add("mlm", torch.tensor([1.0]))
    assert terms.logging_output()["positions"] == 21 + 20 + 4


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


def test_under_a_frozen_encoder_the_language_model_head_alone_learns():
    check_frozen(dict(mlm=1.0, tlm=0.5, wa=0.0))
    with pytest.raises(UserError, match="from wa, sa: give --wa-weight 0 --sa-weight 0, or drop"):
        check_frozen(dict(mlm=1.0, tlm=1.0, wa=1.0, sa=1.0))
    with pytest.raises(UserError, match="from ot, anchor: drop --freeze-encoder$"):
        check_frozen(dict(ot=1.0, anchor=0.1))


def test_accumulated_micro_batches_sum_to_the_terms_over_the_whole_update(make_task, make_model):
    """fairseq divides the sum of the gradients by the sum of the sample sizes."""
    task = make_task(update_freq=[4])
    criterion, model = build_criterion(task), make_model()
    update = batches(task, max_tokens=300)[:4]
    assert all(0 < s["npairs"] < s["nsentences"] for s in update)
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


@pytest.mark.parametrize("kind", ["sentence", "pair"])
def test_a_filler_adds_nothing(make_task, make_model, kind):
    task = make_task()
    model = task.model = make_model()
    criterion = build_criterion(task, mlm_weight=float(kind == "sentence"))
    samples = batches(task, world=16, max_tokens=2000)
    filler = next(s for s in samples if s["filler"])
    assert filler["npairs"] == (kind == "pair")
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
