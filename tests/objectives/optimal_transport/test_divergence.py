"""The Sinkhorn divergence against GeomLoss and against a twin, pair by pair."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn_divergence
from slow_twins import sinkhorn_divergence as twin
from transport_problems import ragged


def geomloss(x, y, a, b, p=2, blur=0.05, scaling=0.5, debias=True):
    samples_loss = pytest.importorskip("geomloss", reason="GeomLoss is not installed").SamplesLoss
    loss = samples_loss("sinkhorn", p=p, blur=blur, scaling=scaling, debias=debias)
    return loss(a, x, b, y)


def with_gradients(function, *tensors, **settings):
    inputs = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    value = function(*inputs, **settings)
    value.sum().backward()
    return value.detach(), [tensor.grad for tensor in inputs]


def compare(oracle, tensors, dtype, tolerance, **settings):
    """Every problem of a batch against the oracle in fp64, each at its own length."""
    tensors = [tensor.to(dtype) for tensor in tensors]
    values, gradients = with_gradients(sinkhorn_divergence, *tensors, **settings)
    assert values.dtype == dtype
    for i in range(len(values)):
        inside = [tensors[2][i] > 0, tensors[3][i] > 0] * 2
        alone = [tensor[i][at].double() for tensor, at in zip(tensors, inside)]
        value, wanted = with_gradients(oracle, *alone, **settings)
        scale = max(abs(value.item()), 1e-3)
        assert values[i].item() == pytest.approx(value.item(), abs=tolerance * scale)
        for gradient, at, expected in zip(gradients, inside, wanted):
            own = gradient[i][at].double()
            assert (own - expected).norm() <= tolerance * expected.norm().clamp_min(0.1)
            assert not gradient[i][~at].any()


SETTINGS = [
    dict(),
    dict(p=1),
    dict(debias=False),
    dict(p=1, debias=False),
    dict(blur=0.5, scaling=0.8),
    dict(blur=20.0),
]


@pytest.mark.parametrize("oracle", [twin, geomloss])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("dim, scale", [(5, 0.2), (64, 1.0), (300, 0.03)])
def test_equals_each_pair_alone_in_double(oracle, settings, dim, scale):
    tensors = ragged(11, 9, 12, dim, scale)  # more than a CPU takes at a time
    compare(oracle, tensors, torch.float64, 1e-10, **settings)


@pytest.mark.parametrize("oracle", [twin, geomloss])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("scale", [0.02, 0.5, 5.0])
def test_states_in_single_precision_equal_the_oracle_in_double(oracle, p, scale):
    compare(oracle, ragged(5, 12, 9, 128, scale), torch.float32, 1e-6, p=p)


def test_what_else_is_in_the_batch_and_the_padding_change_nothing():
    x, y, a, b = ragged(11, 9, 12, 8, 0.5)
    x[a == 0], y[b == 0] = float("nan"), 1e30
    values, gradients = with_gradients(sinkhorn_divergence, x, y, a, b)
    assert torch.isfinite(values).all()
    for i in range(11):
        s, t = (a[i] > 0).sum(), (b[i] > 0).sum()
        pair = [tensor[i : i + 1, :size] for tensor, size in zip((x, y, a, b), (s, t, s, t))]
        alone, alone_gradients = with_gradients(sinkhorn_divergence, *pair)
        torch.testing.assert_close(values[i : i + 1], alone, rtol=1e-12, atol=1e-13)
        for gradient, expected, size in zip(gradients, alone_gradients, (s, t, s, t)):
            torch.testing.assert_close(gradient[i, :size], expected[0], rtol=1e-9, atol=1e-11)
            assert not gradient[i, size:].any()


def test_a_sentence_is_at_distance_zero_from_itself_and_one_point_at_half_the_square():
    x = torch.randn(1, 6, 4, dtype=torch.float64)
    weights = torch.full((1, 6), 1 / 6, dtype=torch.float64)
    value, (gradient, *_) = with_gradients(sinkhorn_divergence, x, x.clone(), weights, weights)
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert gradient.norm() < 1e-10
    one = torch.ones(1, 1, dtype=torch.float64)
    value, (of_x, of_y, *_) = with_gradients(sinkhorn_divergence, x[:, :1], x[:, 1:2], one, one)
    difference = x[0, 0] - x[0, 1]
    assert value.item() == pytest.approx(difference.square().sum().item() / 2)
    torch.testing.assert_close(of_x[0, 0], difference)
    torch.testing.assert_close(of_y[0, 0], -difference)


def test_points_that_are_all_the_same_and_sides_without_weight_have_value_and_gradient_zero():
    x = torch.ones(2, 3, 4)
    a = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    b = torch.full((2, 3), 1 / 3)
    value, gradients = with_gradients(sinkhorn_divergence, x, x.clone(), a, b)
    assert value.tolist() == pytest.approx([0, 0], abs=1e-15)
    assert not any(gradient[:, :, :].any() for gradient in gradients[:2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_states_are_computed_in_double_and_return_in_single(dtype):
    x, y, a, b = (tensor.float() for tensor in ragged(3, 7, 5, 16, 0.5))
    x, y = x.to(dtype), y.to(dtype)
    value, gradients = with_gradients(sinkhorn_divergence, x, y, a, b)
    expected, wanted = with_gradients(sinkhorn_divergence, x.float(), y.float(), a, b)
    assert value.dtype == torch.float32 and gradients[0].dtype == dtype
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients[0], wanted[0].to(dtype))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(
            sinkhorn_divergence(x.float(), y.float(), a, b), expected, rtol=0, atol=0
        )


def test_gradient_descent_brings_one_side_to_the_other():
    x, y, a, b = ragged(2, 6, 6, 3, 0.5)
    x = x.requires_grad_()
    values = []
    for _ in range(30):
        value = sinkhorn_divergence(x, y, a, b)[0]
        (gradient,) = torch.autograd.grad(value, x)
        x = (x - 0.5 * gradient / a.clamp_min(1e-3).unsqueeze(2)).detach().requires_grad_()
        values.append(value.item())
    assert values[-1] < 0.01 * values[0]
    assert values == sorted(values, reverse=True)


def test_states_that_are_no_numbers_have_no_value_and_leave_the_others_theirs():
    """fairseq checks the loss and says what to do."""
    tensors = ragged(4, 5, 6, 3, 1.0)
    expected = sinkhorn_divergence(*tensors)
    tensors[0][2, 0] = float("nan")
    value = sinkhorn_divergence(*tensors)
    assert value.isnan().tolist() == [i == 2 for i in range(4)]
    torch.testing.assert_close(value[[0, 1, 3]], expected[[0, 1, 3]])


@pytest.mark.parametrize(
    "settings, message",
    [(dict(p=3), "p 3"), (dict(blur=0.0), "blur 0.0"), (dict(scaling=1.0), "scaling 1.0")],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn_divergence(*ragged(2, 3, 3, 2, 1.0), **settings)
