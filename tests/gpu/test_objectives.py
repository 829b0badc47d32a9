"""On a GPU: every objective, in every precision, against its slow twin in fp64 on the CPU.

The twin gets the same numbers, rounded to the tested precision. So the values differ only by the
rounding in the objective, and the gradients also by the rounding to their own type.
"""

import pytest
import torch

import slow_twins
from fairseq_amber.objectives import optimal_transport as transport
from fairseq_amber.objectives.anchoring import anchoring_loss
from fairseq_amber.objectives.l2_alignment import linked_distance
from fairseq_amber.objectives.masked_lm import masked_lm_loss
from fairseq_amber.objectives.optimal_transport import triton_kernel
from fairseq_amber.objectives.sentence_alignment import contrastive_loss, mean_pool
from fairseq_amber.objectives.state_alignment import agreement, self_training_score, state_maps
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss

pytestmark = pytest.mark.gpu

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(params=DTYPES, ids=lambda dtype: str(dtype).split(".")[1])
def dtype(request):
    return request.param


@pytest.fixture
def compare(device, dtype):
    """``(fast, slow, leaves, valid=None)``: checks the losses of the leaves, and the gradient of
    their weighted sum, against the twin, also under autocast. ``valid`` has a mask for each leaf:
    elements outside may have any value and get no gradient."""

    def check(fast, slow, leaves, valid=None, value=1e-5):
        rounded = [leaf.to(dtype) for leaf in leaves]
        valid = valid or [torch.ones_like(leaf, dtype=torch.bool) for leaf in leaves]
        theirs = [leaf.double().requires_grad_() for leaf in rounded]
        wanted = slow(*theirs)
        weights = torch.linspace(-1, 2, wanted.numel(), dtype=torch.float64).view(wanted.shape)
        gradients = torch.autograd.grad((wanted * weights).sum(), theirs)
        for autocast in (None, torch.bfloat16, torch.float16):
            ours = [leaf.detach().to(device).requires_grad_() for leaf in rounded]
            with torch.autocast(device.type, autocast, enabled=autocast is not None):
                loss = fast(*ours)
            assert loss.dtype == torch.float32
            torch.testing.assert_close(loss.cpu().double(), wanted, atol=value, rtol=value)
            (loss * weights.to(device).float()).sum().backward()
            for leaf, gradient, inside in zip(ours, gradients, valid):
                own = leaf.grad.cpu().double()
                tolerance = 4 * torch.finfo(dtype).eps + 10 * value
                scale = gradient.abs().max().clamp_min(1e-3)
                assert (own - gradient)[inside].abs().max() <= tolerance * scale
                assert not own[~inside].any()

    return check


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lengths_to_mask(lengths, width):
    return torch.arange(width) < torch.tensor(lengths)[:, None]


def test_masked_lm(device, compare):
    targets = torch.tensor([0, 999, 5, 17, 5])
    compare(
        lambda logits: masked_lm_loss(logits, targets.to(device)),
        lambda logits: slow_twins.masked_lm(logits, targets),
        [3 * normal(5, 1000)],
    )


@pytest.mark.parametrize("temperature, normalize", [(1.0, False), (0.05, True), (2.0, False)])
def test_sentence_alignment(device, compare, temperature, normalize):
    positives = torch.tensor([6, 0, 3, 3])
    ignore = normal(4, 7, seed=3) < -0.5
    ignore[0, 6] = True  # the positive of an anchor counts all the same
    settings = dict(temperature=temperature, normalize=normalize)
    compare(
        lambda *sides: contrastive_loss(
            *sides, positives.to(device), ignore=ignore.to(device), **settings
        ),
        lambda *sides: slow_twins.contrastive(*sides, positives, ignore=ignore, **settings),
        [normal(4, 64), normal(7, 64, seed=1)],
        value=1e-4,
    )


def test_mean_of_a_sentence(device, compare):
    mask = lengths_to_mask([5, 1, 3], 5)
    compare(
        lambda states: mean_pool(states, mask.to(device)),
        lambda states: torch.stack([row[here].mean(0) for row, here in zip(states, mask)]),
        [normal(3, 5, 8)],
        [mask.unsqueeze(2).expand(3, 5, 8)],
    )


