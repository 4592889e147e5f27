"""Jensen-Shannon regularisation of heat maps: mass where the point is, and not only a mean there.

Nibali, He, Morgan, Prendergast, "Numerical Coordinate Regression with Convolutional Neural Networks", arXiv 1801.07372,
its regularisation of the distribution: beside a loss of the mean, the divergence between a heat map and a Gaussian
around the true point. Without it any map with the right mean will do, however wide.
"""

from __future__ import annotations

import torch


def gaussian_maps(points: torch.Tensor, grid: torch.Tensor, sigma: float) -> torch.Tensor:
    """(B, K, n, n) Gaussians of deviation ``sigma`` around points (B, K, 2), each summing to 1 over the cells.

    ``grid`` (n,) are the cells' coordinates along either axis, in the points' unit as ``sigma`` is. A point far outside
    gives the cells that are nearest to it.
    """
    exponent = -((points[..., None] - grid) ** 2) / (2 * sigma**2)  # (B, K, 2, n)
    across, down = exponent.softmax(dim=3).unbind(dim=2)
    return down[..., :, None] * across[..., None, :]


def jensen_shannon(heat: torch.Tensor, points: torch.Tensor, grid: torch.Tensor, sigma: float) -> torch.Tensor:
    """Mean divergence in [0, ln 2] between heat map logits (B, K, n, n) and Gaussians around points (B, K, 2)."""
    found = heat.flatten(2).log_softmax(dim=2)
    wanted = gaussian_maps(points, grid, sigma).flatten(2)
    p, log_q = found.exp(), wanted.clamp(min=1e-12).log()
    log_m = torch.logaddexp(found, log_q) - torch.log(found.new_tensor(2.0))
    divergence = (p * (found - log_m)).sum(dim=2) + (wanted * (log_q - log_m)).sum(dim=2)
    return divergence.mean() / 2
