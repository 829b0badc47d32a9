"""A training step never waits for a tensor's value: no .item(), no shape that depends on data.

Tensors on the device ``meta`` have shapes but no values. So every operation that would read a
value, or combine such a tensor with one on the CPU, raises an error. The device is not the CPU, so
that the code for GPUs runs.
"""

import contextlib
import sys

import pytest
import torch
from fairseq import utils
from omegaconf import OmegaConf

from amber_twins import blocks_of, indices_of, update_of
from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig
from fairseq_amber.criterions.l2_alignment import L2AlignmentConfig
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.environment import version_tuple
from toy_corpora import make_blocks_cheap
from word_contrasts import word_contrasts

if version_tuple(torch.__version__) < (2, 0):
    pytest.skip("this torch computes little on the device meta", allow_module_level=True)

START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
OT = dict(_name="ot_alignment", **START)
PRACTICAL = dict(**OT, ot_solver="sinkhorn", ot_scope="sentence", ot_position_weight=0.1)

CONFIGS = {
    "amber": AmberCriterionConfig(_name="amber"),
    "amber, all choices": AmberCriterionConfig(
        _name="amber",
        sa_symmetric=True,
        sa_normalize=True,
        wa_heads="0,2",
        wa_layer=1,
        sa_layer=1,
        wa_include_diagonal=True,
        sa_negatives="all",
    ),
    "amber, negatives of the pair": AmberCriterionConfig(_name="amber", sa_negatives="pair"),
    "amber, candidates of the step": AmberCriterionConfig(_name="amber", sa_candidates="step"),
    "amber without word alignment": AmberCriterionConfig(_name="amber", wa_weight=0.0),
    "amber, states apart": AmberCriterionConfig(
        _name="amber", wa_map="states", wa_target="self", wa_layer=1, sa_layer=2
    ),
    "amber, states together": AmberCriterionConfig(
        _name="amber", wa_map="states", wa_map_encoding="joint", wa_map_normalize=True
    ),
    "contrastive": ContrastiveAlignmentConfig(_name="contrastive_alignment"),
    "momentum": ContrastiveAlignmentConfig(
        _name="contrastive_alignment", contrast_momentum=0.9, contrast_queue=50
    ),
    "transport": TransportConfig(**OT),
    "transport, one distance": TransportConfig(**OT, ot_p=1, ot_scope="sentence"),
    "transport, sinkhorn": TransportConfig(**PRACTICAL),
    "transport, logarithms": TransportConfig(**PRACTICAL, ot_epsilon=0.01, ot_tolerance=0.1),
    "transport, unbalanced": TransportConfig(**PRACTICAL, ot_reach=1.0, ot_marginals="norm"),
    "transport, partial": TransportConfig(**PRACTICAL, ot_mass=0.8, ot_cost="sqeuclidean"),
    "transport, unrolled": TransportConfig(**PRACTICAL, ot_gradient="unrolled"),
    "transport, frozen": TransportConfig(**OT, ot_target_states="frozen", ot_marginals="idf"),
    **word_contrasts(START),
    "links": L2AlignmentConfig(_name="l2_alignment", **START),
    "links, frozen": L2AlignmentConfig(
        _name="l2_alignment", **START, l2_target_states="frozen", l2_special_tokens=True
    ),
    "amber and transport": AmberCriterionConfig(
        _name="amber", **START, ot_weight=1.0, anchor_weight=0.1
    ),
    "amber and transport without word alignment": AmberCriterionConfig(
        _name="amber", **START, wa_weight=0.0, ot_weight=1.0, anchor_weight=0.1
    ),
}


@pytest.fixture
def no_autocast(monkeypatch):
    """Autocast does not know the device ``meta``, and there is nothing to turn off."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: contextlib.nullcontext())


@pytest.fixture
def run(make_task, make_model, word_folder, link_folder, monkeypatch, no_autocast):
    """``(config, update_freq) ->`` the losses of two updates of one step, or of one update of three
    steps, after their backward passes. Micro-batches have several blocks of both kinds of text, if
    the criterion reads both; of three steps, one has no pair then."""

    make_blocks_cheap(monkeypatch, 14)  # fewer, as Python computes every shape

    def steps(config, update_freq=1):
        task = make_task(data=str(word_folder))
        model = task.model = make_model(dropout=0.1)
        config = OmegaConf.structured(config)
        if "l2_links" in config:
            config.l2_links = str(link_folder)
        if config.get("contrast_units") == "words":
            config.contrast_links = str(link_folder)
        criterion = task.build_criterion(config).to("meta")
        model.to("meta")
        both = indices_of(task, 3)
        without = indices_of(task, 3, (not task.needs.mlm,))
        updates = {1: ([both], [both]), 3: ([both, without, both],)}[update_freq]
        samples = [sample for update in updates for sample in update_of(task, update)]
        for sample in samples:
            for parallel in {True, not task.needs.mlm}:
                assert sample is samples[1] or len(blocks_of(sample, parallel)) > 1
            sample = utils.apply_to_sample(lambda tensor: tensor.to("meta"), sample)
            loss, *_ = criterion(model, sample)
            loss.backward()
            if hasattr(criterion, "after_update"):
                criterion.after_update()
            yield loss

    return steps


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("update_freq", [1, 3])
def test_no_value_is_read(run, name, update_freq):
    losses = list(run(CONFIGS[name], update_freq))
    assert len(losses) > 1 and all(loss.is_meta for loss in losses)


def test_a_gpu_need_not_be_asked_which_domain_is_safe(run, monkeypatch):
    """The largest cost is known, so that the slower logarithmic domain is not needed."""
    module = sys.modules["fairseq_amber.objectives.optimal_transport.sinkhorn"]
    monkeypatch.setattr(module, "Logarithmic", None)
    for name in ("transport, sinkhorn", "transport, unbalanced", "transport, partial"):
        list(run(CONFIGS[name]))
    with pytest.raises(TypeError):
        list(run(CONFIGS["transport, logarithms"]))


def test_such_a_read_would_be_noticed():
    value = torch.ones(3, device="meta") * 2
    for read in (torch.sum, torch.argmax):
        with pytest.raises(RuntimeError, match="item"):
            read(value).item()
    for read in (torch.nonzero, torch.unique, torch.Tensor.cpu, lambda value: value[value > 1]):
        with pytest.raises(RuntimeError, match="(?i)meta|data-independent"):
            read(value)
    with pytest.raises(RuntimeError, match="cpu"):
        value + torch.ones(3)
