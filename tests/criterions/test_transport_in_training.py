"""Optimal transport and linked words cope with what fairseq's trainer does to batch and model."""

import pytest
import torch
from fairseq import utils
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.l2_alignment import L2AlignmentConfig
from fairseq_amber.criterions.transport_config import TransportConfig

START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
OT = dict(_name="ot_alignment", **START)
NOTHING = dict(mlm_weight=0.0, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0)
AMBER = dict(_name="amber", **START, ot_weight=1.0, anchor_weight=0.1)
CONFIGS = {
    "transport": TransportConfig(**OT),
    "transport of a lower layer": TransportConfig(**OT, ot_layer=1, anchor_weight=0.0),
    "anchor alone": TransportConfig(**OT, ot_weight=0.0),
    "links": L2AlignmentConfig(_name="l2_alignment", **START, l2_layer=1),
    "links, frozen": L2AlignmentConfig(
        _name="l2_alignment", **START, anchor_weight=0.0, l2_target_states="frozen"
    ),
    "amber": AmberCriterionConfig(**AMBER),
    "amber, transport alone": AmberCriterionConfig(**AMBER, **NOTHING, ot_layer=1),
}


@pytest.fixture
def build(make_task, make_model, word_folder, link_folder):
    """A criterion whose frozen encoder is another model, a model, and batches of an epoch."""

    def make(config, **shape):
        task = make_task(data=str(word_folder), parallel_share=0.05)
        task.model = make_model(seed=1, **shape)
        config = OmegaConf.structured(config)
        if "l2_links" in config:
            config.l2_links = str(link_folder)
        criterion = task.build_criterion(config).train()
        task.model = make_model(seed=2, **shape)
        task.load_dataset("train")
        data = task.datasets["train"]
        plan = task.get_batch_iterator(data, max_tokens=200, seed=1).frozen_batches
        return criterion, task.model, [data.collater([data[i] for i in batch]) for batch in plan]

    return make


@pytest.mark.parametrize("name", CONFIGS)
def test_every_batch_gives_every_parameter_a_gradient(build, name):
    """Every --ddp-backend needs that, also of a step without pairs."""
    criterion, model, samples = build(CONFIGS[name], encoder_layers=3)
    mixed = [sample for sample in samples if sample["npairs"] < sample["nsentences"]]
    without = [sample for sample in samples if not sample["npairs"]]
    assert (len(mixed) > len(without) > 0) == (name == "amber")
    for sample in (*without[:1], *samples[:2]):
        criterion(model, sample)[0].backward()
        assert [n for n, p in model.named_parameters() if p.grad is None] == []
        model.zero_grad(set_to_none=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(ot_scope="sentence"),
        dict(ot_solver="sinkhorn"),
        dict(ot_solver="sinkhorn", ot_mass=0.5, ot_marginals="idf", ot_scope="sentence"),
        dict(ot_solver="sinkhorn", ot_reach=0.5, ot_equal_sentences=True),
    ],
    ids=str,
)
def test_weights_are_exact_in_half_precision(build, dtype, settings):
    """fairseq converts every fp32 tensor of a batch to the data type of the model."""
    criterion, model, samples = build(TransportConfig(**OT, **settings, anchor_weight=0.0))
    for sample in samples[:3]:
        halved = utils.apply_to_sample(
            lambda tensor: tensor.to(dtype) if tensor.dtype is torch.float32 else tensor, sample
        )
        exact, ours = (criterion(model, s)[0].item() for s in (sample, halved))
        assert ours == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CONFIGS)
def test_half_precision_is_close_and_finite(build, dtype, name):
    criterion, model, samples = build(CONFIGS[name])
    for sample in [sample for sample in samples if sample["npairs"]][:2]:
        exact = criterion(model.float(), sample)[0].item()
        model.zero_grad(set_to_none=True)
        loss = criterion(model.to(dtype), sample)[0]
        loss.backward()
        assert loss.item() == pytest.approx(exact, rel=5e-2)
        assert all(p.grad.isfinite().all() for p in model.parameters())
