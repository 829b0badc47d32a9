"""On a GPU: a training step of every criterion never waits for it, in any precision."""

import pytest
import torch
from fairseq import utils
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig
from fairseq_amber.criterions.l2_alignment import L2AlignmentConfig
from fairseq_amber.criterions.transport_config import TransportConfig
from toy_corpora import make_blocks_cheap
from word_contrasts import word_contrasts

pytestmark = pytest.mark.gpu

DTYPES = [torch.float32, torch.float16, torch.bfloat16]

START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
OT = dict(_name="ot_alignment", **START)
SENTENCES = dict(**OT, ot_solver="sinkhorn", ot_scope="sentence")
CONFIGS = {
    "amber": AmberCriterionConfig(_name="amber", sa_symmetric=True, wa_heads="0,2"),
    "amber, all negatives": AmberCriterionConfig(_name="amber", wa_weight=0.0, sa_negatives="all"),
    "amber, states apart": AmberCriterionConfig(
        _name="amber", wa_map="states", wa_map_temperature=4.0, wa_target="self"
    ),
    "amber, states together": AmberCriterionConfig(
        _name="amber", wa_map="states", wa_map_temperature=4.0, wa_map_encoding="joint"
    ),
    "contrastive": ContrastiveAlignmentConfig(_name="contrastive_alignment"),
    "momentum": ContrastiveAlignmentConfig(
        _name="contrastive_alignment",
        contrast_momentum=0.9,
        contrast_queue=50,
        contrast_projection=8,
        contrast_symmetric=True,
    ),
    "transport": TransportConfig(**OT),
    "transport, sentences": TransportConfig(**OT, ot_p=1, ot_scope="sentence"),
    "transport, frozen": TransportConfig(**OT, ot_target_states="frozen", ot_marginals="idf"),
    "sinkhorn": TransportConfig(**SENTENCES, ot_position_weight=0.1),
    "sinkhorn, logarithms": TransportConfig(**SENTENCES, ot_epsilon=0.01, ot_tolerance=0.1),
    "sinkhorn, unbalanced": TransportConfig(**SENTENCES, ot_reach=1.0, ot_marginals="norm"),
    "sinkhorn, partial": TransportConfig(**SENTENCES, ot_mass=0.9, ot_cost="sqeuclidean"),
    "sinkhorn, unrolled": TransportConfig(**SENTENCES, ot_gradient="unrolled"),
    "sinkhorn, fused": TransportConfig(**SENTENCES, ot_kernel="triton", ot_tolerance=1e-3),
    **word_contrasts(START),
    "links": L2AlignmentConfig(_name="l2_alignment", **START),
    "links, frozen": L2AlignmentConfig(
        _name="l2_alignment", **START, l2_target_states="frozen", l2_special_tokens=True
    ),
    "amber and transport": AmberCriterionConfig(
        _name="amber", **START, ot_weight=1.0, anchor_weight=0.1
    ),
}


@pytest.fixture
def alignment(make_task, make_model, word_folder, link_folder, monkeypatch):
    """``(config, device, dtype) ->`` a model, a criterion, and two updates of several steps, whose
    micro-batches have several blocks."""

    make_blocks_cheap(monkeypatch, 16)

    def prepare(config, device, dtype):
        task = make_task(data=str(word_folder), update_freq=[3], parallel_share=0.8)
        task.model = make_model()
        config = OmegaConf.structured(config)
        if "l2_links" in config:
            config.l2_links = str(link_folder)
        if config.get("contrast_units") == "words":
            config.contrast_links = str(link_folder)
        criterion = task.build_criterion(config)
        task.load_dataset("train")
        data = task.datasets["train"]
        plan = task.get_batch_iterator(data, max_tokens=600, seed=1).frozen_batches
        samples = [data.collater([data[i] for i in batch]) for batch in plan[:6]]
        assert max(len(sample["blocks"]) for sample in samples) > 1
        if task.needs.update_candidates:
            assert any("update_sentences" in sample for sample in samples)
        return placed(task.model, criterion, samples, device, dtype)

    return prepare


def placed(model, criterion, samples, device, dtype):
    """Moves all three to the device and to the data type, as fairseq's trainer does."""
    samples = [utils.apply_to_sample(lambda tensor: tensor.to(device), some) for some in samples]
    return model.to(device, dtype), criterion.to(device, dtype), samples


def step(model, criterion, samples):
    """Runs the training steps and returns the losses."""
    losses = []
    for sample in samples:
        loss = criterion(model, sample)[0]
        loss.backward()
        if hasattr(criterion, "after_update"):
            criterion.after_update()
        losses.append(loss.detach())
    return losses


def assert_never_waits(never_waiting, model, criterion, samples):
    if samples[0]["id"].is_cuda:
        step(model, criterion, samples)  # loads, moves and compiles what later steps keep
    with never_waiting():
        losses = step(model, criterion, samples)
    assert all(loss.isfinite() for loss in losses)
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_never_waits_for_the_gpu(alignment, device, never_waiting, dtype, name):
    assert_never_waits(never_waiting, *alignment(CONFIGS[name], device, dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["tagging", "classification", "qa"])
def test_a_step_of_fine_tuning_never_waits_for_the_gpu(
    make_fine_tuning, device, never_waiting, dtype, kind
):
    task, model, criterion = make_fine_tuning(kind)
    task.load_dataset("train")
    data = task.datasets["train"]
    batches = [range(first, first + 8) for first in (0, 8, 16)]
    samples = [data.collater([data[i] for i in batch]) for batch in batches]
    model.train()
    assert_never_waits(never_waiting, *placed(model, criterion, samples, device, dtype))


def test_the_check_notices_what_waits(device, never_waiting):
    if device.type != "cuda":
        pytest.skip("a CPU waits for nothing")
    value = torch.ones(3, device=device)
    with never_waiting(), pytest.raises(RuntimeError, match="synchroniz"):
        value.sum().item()


@pytest.mark.parametrize("dtype, tolerance", [(torch.float16, 2e-2), (torch.bfloat16, 8e-2)])
@pytest.mark.parametrize("name", ["amber", "amber, states together", "contrastive", "links"])
def test_half_precision_is_close_to_the_cpu(alignment, device, name, dtype, tolerance):
    halved = step(*alignment(CONFIGS[name], device, dtype))
    exact = step(*alignment(CONFIGS[name], "cpu", torch.float32))
    for ours, theirs in zip(halved, exact):
        assert ours.item() == pytest.approx(theirs.item(), rel=tolerance)


@pytest.mark.parametrize(
    "name", ["amber", "amber, all negatives", "contrastive", "transport", "links"]
)
def test_losses_and_gradients_equal_those_of_the_cpu(alignment, device, name):
    (model, *ours), (twin, *theirs) = (
        alignment(CONFIGS[name], place, torch.float64) for place in (device, "cpu")
    )
    for loss, expected in zip(step(model, *ours), step(twin, *theirs)):
        torch.testing.assert_close(loss.cpu(), expected, atol=1e-5, rtol=1e-5)
    for one, other in zip(model.parameters(), twin.parameters()):
        if one.grad is not None or other.grad is not None:
            torch.testing.assert_close(one.grad.cpu(), other.grad, atol=1e-5, rtol=1e-5)
