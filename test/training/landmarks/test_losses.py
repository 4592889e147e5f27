"""Landmark losses against the equations, term by term in float64."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.landmarks import gaussian_nll, wing_loss  # noqa: E402


def test_wing_loss_is_the_papers_equation():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 8, (5, 54, 2)), rng.normal(0, 8, (5, 54, 2))
    b[0, 0] = a[0, 0]
    w, eps = 5.0, 1.0
    expected = np.empty_like(a)
    for index in np.ndindex(a.shape):
        d = abs(a[index] - b[index])
        expected[index] = w * math.log(1 + d / eps) if d < w else d - (w - w * math.log(1 + w / eps))
    found = wing_loss(torch.from_numpy(a), torch.from_numpy(b), w, eps).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_wing_loss_is_continuous_and_has_a_finite_gradient_at_zero():
    near = torch.tensor([5.0 - 1e-9, 5.0 + 1e-9], dtype=torch.float64)
    values = wing_loss(near, torch.zeros(2, dtype=torch.float64))
    assert abs(values[0] - values[1]) < 1e-8
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    wing_loss(x, torch.zeros(3, dtype=torch.float64)).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("sigma", [0.3, 1.0, 7.0])
def test_gaussian_nll_is_the_log_density(sigma):
    e = np.random.default_rng(1).normal(0, 3, (50, 2))
    density = np.exp(-(e**2).sum(1) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
    value = gaussian_nll(torch.from_numpy((e**2).sum(1)), torch.full((50,), sigma, dtype=torch.float64))
    np.testing.assert_allclose(value.numpy() + math.log(2 * math.pi), -np.log(density), atol=1e-9)


def test_the_likelihoods_best_sigma_is_the_spread_of_the_errors():
    e = np.random.default_rng(2).normal(0, 2.5, (4000, 2))
    squared = torch.from_numpy((e**2).sum(1))
    grid = np.linspace(1.0, 5.0, 801)
    values = [gaussian_nll(squared, torch.full((4000,), s, dtype=torch.float64)).mean().item() for s in grid]
    assert grid[int(np.argmin(values))] == pytest.approx(np.sqrt((e**2).sum(1).mean() / 2), abs=0.01)
