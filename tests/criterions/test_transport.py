"""The optimal transport term against a twin that takes one sentence at a time."""

import copy

import pytest
import torch

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.objectives.optimal_transport import sinkhorn, sinkhorn_divergence
from transport_twins import (
    batches,
    check_same,
    divergence,
    mean_over_pairs,
    points_of,
    problems_of,
    several_blocks,
    squares,
)


@pytest.mark.parametrize(
    "choice, words, specials",
    [
        (dict(ot_points="subwords"), False, False),
        (dict(ot_special_tokens=True), True, True),
        (dict(ot_p=1, ot_blur=0.5, ot_scaling=0.7, ot_biased=True), True, False),
    ],
)
def test_sentence_by_sentence_with_other_points_and_other_settings(
    build_transport, many_blocks, choice, words, specials
):
    task, model, criterion, initial = build_transport(
        ot_scope="sentence", anchor_weight=0.3, **choice
    )
    sample = several_blocks(batches(task)[0])
    settings = {}
    if "ot_p" in choice:
        settings = dict(p=1, blur=0.5, scaling=0.7, debias=False)
    pairs = points_of(task, sample, model, initial, words=words, specials=specials)
    transport = torch.stack([divergence(x, y, **settings) for x, y, _ in pairs]).mean()
    expected = transport + 0.3 * torch.cat(squares(pairs)).mean()
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


def test_equal_sentences_share_the_mass_of_a_pooled_problem_evenly(build_transport, many_blocks):
    task, model, criterion, initial = build_transport(ot_equal_sentences=True, anchor_weight=0.0)
    sample = several_blocks(batches(task)[0])
    pairs = points_of(task, sample, model, initial)

    def cost(problem):
        masses = [
            torch.cat([torch.full((len(pair[side]),), 1 / len(pair[side])) for pair in problem])
            for side in (0, 1)
        ]
        return sinkhorn_divergence(
            *(torch.cat(side)[None] for side in list(zip(*problem))[:2]),
            *(mass[None] / len(problem) for mass in masses),
        )[0]

    expected = mean_over_pairs(problems_of(task, sample, pairs), cost)
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


def test_targets_may_be_those_of_the_frozen_encoder(build_transport, many_blocks):
    task, model, criterion, initial = build_transport(
        ot_target_states="frozen", ot_scope="sentence", anchor_weight=0.0
    )
    sample = several_blocks(batches(task)[0])
    pairs = points_of(task, sample, model, initial)
    expected = torch.stack([divergence(x, before) for x, _, before in pairs]).mean()
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


def cosine(x, y):
    x, y = (side / side.norm(dim=1, keepdim=True) for side in (x, y))
    return 1 - x @ y.t()


@pytest.mark.parametrize(
    "choice",
    [
        dict(),
        dict(ot_reach=0.5),
        dict(ot_mass=0.7),
        dict(ot_marginals="norm"),
        dict(ot_position_weight=0.5),
        dict(ot_cost="sqeuclidean"),
        dict(ot_gradient="unrolled", ot_iterations=5),
        dict(ot_solver="exact"),
    ],
    ids=str,
)
def test_practical_choices(build_transport, many_blocks, choice):
    settings = {"ot_solver": "sinkhorn", "ot_scope": "sentence", "anchor_weight": 0.0, **choice}
    task, model, criterion, initial = build_transport(**settings)
    sample = several_blocks(batches(task)[0])
    costs = []
    for x, y, _ in points_of(task, sample, model, initial):
        if choice.get("ot_cost") == "sqeuclidean":
            cost = (x.unsqueeze(1) - y).square().sum(2)
            norms = [side.detach().square().sum(1).max() for side in (x, y)]
            cost = cost / max(cost.detach().max(), *norms)
        else:
            cost = cosine(x, y)
        if "ot_position_weight" in choice:
            at = [(torch.arange(len(side)) + 0.5) / len(side) for side in (x, y)]
            cost = cost + 0.5 * (at[0].unsqueeze(1) - at[1]).abs()
        weights = [torch.ones(len(side)) for side in (x, y)]
        if choice.get("ot_marginals") == "norm":
            weights = [side.detach().norm(dim=1) for side in (x, y)]
        weights = [w / w.sum() for w in weights]
        if choice.get("ot_solver") == "exact":
            ot = pytest.importorskip("ot")
            doubles = [w.double().numpy() / w.double().sum().item() for w in weights]
            plan = torch.from_numpy(ot.emd(*doubles, cost.detach().double().numpy())).float()
            costs.append((plan * cost).sum())
            continue
        costs.append(
            sinkhorn(
                cost[None],
                *(w[None] for w in weights),
                epsilon=0.1,
                iterations=choice.get("ot_iterations", 50),
                reach=choice.get("ot_reach"),
                mass=choice.get("ot_mass"),
                gradient=choice.get("ot_gradient", "envelope"),
            ).cost[0]
        )
    check_same(
        model, criterion(model, {**sample, "normalizers": None})[0], torch.stack(costs).mean()
    )


AMBER = dict(config=AmberCriterionConfig, name="amber", mlm_weight=0.0, tlm_weight=0.0)


@pytest.mark.parametrize("wa_weight", [0.0, 1.0])
@pytest.mark.parametrize("mlm_weight", [0.0, 1.0])
def test_amber_takes_transport_beside_its_terms(
    build_transport, many_blocks, wa_weight, mlm_weight
):
    """It reads the rows of word alignment, or the sentences by themselves."""
    task, model, criterion, initial = build_transport(
        **{**AMBER, "mlm_weight": mlm_weight},
        wa_weight=wa_weight,
        ot_weight=0.5,
        anchor_weight=0.25,
        ot_scope="sentence",
    )
    sample = several_blocks(batches(task, max_tokens=900)[0])
    assert (sample["npairs"] < sample["nsentences"]) == bool(mlm_weight)
    loss, _, log = criterion(model, sample)
    update = sample["normalizers"]
    pairs = points_of(task, sample, model, initial)
    transport = torch.stack([divergence(x, y) for x, y, _ in pairs]).sum()
    anchor = torch.cat(squares(pairs)).sum()
    assert log["ot_sum"].item() == pytest.approx(transport.item(), rel=1e-5)
    assert log["anchor_sum"].item() == pytest.approx(anchor.item(), rel=1e-5)
    plain = copy.copy(criterion)
    plain.transport = None
    plain.weights = {**criterion.weights, "ot": 0.0, "anchor": 0.0}
    rest = plain(model, sample)[0]
    expected = rest + update["micro_batches"] * (
        0.5 * transport / update["pairs"] + 0.25 * anchor / update["points"]
    )
    check_same(model, loss, expected)
