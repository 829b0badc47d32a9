"""Weight decay on matrices alone, against torch's AdamW with two groups."""

import pytest
import torch
from fairseq.optim import OPTIMIZER_REGISTRY, FP16Optimizer
from fairseq.optim.fp16_optimizer import MemoryEfficientFP16Optimizer
from omegaconf import OmegaConf

from fairseq_amber.models.bert_adam import BertAdam, BertAdamConfig, decay_groups

LR, DECAY = 0.01, 0.1


def settings(**common):
    cfg = OmegaConf.structured(BertAdamConfig(lr=[LR], adam_betas="(0.9, 0.98)", adam_eps=1e-12))
    cfg.tpu, cfg.weight_decay = False, DECAY
    optimizer = {**OmegaConf.to_container(cfg), "_name": "bert_adam"}
    return OmegaConf.create(
        {
            "optimizer": optimizer,
            "common": {"model_parallel_size": 1, "fp16_scale_window": 128, **common},
            "optimization": {"update_freq": [1]},
            "distributed_training": {"distributed_world_size": 1},
        }
    )


def gradients(parameters, step):
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=generator) for p in parameters]


def train(optimizer, parameters, steps):
    for step in steps:
        optimizer.zero_grad()
        for parameter, gradient in zip(parameters, gradients(parameters, step)):
            parameter.grad = gradient.to(parameter.dtype)
        if isinstance(optimizer, FP16Optimizer):
            optimizer._needs_sync = True
        optimizer.step()


def test_layer_norms_and_biases_are_not_decayed(make_model):
    model = make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    optimizer = BertAdam(settings().optimizer, model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        kept = "layer_norm" in name or "layernorm" in name or name.endswith("bias")
        expected = torch.full_like(parameter, 1.0 if kept else 1 - LR * DECAY)
        torch.testing.assert_close(parameter.data, expected, rtol=0, atol=1e-7, msg=name)


def test_equals_adamw_with_two_groups_over_several_steps(make_model):
    model, oracle = make_model(), make_model()
    parameters, expected = list(model.parameters()), list(oracle.parameters())
    matrices = [p for n, p in oracle.named_parameters() if p.dim() > 1]
    others = [p for n, p in oracle.named_parameters() if p.dim() < 2]
    adamw = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=LR,
        betas=(0.9, 0.98),
        eps=1e-12,  # fairseq's is divided by the bias correction
    )
    train(BertAdam(settings().optimizer, parameters), parameters, range(5))
    train(adamw, expected, range(5))
    assert matrices and others
    for ours, theirs in zip(parameters, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "wrapper, common",
    [
        (FP16Optimizer, {"bf16": True}),
        (MemoryEfficientFP16Optimizer, {"bf16": True, "memory_efficient_bf16": True}),
    ],
    ids=["bf16", "memory-efficient-bf16"],
)
def test_half_precision_has_the_same_groups(make_model, wrapper, common):
    model = make_model().bfloat16()
    parameters = list(model.parameters())
    optimizer = wrapper.build_optimizer(settings(**common), parameters)
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    shapes = [{p.dim() for p in group["params"]} for group in optimizer.param_groups]
    assert decays == [DECAY, 0.0] and shapes == [{2}, {1}]
    before = [p.detach().clone() for p in parameters]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer._needs_sync = True
    optimizer.set_lr(1.0)  # a small step is less than the spacing of bfloat16
    optimizer.step()
    for old, new in zip(before, parameters):
        assert torch.equal(old, new) if old.dim() < 2 else new.norm() < old.norm()


def test_fp16_needs_a_copy_of_each_parameter(make_model):
    parameters = list(make_model().half().parameters())
    cfg = settings(
        fp16=True,
        fp16_no_flatten_grads=True,
        fp16_init_scale=4,
        fp16_scale_tolerance=0.0,
        threshold_loss_scale=None,
        min_loss_scale=1e-4,
    )
    optimizer = FP16Optimizer.build_optimizer(cfg, parameters)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [DECAY, 0.0]
    assert all(p.dtype == torch.float32 for p in optimizer.fp32_optimizer.params)
    flat = torch.nn.Parameter(torch.cat([p.data.float().view(-1) for p in parameters]))
    with pytest.raises(SystemExit, match="bert_adam tells .*: add --fp16-no-flatten-grads$"):
        BertAdam(cfg.optimizer, [flat])
    assert not optimizer.fp32_optimizer.supports_flat_params


def test_resuming_equals_not_having_stopped(make_model):
    whole, half = list(make_model().parameters()), list(make_model().parameters())
    train(BertAdam(settings().optimizer, whole), whole, range(6))
    first = BertAdam(settings().optimizer, half)
    train(first, half, range(3))
    second = BertAdam(settings().optimizer, half)
    second.load_state_dict(first.state_dict())
    train(second, half, range(3, 6))
    for ours, theirs in zip(whole, half):
        assert torch.equal(ours, theirs)


def test_an_override_of_the_decay_is_one_of_matrices(make_model):
    parameters = list(make_model().parameters())
    first = BertAdam(settings().optimizer, parameters)
    first.load_state_dict(first.state_dict(), {"weight_decay": 0.5})
    assert [group["weight_decay"] for group in first.param_groups] == [0.5, 0.0]


def test_the_state_of_another_optimizer_is_refused(make_model):
    parameters = list(make_model().parameters())
    cfg = settings().optimizer
    other = OPTIMIZER_REGISTRY["adam"](cfg, parameters)
    with pytest.raises(SystemExit, match="is not bert_adam: .* or start .* --reset-optimizer$"):
        BertAdam(cfg, parameters).load_state_dict(other.state_dict())


def test_every_parameter_is_in_one_group():
    parameters = [torch.zeros(size) for size in ((2, 3), (3,), (), (1, 1), (2, 2, 2))]
    matrices, others = decay_groups(iter(parameters))
    assert [p.shape for p in matrices["params"]] == [(2, 3), (1, 1), (2, 2, 2)]
    assert [p.shape for p in others["params"]] == [(3,), ()]
    assert "weight_decay" not in matrices and others["weight_decay"] == 0.0


def test_it_is_registered_for_both_programs():
    from hydra.core.config_store import ConfigStore

    assert OPTIMIZER_REGISTRY["bert_adam"] is BertAdam
    assert "bert_adam.yaml" in ConfigStore.instance().repo["optimizer"]
