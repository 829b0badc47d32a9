"""What each method links, on states that are made for it."""

import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.token_encoder import PairStates
from fairseq_amber.inference.word_alignment import methods
from fairseq_amber.inference.word_alignment.methods import linker, settings_of

NOTHING_GIVEN = {
    **{"alpha": 0.9, "epsilon": 0.1, "iterations": None, "reach": None},
    **{"temperature": None, "threshold": None, "dot_product": False},
}


def settings(method, **given):
    return settings_of(method, **{**NOTHING_GIVEN, **given})


def states_with_cosines(cosines):
    """Unit vectors with these cosines, of one pair."""
    cosines = torch.tensor(cosines)
    rest = (1 - cosines.square().sum(0)).sqrt()
    target = torch.cat([cosines.T, rest[:, None]], dim=1)
    source = torch.eye(target.size(1))[: len(cosines)]
    everything = [torch.ones(1, len(side), dtype=torch.bool) for side in (source, target)]
    return PairStates(source[None], target[None], *everything)


@pytest.mark.parametrize(
    "method, given, cosines, links",
    [
        # As SimAlign, on (1 + cosine) / 2: 0.9 * 0.45 and 0.9 * 0.4 are more than 0.1.
        ("itermax", {}, [[0.9, -0.2], [-0.1, -0.8]], [[0, 0], [0, 1], [1, 0]]),
        ("similarity", {}, [[-0.6, -0.5], [-0.7, -0.2]], [[1, 1]]),
        # The margin is 0.1 * ln 999, and 2 * 0.1 for entmax.
        ("softmax", {"temperature": 0.1}, [[0.9, 0.25], [0.15, 0.1]], [[0, 0], [0, 1], [1, 1]]),
        ("softmax", {"temperature": 0.1, "threshold": 0.5}, [[0.9, 0.1], [0.3, 0.2]], [[0, 0]]),
        ("entmax", {"temperature": 0.1}, [[0.9, 0.1], [0.1, 0.25]], [[0, 0], [1, 1]]),
        ("entmax", {"temperature": 0.1}, [[0.7, 0.6], [0.55, 0.4]], [[0, 0], [0, 1], [1, 0]]),
    ],
)
def test_links_of_cosines_that_are_known(method, given, cosines, links):
    found = linker(method, **settings(method, **given))(states_with_cosines(cosines))
    assert found.aligned[0].nonzero().tolist() == links


def test_no_mass_is_no_link(monkeypatch):
    plan = torch.tensor([[[0.0, 0.0], [0.0, 0.5]]])
    monkeypatch.setattr(methods, "transport_plan", lambda *states, **settings: plan)
    found = linker("transport", **settings("transport"))(states_with_cosines([[0.5, 0], [0, 0.5]]))
    assert found.aligned[0].nonzero().tolist() == [[1, 1]]


def awesome_align(source, target, source_is_padding, target_is_padding, threshold):
    """Links and probabilities of BertGuideHead in awesome-align's modeling.py, masked as there."""
    products = torch.matmul(source, target.transpose(-1, -2))
    to_target = products - 10000.0 * target_is_padding.float()[:, None, :]
    to_source = products - 10000.0 * source_is_padding.float()[:, :, None]
    p, q = torch.nn.Softmax(dim=-1)(to_target), torch.nn.Softmax(dim=-2)(to_source)
    links = (p > threshold) * (q > threshold)
    lengths = [(~side).sum(-1).view(-1, 1, 1) for side in (source_is_padding, target_is_padding)]
    p = torch.nn.Softmax(dim=-1)(to_target / torch.sqrt(lengths[1]))
    q = torch.nn.Softmax(dim=-2)(to_source / torch.sqrt(lengths[0]))
    return links, (2 * p * q) / (p + q + 1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_softmax_of_products_is_that_of_awesome_align(dtype):
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.randn(6, n, 16, generator=generator) for n in (9, 7))
    target[:, :6] += source[:, :6]
    source, target = source.to(dtype), target.to(dtype)
    lengths = torch.tensor([[9, 7], [1, 7], [9, 1], [1, 1], [5, 4], [3, 6]])
    masks = [torch.arange(n) < lengths[:, side, None] for side, n in enumerate((9, 7))]
    found = linker("softmax", **settings("softmax", dot_product=True))(
        PairStates(source, target, *masks)
    )
    links, scores = awesome_align(source.float(), target.float(), *(~m for m in masks), 0.001)
    inside = masks[0][:, :, None] & masks[1][:, None, :]
    assert torch.equal(found.aligned, links & inside)
    torch.testing.assert_close(found.scores, scores * inside, atol=1e-5, rtol=1e-4)
    assert found.aligned[3].nonzero().tolist() == [[0, 0]]
    assert len(lengths) < found.aligned.sum() < inside.sum() / 2


def test_settings_have_defaults():
    assert settings("softmax") == {"temperature": 0.001, "threshold": 0.001, "dot_product": False}
    assert settings("entmax", dot_product=True) == {
        **{"temperature": 1.0, "threshold": 0.0, "dot_product": True}
    }
    assert settings("itermax") == {"alpha": 0.9, "iterations": 2}
    assert settings("transport") == {"epsilon": 0.1, "iterations": 50, "reach": None}
    assert settings("similarity") == settings("attention") == {}
    with pytest.raises(UserError, match="--epsilon 1e-30 is too low"):
        settings("transport", epsilon=1e-30)


@pytest.mark.parametrize("method", ["softmax", "entmax"])
def test_cosines_do_not_depend_on_the_size_of_the_states(method):
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randn(1, n, 8, generator=generator) for n in (3, 4))
    masks = [torch.ones(1, n, dtype=torch.bool) for n in (3, 4)]
    link = linker(method, **settings(method, temperature=0.2))
    scores, larger = (link(PairStates(n * source, target / n, *masks)).scores for n in (1, 4))
    torch.testing.assert_close(larger, scores, atol=1e-5, rtol=1e-4)
