"""Losses for landmark points and their uncertainty."""

from __future__ import annotations

import math

import torch


def wing_loss(predicted: torch.Tensor, target: torch.Tensor, width: float = 5.0, curvature: float = 1.0
              ) -> torch.Tensor:
    """Wing loss, eq. 5 of Feng et al., "Wing Loss for Robust Facial Landmark Localisation", CVPR 2018.

    w ln(1 + |d| / eps) for |d| < w, else |d| - C with C = w - w ln(1 + w / eps): like L1 far away, steeper nearby.

    Args:
        predicted, target: (...,) coordinates in pixels.
        width: w, pixels.
        curvature: eps, pixels.

    Returns:
        Element-wise loss (...,).
    """
    distance = (predicted - target).abs()
    constant = width - width * math.log1p(width / curvature)
    return torch.where(distance < width, width * torch.log1p(distance / curvature), distance - constant)


def gaussian_nll(squared_distance: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of an isotropic 2-D Gaussian, without the constant ln(2 pi).

    d^2 / (2 sigma^2) + 2 ln sigma, the heteroscedastic loss of Kendall and Gal, "What Uncertainties Do We Need in
    Bayesian Deep Learning for Computer Vision?", NeurIPS 2017, for two coordinates with one standard deviation.

    Args:
        squared_distance: (...,) squared pixels.
        sigma: (...,) pixels, positive.
    """
    return squared_distance / (2 * sigma * sigma) + 2 * sigma.log()