def test_word_alignment(device, compare):
    x, y = [1, 6, 4, 3], [5, 1, 6, 2]
    masks = lengths_to_mask(x, 6), lengths_to_mask(y, 6)
    valid = (masks[0][:, :, None] & masks[1][:, None, :])[:, None].expand(4, 3, 6, 6)
    maps = normal(2, 4, 3, 6, 6).softmax(-1)
    compare(
        lambda *maps: attention_symmetry_loss(*maps, *(mask.to(device) for mask in masks)),
        lambda *maps: slow_twins.attention_symmetry(*maps, x, y),
        list(maps),
        [valid, valid.transpose(2, 3)],
    )


@pytest.mark.parametrize("temperature, normalize", [(4.0, False), (0.3, True)])
@pytest.mark.parametrize("target", ["symmetric", "self"])
def test_word_alignment_by_states(device, compare, target, temperature, normalize):
    x, y = [1, 6, 4, 3], [5, 1, 6, 2]
    masks = lengths_to_mask(x, 6), lengths_to_mask(y, 6)
    settings = dict(temperature=temperature, normalize=normalize)

    def fast(*states):
        here = [mask.to(device) for mask in masks]
        maps = state_maps(*states, *here, **settings)
        if target == "self":
            return self_training_score(*maps, *here, threshold=0.2)
        return agreement(*maps, *here)

    def slow(*states):
        maps = slow_twins.word_maps(*states, x, y, **settings)
        return (
            slow_twins.self_training(*maps, 0.2)
            if target == "self"
            else (slow_twins.map_agreement(*maps))
        )

    valid = [mask.unsqueeze(2).expand(4, 6, 16) for mask in masks]
    compare(fast, slow, [normal(4, 6, 16), normal(4, 6, 16, seed=1)], valid, value=1e-4)


def test_linked_words(compare):
    def twin(x, y):
        return torch.stack([(a - b).norm() ** 2 for a, b in zip(x, y)])

    compare(linked_distance, twin, [normal(5, 64), normal(5, 64, seed=1)])


def test_anchoring(device, compare):
    initial = normal(2, 3, 64, seed=1)
    compare(
        lambda states: anchoring_loss(states, initial.to(device)),
        lambda states: (states - initial.double()).norm(dim=-1) ** 2,
        [normal(2, 3, 64)],
    )


def ragged(batch=6, most=12, other=15):
    """Masks and weights that sum to 1; one problem has one point, and one is full."""
    lengths = [[1, most, 5, 7, 2, 9], [4, other, 1, 15, 2, 8]]
    masks = [lengths_to_mask(some, width) for some, width in zip(lengths, (most, other))]
    weights = [(0.1 + normal(*mask.shape).abs()) * mask for mask in masks]
    return masks, [some / some.sum(1, keepdim=True) for some in weights]


@pytest.mark.parametrize("name", ["cosine", "squared euclidean", "position"])
def test_transport_costs(device, dtype, compare, name):
    masks, _ = ragged()
    valid = masks[0].unsqueeze(2) & masks[1].unsqueeze(1)
    here = [mask.to(device) for mask in masks]

    def places(mask):
        return torch.stack([(torch.arange(mask.size(1)) + 0.5) / row.sum() for row in mask])

    def fast(x, y):
        if name == "cosine":
            return transport.cosine_cost(x, y, valid.to(device)) * valid.to(device)
        if name == "squared euclidean":
            return transport.squared_euclidean_cost(x, y, valid.to(device))
        extra = transport.position_cost(*here) * valid.to(device)
        return extra + 0 * (x.float().sum() + y.float().sum())

    def slow(x, y):
        if name == "cosine":
            norms = x.norm(dim=2)[:, :, None] * y.norm(dim=2)[:, None, :]
            return (1 - x @ y.transpose(1, 2) / norms) * valid
        if name == "squared euclidean":
            squares = (x.unsqueeze(2) - y.unsqueeze(1)).square().sum(3) * valid
            sizes = [(z.square().sum(2) * mask).amax(1) for z, mask in zip((x, y), masks)]
            largest = torch.stack([squares.amax((1, 2)), *sizes]).amax(0).detach()
            return squares / largest[:, None, None]
        distance = (places(masks[0])[:, :, None] - places(masks[1])[:, None, :]).abs()
        return distance.double() * valid + 0 * (x.sum() + y.sum())

    leaves = [normal(6, 12, 16), normal(6, 15, 16, seed=1)]
    counted = [mask.unsqueeze(2).expand_as(leaf) for mask, leaf in zip(masks, leaves)]
    compare(fast, slow, leaves, counted)


