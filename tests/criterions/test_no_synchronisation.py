"""A training step never waits for a tensor's value: no .item(), no shape that depends on data.

Fake tensors have shapes and no values, so that whatever would read one raises.
"""

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig

fake_tensor = pytest.importorskip("torch._subclasses.fake_tensor")

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
    ),
    "amber without word alignment": AmberCriterionConfig(_name="amber", wa_weight=0.0),
    "contrastive": ContrastiveAlignmentConfig(_name="contrastive_alignment"),
    "momentum": ContrastiveAlignmentConfig(
        _name="contrastive_alignment", contrast_momentum=0.9, contrast_queue=50
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("update_freq", [1, 3])
def test_no_value_is_read(make_task, make_model, name, update_freq):
    task = make_task(update_freq=[update_freq])
    model = task.model = make_model(dropout=0.1)
    criterion = task.build_criterion(OmegaConf.structured(CONFIGS[name]))
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=600, seed=1).frozen_batches
    samples = [data.collater([data[i] for i in batch]) for batch in list(plan)[: 2 * update_freq]]
    assert {s["parallel"] for s in samples} == {False, True}
    with fake_tensor.FakeTensorMode(allow_non_fake_inputs=True):
        for sample in samples:
            loss, _, log = criterion(model, sample)
            loss.backward()
            if hasattr(criterion, "after_update"):
                criterion.after_update()
            assert isinstance(loss, fake_tensor.FakeTensor)


def test_such_a_read_would_be_noticed():
    with fake_tensor.FakeTensorMode(allow_non_fake_inputs=True):
        value = torch.ones(3) * 2
        with pytest.raises(Exception, match="item|_local_scalar_dense"):
            value.sum().item()
        with pytest.raises(Exception, match="nonzero"):
            value.nonzero()
