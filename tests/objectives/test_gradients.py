"""The gradient of every objective against finite differences in fp64, by torch's gradcheck.

The functions are found by importing the room: an objective without a check fails here.
"""

import importlib
import inspect
import pkgutil

import pytest
import torch
from torch.autograd import gradcheck

from fairseq_amber import objectives
from fairseq_amber.objectives import optimal_transport as ot
from fairseq_amber.objectives.anchoring import anchoring_loss
from fairseq_amber.objectives.l2_alignment import linked_distance
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.optimal_transport.sinkhorn import transported
from fairseq_amber.objectives.sentence_alignment import (
    contrastive_loss,
    first_state,
    mean_pool,
    selection_loss,
    similarities,
)
from fairseq_amber.objectives.state_alignment import (
    agreement,
    self_training_score,
    state_maps,
    state_products,
)
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss
from transport_problems import states

# Public functions that have no gradient to check, and why.
WITHOUT_GRADIENT = {
    "at_least_fp32": "a conversion",
    "available": "a question about the machine",
    "is_selected": "bool",
    "log_scalings": "no gradient is recorded",
    "norm_weights": "weights are constants in the gradient",
    "position_cost": "a function of masks",
    "solve": "returns gradients; sinkhorn_divergence is checked with them",
    "uniform_weights": "a function of masks",
}

# Two problems: of 3 and 4 points, and of 2 and 3.
SOURCE_MASK = torch.tensor([[True, True, True], [True, True, False]])
TARGET_MASK = torch.tensor([[True, True, True, True], [True, True, True, False]])
VALID = SOURCE_MASK.unsqueeze(2) & TARGET_MASK.unsqueeze(1)
# Weights that are not equal: the plan of exact transport is unique, its cost differentiable.
WEIGHTS = [
    torch.tensor([[0.2, 0.5, 0.3], [0.35, 0.65, 0.0]], dtype=torch.float64),
    torch.tensor([[0.1, 0.4, 0.27, 0.23], [0.25, 0.45, 0.3, 0.0]], dtype=torch.float64),
]
COST = states(2, 3, 4, seed=3).sigmoid()
IGNORE = torch.tensor([[False, True, False, False]] * 3)
POSITIVES = torch.tensor([3, 0, 1])


def regularised(cost, **settings):
    """The minimum that the envelope gradient of ``sinkhorn`` belongs to.

    The gradient of ``Transport.cost`` is that of ``<P, C> + epsilon KL(P | a (x) b) + ...`` where
    P is the minimiser; the value of ``<P, C>`` alone has another gradient. So the missing terms
    are added as constants: finite differences see them, and backpropagation does not.
    """
    epsilon, reach = settings["epsilon"], settings.get("reach")
    solution = ot.sinkhorn(cost, *WEIGHTS, iterations=200, **settings)
    with torch.no_grad():

        def divergence(p, q):  # KL of masses that need not sum to 1
            return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q) - p + q).flatten(1).sum(1)

        plan, (a, b) = solution.plan, WEIGHTS
        price = epsilon * divergence(plan, a.unsqueeze(2) * b.unsqueeze(1))
        if reach is not None:
            price += reach * (divergence(plan.sum(2), a) + divergence(plan.sum(1), b))
    return solution.cost + price


def differs_in_one_constant_point(x, y):
    """The constant m of ``squared_euclidean_cost`` is a squared norm of points that are not
    differentiated: there, and only there, a constant in the gradient is a constant in the value."""
    far = torch.full((2, 1, 2), 50.0, dtype=torch.float64)
    return ot.squared_euclidean_cost(x, torch.cat([far, y + 40], dim=1), VALID)


def attention(*shape, seed):
    return states(*shape, seed=seed).softmax(dim=-1)


def by_states(function, **settings):
    """An objective of the two maps of states, as a function of the states."""

    def value(x, y):
        masks = SOURCE_MASK, TARGET_MASK
        return function(*state_maps(x, y, *masks, temperature=0.7), *masks, **settings)

    return value, states(2, 3, 2), states(2, 4, 2, seed=1)