SINKHORNS = {
    "exponential": dict(max_cost=1.0),
    "logarithmic": dict(),
    "low temperature": dict(epsilon=0.01, iterations=100),
    "unbalanced": dict(max_cost=1.0, reach=0.5),
    "unrolled": dict(max_cost=1.0, iterations=10, gradient="unrolled"),
    "fused": dict(kernel="triton"),
    "fused, unbalanced": dict(kernel="triton", reach=0.5),
}


@pytest.mark.parametrize("name", SINKHORNS)
def test_sinkhorn(device, compare, name):
    masks, weights = ragged()
    settings = {"epsilon": 0.1, **SINKHORNS[name]}
    if "kernel" in settings and not triton_kernel.available(torch.zeros(1, 1, 1, device=device)):
        pytest.skip("the kernel needs a CUDA GPU and Triton 3")
    own = {key: settings[key] for key in ("epsilon", "iterations", "reach") if key in settings}
    sides = [some.to(device) for some in weights]
    compare(
        lambda cost: transport.sinkhorn(cost, *sides, **settings).cost,
        lambda cost: slow_twins.sinkhorn_costs(
            cost,
            *(some.double() for some in weights),
            envelope=settings.get("gradient") != "unrolled",
            **own,
        ),
        [normal(6, 12, 15).sigmoid()],
        [masks[0].unsqueeze(2) & masks[1].unsqueeze(1)],
        value=2e-5,
    )


@pytest.mark.parametrize("mass", [0.2, 0.7])
def test_partial_transport(device, compare, mass):
    """The twin runs the same iterations in fp64; tests/objectives compares them with POT."""
    masks, weights = ragged()
    settings = dict(epsilon=0.1, mass=mass, iterations=200)
    sides = [some.to(device) for some in weights]
    compare(
        lambda cost: transport.sinkhorn(cost, *sides, max_cost=1.0, **settings).cost,
        lambda cost: (
            transport.sinkhorn(cost, *(some.double() for some in weights), **settings).cost
        ),
        [normal(6, 12, 15).sigmoid()],
        [masks[0].unsqueeze(2) & masks[1].unsqueeze(1)],
        value=2e-5,
    )


@pytest.mark.parametrize(
    "settings", [dict(), dict(p=1), dict(debias=False), dict(blur=0.5)], ids=str
)
def test_sinkhorn_divergence(device, compare, settings):
    masks, weights = ragged()
    sides = [some.to(device) for some in weights]

    def twin(x, y):
        pairs = zip(x, y, *(some.double() for some in weights), *masks)
        return torch.stack(
            [
                slow_twins.sinkhorn_divergence(p[i], q[j], a[i], b[j], **settings)
                for p, q, a, b, i, j in pairs
            ]
        )

    leaves = [normal(6, 12, 16), normal(6, 15, 16, seed=1) + 0.3]
    compare(
        lambda x, y: transport.sinkhorn_divergence(x, y, *sides, **settings),
        twin,
        leaves,
        [mask.unsqueeze(2).expand_as(leaf) for mask, leaf in zip(masks, leaves)],
    )


def test_exact_transport(device, dtype, compare):
    """The plans of POT are the gradients of the twin."""
    ot = pytest.importorskip("ot", reason="POT is not installed")
    masks, weights = ragged()
    sides = [some.to(device) for some in weights]

    def twin(cost):
        costs = []
        for problem, a, b in zip(cost, *(some.double() for some in weights)):
            inside = problem[a > 0][:, b > 0]
            a, b = a[a > 0], b[b > 0]
            plan = ot.emd((a / a.sum()).numpy(), (b / b.sum()).numpy(), inside.detach().numpy())
            costs.append((torch.from_numpy(plan) * inside).sum())
        return torch.stack(costs)

    compare(
        lambda cost: transport.exact_transport(cost, *sides).cost,
        twin,
        [normal(6, 12, 15).sigmoid()],
        [masks[0].unsqueeze(2) & masks[1].unsqueeze(1)],
    )
