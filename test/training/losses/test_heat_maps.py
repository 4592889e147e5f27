"""The divergence that draws heat maps to their points, against loops in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.heat_maps import gaussian_maps, jensen_shannon  # noqa: E402

GRID = torch.arange(7, dtype=torch.float64) * 4 + 2


def by_loops(heat: np.ndarray, points: np.ndarray, sigma: float) -> float:
    """Cell by cell."""
    total, (batch, count, n, _) = 0.0, heat.shape
    for b in range(batch):
        for k in range(count):
            x, y = points[b, k]
            p = np.exp(heat[b, k] - heat[b, k].max())
            p /= p.sum()
            q = np.array([[math.exp(-((4 * j + 2 - x) ** 2 + (4 * i + 2 - y) ** 2) / (2 * sigma**2)) for j in range(n)]
                          for i in range(n)])
            q /= q.sum()
            m = (p + q) / 2
            for i in range(n):
                for j in range(n):
                    for one in (p[i, j], q[i, j]):
                        total += one * math.log(one / m[i, j]) / 2 if one > 0 else 0.0
    return total / (batch * count)


def test_it_is_the_divergence_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    heat = 3 * torch.randn(2, 3, 7, 7, generator=generator, dtype=torch.float64)
    points = 28 * torch.rand(2, 3, 2, generator=generator, dtype=torch.float64)
    found = jensen_shannon(heat, points, GRID, 4.0)
    assert float(found) == pytest.approx(by_loops(heat.numpy(), points.numpy(), 4.0), rel=1e-9)
    assert 0 < float(found) < math.log(2)


def test_it_is_nothing_where_the_map_is_the_gaussian_and_most_where_all_lies_elsewhere():
    points = torch.tensor([[[9.0, 17.0]]], dtype=torch.float64)
    wanted = gaussian_maps(points, GRID, 4.0)
    assert wanted.sum() == pytest.approx(1.0)
    assert int(wanted.argmax()) == 7 * 4 + 2  # row 4, column 2: x goes across
    assert float(jensen_shannon(wanted.log(), points, GRID, 4.0)) == pytest.approx(0.0, abs=1e-12)
    elsewhere = torch.full((1, 1, 7, 7), -200.0, dtype=torch.float64)
    elsewhere[0, 0, 0, 6] = 0.0
    assert float(jensen_shannon(elsewhere, points, GRID, 1.0)) == pytest.approx(math.log(2), rel=1e-3)


def test_points_outside_and_sure_maps_give_finite_gradients():
    heat = torch.zeros(1, 2, 7, 7)
    heat[0, 0, 3, 3] = 500.0
    heat.requires_grad_()
    points = torch.tensor([[[-300.0, 14.0], [14.0, 14.0]]])
    jensen_shannon(heat, points, GRID.float(), 4.0).backward()
    assert torch.isfinite(heat.grad).all() and heat.grad.abs().sum() > 0
    # A step down the gradient moves mass to the point.
    stepped = (heat - 50 * heat.grad)[0, 1].softmax(0)
    assert int(stepped.argmax()) == 3 * 7 + 3 or stepped[3, 3] >= stepped.max()
