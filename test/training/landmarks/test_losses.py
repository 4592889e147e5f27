"""Landmark losses against the equations, term by term in float64, and what each of them moves."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.landmarks.fit import Settings, task_loss, told_loss  # noqa: E402
from training.losses.landmarks import LOSSES, PointLoss, adaptive_wing_loss, gaussian_nll, wing_loss  # noqa: E402


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


def adaptive_wing(d, y, omega, eps, theta, alpha):
    """The paper's equations as they stand there."""
    if d < theta:
        return omega * math.log(1 + (d / eps) ** (alpha - y))
    a = omega * (1 / (1 + (theta / eps) ** (alpha - y))) * (alpha - y) * (theta / eps) ** (alpha - y - 1) * (1 / eps)
    c = theta * a - omega * math.log(1 + (theta / eps) ** (alpha - y))
    return a * d - c


def test_adaptive_wing_loss_is_the_papers_equation_on_heat_maps():
    rng = np.random.default_rng(3)
    y, found = rng.uniform(0, 1, (4, 6, 7)), rng.uniform(-0.3, 1.3, (4, 6, 7))
    found[0, 0] = y[0, 0]
    expected = np.empty_like(y)
    for index in np.ndindex(y.shape):
        expected[index] = adaptive_wing(abs(found[index] - y[index]), y[index], 14.0, 1.0, 0.5, 2.1)
    assert (np.abs(found - y) >= 0.5).mean() > 0.1  # both branches
    values = adaptive_wing_loss(torch.from_numpy(found), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_adaptive_wing_loss_is_smooth_at_its_threshold_and_at_zero_even_for_far_values():
    for y in (0.0, 0.7, 1.0):
        near = torch.tensor([0.5 - 1e-9, 0.5 + 1e-9, 0.0], dtype=torch.float64, requires_grad=True)
        values = adaptive_wing_loss(near, torch.zeros(3, dtype=torch.float64), y)
        values.sum().backward()
        assert abs(values[0] - values[1]) < 1e-7 and near.grad[0] == pytest.approx(near.grad[1].item(), rel=1e-6)
        assert near.grad[2] == 0
        # Its power alone would be infinite in float32.
        far = torch.tensor([1e35], requires_grad=True)
        adaptive_wing_loss(far, torch.zeros(1), y).sum().backward()
        assert far.grad.item() == pytest.approx(near.grad[1].item(), rel=1e-5)


def prediction_and_target(seed=4):
    """Points, some nearer and some farther than every width here, and sigmas, in float64 with gradients."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 112, (3, 54, 2))
    target = points + rng.normal(0, 5, points.shape)
    points, sigma = (torch.from_numpy(v).requires_grad_() for v in (points, rng.uniform(0.5, 6, (3, 54))))
    return (points, sigma), torch.from_numpy(target)


def by_hand(kind, w, eps, points, sigma, target):
    """Mean of the loss that moves points, and of sigma's likelihood, by loops."""
    moving, spread = [], []
    for face, point in np.ndindex(sigma.shape):
        gap = [abs(points[face, point, k] - target[face, point, k]) for k in (0, 1)]
        nll = (gap[0] ** 2 + gap[1] ** 2) / (2 * sigma[face, point] ** 2) + 2 * math.log(sigma[face, point])
        spread.append(nll)
        if kind == "gaussian":
            moving.append(nll)
        for d in gap if kind != "gaussian" else ():
            wing = w * math.log(1 + d / eps) if d < w else d - (w - w * math.log(1 + w / eps))
            moving.append(wing if kind == "wing" else adaptive_wing(d, 0.0, w, eps, w, 2.1))
    return np.mean(moving), np.mean(spread)


@pytest.mark.parametrize("w, eps", [(5.0, 1.0), (3.0, 0.5)])
@pytest.mark.parametrize("kind", LOSSES)
def test_each_loss_is_what_loops_over_its_equation_give(kind, w, eps):
    prediction, target = prediction_and_target()
    moving, spread = by_hand(kind, w, eps, *(part.detach().numpy() for part in prediction), target.numpy())
    chosen = PointLoss(kind, w, eps)
    assert chosen.of(prediction, target).item() == pytest.approx(moving, rel=1e-12)
    for likelihood in (1.0,) if kind == "gaussian" else (1.0, 0.25, 0.0):
        loss, terms = task_loss(prediction, target, likelihood, chosen)
        expected = moving if kind == "gaussian" else moving + likelihood * spread
        assert loss.item() == pytest.approx(expected, rel=1e-12)
        assert terms[kind].item() == pytest.approx(moving, rel=1e-12)


@pytest.mark.parametrize("kind", LOSSES)
def test_what_moves_points_and_what_moves_sigma(kind):
    """The gradients against finite differences of the loops: sigma moves the points in the Gaussian loss alone."""
    prediction, target = prediction_and_target()
    task_loss(prediction, target, 0.5 if kind != "gaussian" else 1.0, PointLoss(kind))[0].backward()
    points, sigma = (part.detach().numpy().copy() for part in prediction)
    weight = 1.0 if kind == "gaussian" else 0.5
    step = 1e-6
    for index in ((0, 0, 0), (1, 20, 1), (2, 53, 0)):
        sides = []
        for sign in (1, -1):
            moved = points.copy()
            moved[index] += sign * step
            sides.append(by_hand(kind, 5.0, 1.0, moved, sigma, target.numpy())[0])
        assert prediction[0].grad[index].item() == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-4)
        sides = []
        for sign in (1, -1):
            moved = sigma.copy()
            moved[index[:2]] += sign * step
            sides.append(by_hand(kind, 5.0, 1.0, points, moved, target.numpy())[1])
        expected = weight * (sides[0] - sides[1]) / (2 * step)
        assert prediction[1].grad[index[:2]].item() == pytest.approx(expected, rel=1e-4)


def test_without_a_choice_the_loss_is_bit_for_bit_what_it_was():
    (points, sigma), target = prediction_and_target()
    points, sigma, target = (part.detach().float() for part in (points, sigma, target))
    loss, terms = task_loss((points, sigma), target, Settings().likelihood)
    squared = (points - target).square().sum(dim=2)
    assert torch.equal(loss, wing_loss(points, target).mean() + gaussian_nll(squared, sigma).mean())
    assert set(terms) == {"wing", "likelihood", "error_px"} and Settings().loss == PointLoss("wing", 5.0, 1.0)


def test_what_cannot_be_a_loss_is_refused_and_the_card_tells_it():
    for values, said in ((("mse",), "wing, adaptive_wing, gaussian"), (("wing", 0.0), "--loss-width 0:"),
                         (("wing", float("nan")), "--loss-width nan"), (("wing", 5.0, -1.0), "--loss-curvature -1")):
        with pytest.raises(ValueError, match=said):
            PointLoss(*values)
    with pytest.raises(ValueError, match="--likelihood nan"):
        Settings(likelihood=float("nan"))
    with pytest.raises(ValueError, match="--loss gaussian is one part"):
        Settings(loss=PointLoss("gaussian"), likelihood=0.5)
    told = {told_loss(Settings(loss=PointLoss(kind))) for kind in LOSSES}
    assert len(told) == 3 and "loss: Wing (w 5 px, epsilon 1 px), 1 x Gaussian likelihood of sigma alone" in told
    assert "sigma not trained" in told_loss(Settings(likelihood=0.0))
