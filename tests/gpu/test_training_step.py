"""On a GPU: a training step never waits for it, in any precision."""

import pytest
import torch
from fairseq import utils
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig
from fairseq_amber.criterions.ot_alignment import OtAlignmentConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


@pytest.fixture
def no_synchronisation():
    """Any operation that waits for the GPU raises."""
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


def prepared(make_task, make_model, dtype, config=None):
    """Two updates, with several parallel steps in each."""
    task = make_task(update_freq=[3], parallel_share=0.8)
    task.model = make_model()
    config = config or AmberCriterionConfig(_name="amber")
    criterion = task.build_criterion(OmegaConf.structured(config))
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=600, seed=1).frozen_batches
    samples = [data.collater([data[i] for i in batch]) for batch in list(plan)[:6]]
    if task.needs.update_candidates:
        assert any("update_sentences" in sample for sample in samples)
    model = task.model.to("cuda", dtype)
    return model, criterion.cuda(), [utils.move_to_cuda(sample) for sample in samples]


# subwords: the toy dictionary marks no words
TRANSPORT = dict(ot_points="subwords", finetune_from_model=None, restore_file="checkpoint_last.pt")
CONFIGS = {
    "amber": AmberCriterionConfig(_name="amber", sa_symmetric=True, wa_heads="0,2"),
    "contrastive": ContrastiveAlignmentConfig(_name="contrastive_alignment"),
    "momentum": ContrastiveAlignmentConfig(
        _name="contrastive_alignment", contrast_momentum=0.9, contrast_queue=50
    ),
    "transport": OtAlignmentConfig(_name="ot_alignment", **TRANSPORT),
    "sentences": OtAlignmentConfig(_name="ot_alignment", ot_scope="sentence", **TRANSPORT),
    "sinkhorn": OtAlignmentConfig(
        _name="ot_alignment", ot_solver="sinkhorn", ot_scope="sentence", ot_mass=0.9, **TRANSPORT
    ),
    "fused": OtAlignmentConfig(
        _name="ot_alignment",
        ot_solver="sinkhorn",
        ot_scope="sentence",
        ot_kernel="triton",
        ot_tolerance=1e-3,
        **TRANSPORT,
    ),
    "amber and transport": AmberCriterionConfig(
        _name="amber", ot_weight=1.0, anchor_weight=0.1, **TRANSPORT
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_never_waits_for_the_gpu(make_task, make_model, no_synchronisation, dtype, name):
    torch.cuda.set_sync_debug_mode("default")
    model, criterion, samples = prepared(make_task, make_model, dtype, CONFIGS[name])
    for sample in samples:  # what is loaded or tuned once
        criterion(model, sample)[0].backward()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    for sample in samples:
        criterion(model, sample)[0].backward()


@pytest.mark.parametrize("dtype, tolerance", [(torch.float16, 2e-2), (torch.bfloat16, 8e-2)])
def test_half_precision_is_close_to_the_cpu(make_task, make_model, dtype, tolerance):
    half, criterion, samples = prepared(make_task, make_model, dtype)
    exact = make_model()
    for sample in samples:
        ours = criterion(half, sample)[0]
        theirs = criterion(exact, utils.move_to_cpu(sample))[0]
        assert ours.item() == pytest.approx(theirs.item(), rel=tolerance)


def test_gradients_equal_those_of_the_cpu(make_task, make_model):
    model, criterion, samples = prepared(make_task, make_model, torch.float64)
    twin = make_model().double()
    for sample in samples:
        criterion(model, sample)[0].backward()
        criterion(twin, utils.move_to_cpu(sample))[0].backward()
    for ours, theirs in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(ours.grad.cpu(), theirs.grad, atol=1e-5, rtol=1e-5)