CASES = {
    "anchoring_loss": [(lambda x: anchoring_loss(x, states(2, 3, seed=1)), states(2, 3))],
    "linked_distance": [(linked_distance, states(3, 4), states(3, 4, seed=1))],
    "masked_lm_loss": [(lambda x: masked_lm_loss(x, POSITIVES), states(3, 5))],
    "mean_pool": [(lambda x: mean_pool(x, SOURCE_MASK), states(2, 3, 4))],
    "first_state": [(lambda x: first_state(x, SOURCE_MASK), states(2, 3, 4))],
    "similarities": [
        (similarities, states(3, 4), states(4, 4, seed=1)),
        (lambda x, y: similarities(x, y, normalize=True), states(3, 4), states(4, 4, seed=1)),
    ],
    "selection_loss": [(lambda s: selection_loss(s, POSITIVES, IGNORE), states(3, 4))],
    "contrastive_loss": [
        (
            lambda x, y: contrastive_loss(
                x, y, POSITIVES, temperature=0.5, normalize=True, ignore=IGNORE
            ),
            states(3, 4),
            states(4, 4, seed=1),
        )
    ],
    "attention_symmetry_loss": [
        (
            lambda s, t: attention_symmetry_loss(s, t, SOURCE_MASK, TARGET_MASK),
            attention(2, 2, 3, 4, seed=0),
            attention(2, 2, 4, 3, seed=1),
        )
    ],
    "state_maps": [
        (
            lambda x, y, normalize=normalize: state_maps(
                x, y, SOURCE_MASK, TARGET_MASK, temperature=0.7, normalize=normalize
            ),
            states(2, 3, 2),
            states(2, 4, 2, seed=1),
        )
        for normalize in (False, True)
    ],
    "state_products": [
        (
            lambda x, y: state_products(x, y, SOURCE_MASK, TARGET_MASK, temperature=0.7)[VALID],
            states(2, 3, 2),
            states(2, 4, 2, seed=1),
        )
    ],
    "agreement": [by_states(agreement)],
    "self_training_score": [by_states(self_training_score, threshold=0.2)],
    "cosine_cost": [
        (ot.cosine_cost, states(2, 3, 2), states(2, 4, 2, seed=1)),
        (lambda x, y: ot.cosine_cost(x, y, VALID) * VALID, states(2, 3, 2), states(2, 4, 2)),
    ],
    "squared_euclidean_cost": [
        (differs_in_one_constant_point, states(2, 3, 2) + 40, states(2, 3, 2, seed=1))
    ],
    "transported": [(lambda c: transported(COST / 12, c).cost, COST)],
    "exact_transport": [(lambda c: ot.exact_transport(c, *WEIGHTS).cost, COST)],
    "sinkhorn": [
        (lambda c: regularised(c, epsilon=0.1), COST),
        (lambda c: regularised(c, epsilon=0.1, max_cost=1e3), COST),  # the logarithmic domain
        (lambda c: regularised(c, epsilon=0.1, reach=0.5), COST),
        (lambda c: regularised(c, epsilon=0.1, mass=0.6), COST),
        # Unrolled, cost and plan are differentiated as they are, converged or not.
        (lambda c: ot.sinkhorn(c, *WEIGHTS, epsilon=0.1, iterations=3, gradient="unrolled"), COST),
        (
            lambda c: ot.sinkhorn(
                c, *WEIGHTS, epsilon=0.1, iterations=3, gradient="unrolled", mass=0.6
            ),
            COST,
        ),
    ],
    # Its potentials are constants in the gradient, which is right where they have converged: at a
    # high temperature (blur) and with many steps (scaling).
    "sinkhorn_divergence": [
        (
            lambda x, y, p=p, debias=debias: ot.sinkhorn_divergence(
                x, y, *WEIGHTS, p=p, blur=2.0, scaling=0.9995, debias=debias
            ),
            states(2, 3, 2),
            states(2, 4, 2, seed=1),
        )
        for p in (1, 2)
        for debias in (True, False)
    ],
}


def public_functions():
    """The functions that the modules of the room define, by name."""
    found = {}
    for module in pkgutil.walk_packages(objectives.__path__, objectives.__name__ + "."):
        for name, member in vars(importlib.import_module(module.name)).items():
            if inspect.isfunction(member) and member.__module__ == module.name:
                if not name.startswith("_"):
                    found[name] = member
    return found


def test_every_objective_is_checked_or_has_no_gradient():
    assert set(public_functions()) == set(CASES) | set(WITHOUT_GRADIENT)


# Solved with so many iterations that only random directions of their inputs are compared.
ITERATED = ("sinkhorn", "sinkhorn_divergence")


@pytest.mark.parametrize(
    "function, inputs, fast",
    [
        pytest.param(function, inputs, name in ITERATED, id=f"{name}-{number}")
        for name, cases in CASES.items()
        for number, (function, *inputs) in enumerate(cases)
    ],
)
def test_gradients_are_those_of_finite_differences(function, inputs, fast):
    assert all(tensor.dtype == torch.float64 for tensor in inputs)
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    assert gradcheck(function, inputs, fast_mode=fast)


def test_the_divergence_is_checked_in_its_weights_too():
    x, y = states(2, 3, 2), states(2, 4, 2, seed=1)

    def value(logits, other):
        weights = [
            values.masked_fill(~mask, float("-inf")).softmax(dim=1)
            for values, mask in ((logits, SOURCE_MASK), (other, TARGET_MASK))
        ]
        return ot.sinkhorn_divergence(x, y, *weights, blur=2.0, scaling=0.9995)

    inputs = [z.requires_grad_() for z in (states(2, 3), states(2, 4, seed=1))]
    assert gradcheck(value, inputs, fast_mode=True)
