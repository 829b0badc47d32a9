"""The losses of fine-tuning against a twin that goes row by row; in half precision; in any cut."""

import contextlib

import pytest
import torch
from fairseq import utils

from fairseq_amber.environment import version_tuple

KINDS = ["tagging", "classification", "qa"]


@pytest.fixture(params=KINDS)
def built(request, make_fine_tuning):
    task, model, criterion = make_fine_tuning(request.param)
    task.load_dataset("train")
    return task, model, criterion


def batch(task, indices):
    data = task.datasets["train"]
    return data.collater([data[i] for i in indices])


def one_by_one(task, model, indices):
    """The summed loss, by the formula; every row alone, so without padding."""
    total = 0.0
    for index in indices:
        sample = batch(task, [index])
        if task.kind.name == "tagging":
            scores, width = [], sample["net_input"]["src_tokens"].size(1)
            head = model.heads["tagging"].out_proj
            for row in sample["net_input"]["src_tokens"]:
                row = row[row != task.dictionary.pad()]
                states, _ = model(row[None], features_only=True)
                pad = states.new_zeros(width - len(row), states.size(2))
                scores.append(torch.cat([states[0], pad]) @ head.weight.T + head.bias)
            scores = torch.cat(scores)[sample["net_input"]["token_indices"]]
            targets = [(row, label) for row, label in zip(scores, sample["target"].tolist())]
            share = 1
        elif task.kind.name == "classification":
            states, _ = model(sample["net_input"]["src_tokens"], features_only=True)
            head = model.heads["classification"]
            inner = torch.tanh(states[0, 0] @ head.dense.weight.T + head.dense.bias)
            row = inner @ head.out_proj.weight.T + head.out_proj.bias
            targets = [(row, int(sample["target"][0]))]
            share = 1
        else:
            states, _ = model(sample["net_input"]["src_tokens"], features_only=True)
            head = model.heads["qa"].out_proj
            scores = states[0] @ head.weight.T + head.bias
            targets = [(scores[:, end], int(sample["target"][0, end])) for end in (0, 1)]
            share = 0.5
        for row, label in targets:
            if label >= 0:
                total = total + share * (row.exp().sum().log() - row[label])
    return total


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_equals_the_formula_and_its_gradient(built):
    task, model, criterion = built
    model.double().eval()
    indices = list(range(0, 40, 3))
    loss, sample_size, log = criterion(model, batch(task, indices))
    expected = one_by_one(task, model, indices)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(log["loss"], expected.detach())
    assert sample_size == log["sample_size"] == batch(task, indices)["target_count"]
    ours = gradient(model, loss)
    model.zero_grad(set_to_none=True)
    everything = sum(p.sum() for p in model.parameters())
    theirs = gradient(model, one_by_one(task, model, indices) + 0 * everything)
    torch.testing.assert_close(ours, theirs)


def test_micro_batches_add_up_to_the_batch(built):
    task, model, criterion = built
    model.double().train()  # without dropout
    whole, size, log = criterion(model, batch(task, range(20)))
    together = gradient(model, whole) / size
    parts = [criterion(model, batch(task, some)) for some in (range(3), range(3, 20))]
    apart = gradient(model, sum(part[0] for part in parts)) / sum(part[1] for part in parts)
    torch.testing.assert_close(together, apart)
    for key, value in log.items():
        if key != "positions":  # padding
            assert float(value) == pytest.approx(float(sum(part[2][key] for part in parts)))


def test_the_names_that_checkpoints_keep(make_fine_tuning):
    names = {kind: type(make_fine_tuning(kind)[2]).__name__ for kind in KINDS}
    assert names == {
        "tagging": "XtremeTaggingCriterion",
        "classification": "XtremeClassificationCriterion",
        "qa": "XtremeQaCriterion",
    }


def test_every_parameter_gets_a_gradient(built):
    """c10d wants one of each."""
    task, model, criterion = built
    criterion(model, batch(task, range(4)))[0].backward()
    assert all(p.grad is not None for p in model.parameters())
    assert any(p.grad.any() for p in model.heads.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loss_of_half_precision_is_in_fp32(built, dtype):
    task, model, criterion = built
    if dtype is torch.float16 and not hasattr(torch.nn.functional, "scaled_dot_product_attention"):
        pytest.skip("torch < 2.0 has no half precision on the CPU")
    sample = batch(task, range(6))
    exact = criterion(model.eval(), sample)[0]
    loss, _, log = criterion(model.to(dtype), sample)
    assert loss.dtype == log["loss"].dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.1, atol=0)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_what_has_no_label_does_not_count(built):
    task, model, criterion = built
    model.double()
    sample = batch(task, range(10))
    scores = criterion.scores(model, sample)
    blank = dict(sample, target=torch.full_like(sample["target"], -1), target_count=0)
    loss, sample_size, _ = criterion.loss(scores, blank)
    assert float(loss.detach()) == 0 and sample_size == 0
    assert not gradient(model, loss).any()

    half = sample["target"].clone()
    half[::2] = -1
    scores = criterion.scores(model, sample)
    loss = criterion.loss(scores, dict(sample, target=half))[0]
    rest = dict(sample, target=sample["target"][1::2])
    if task.kind.name == "qa":
        tokens = sample["net_input"]["src_tokens"][1::2]
        rest["net_input"] = dict(sample["net_input"], src_tokens=tokens)
    torch.testing.assert_close(loss, criterion.loss(scores[1::2], rest)[0])


def test_a_filler_has_no_part(built):
    task, model, criterion = built
    filler = dict(batch(task, range(3)), filler=True)
    loss, sample_size, log = criterion(model, filler)
    assert sample_size == 0 and not any(float(value) for value in log.values())
    assert not gradient(model, loss).any()


@pytest.mark.skipif(
    version_tuple(torch.__version__) < (2, 0),
    reason="this torch has few kernels of meta",
)
def test_no_value_is_read_in_a_training_step(built, monkeypatch):
    """See test_no_synchronisation."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: contextlib.nullcontext())
    task, model, criterion = built
    model.to("meta")
    sample = utils.apply_to_sample(lambda tensor: tensor.to("meta"), batch(task, range(5)))
    loss, *_ = criterion(model, sample)
    loss.backward()
    assert loss.is_meta
