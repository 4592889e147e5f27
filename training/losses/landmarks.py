"""Losses for landmark points and their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

LOSSES = ("wing", "adaptive_wing", "gaussian")


@dataclass(frozen=True)
class PointLoss:
    """What moves the points of a prediction.

    - ``wing``: ``wing_loss``.
    - ``adaptive_wing``: ``adaptive_wing_loss`` on coordinates, with the same width as range and factor: but for the
      exponent its logarithmic part is that of ``wing``.
    - ``gaussian``: ``gaussian_nll``, through points and sigma, so that points with a large sigma are moved less.
    """

    kind: str = "wing"
    width: float = 5.0
    """w of both Wing losses, pixels: up to here they are logarithmic."""
    curvature: float = 1.0
    """Epsilon of both Wing losses, pixels."""

    def __post_init__(self) -> None:
        if self.kind not in LOSSES:
            raise ValueError(f"loss '{self.kind}' is none of {', '.join(LOSSES)}")
        for option, value in (("--loss-width", self.width), ("--loss-curvature", self.curvature)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{option} {value:g}: give a number of pixels above 0")

    def of(self, prediction: tuple[torch.Tensor, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        """Mean over all points, a scalar, of points (B, K, 2) with sigma (B, K) against ``target`` (B, K, 2)."""
        points, sigma = prediction
        if self.kind == "gaussian":
            return gaussian_nll((points - target).square().sum(dim=-1), sigma).mean()
        if self.kind == "adaptive_wing":
            return adaptive_wing_loss(points, target, 0.0, self.width, self.curvature, self.width).mean()
        return wing_loss(points, target, self.width, self.curvature).mean()

    def __str__(self) -> str:
        parts = f"w {self.width:g} px, epsilon {self.curvature:g} px"
        return {"wing": f"Wing ({parts})", "adaptive_wing": f"adaptive Wing of coordinates ({parts}, alpha 2.1)",
                "gaussian": "Gaussian likelihood of points and sigma"}[self.kind]


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


def adaptive_wing_loss(predicted: torch.Tensor, target: torch.Tensor, intensity: torch.Tensor | float | None = None,
                       factor: float = 14.0, curvature: float = 1.0, threshold: float = 0.5, alpha: float = 2.1
                       ) -> torch.Tensor:
    """Adaptive Wing loss of Wang et al., "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression", 2019.

    omega ln(1 + (|d| / eps)^p) for |d| < theta, else A |d| - C, with p = alpha - y and A and C that make it smooth
    there. Unlike the Wing loss it is smooth at 0, too. The exponent p adapts to y, the target's place in a heat map:
    on its peak the loss is nearly the Wing loss, on the background nearly a squared error.

    Args:
        predicted, target: (...,) values of heat maps in [0, 1], or coordinates in pixels.
        intensity: y, in [0, 1]. None: the target itself, as for heat maps; coordinates have none, so they take 0.
        factor: omega.
        curvature: eps, in the unit of the values.
        threshold: theta, in the unit of the values.
        alpha: above 2, so that p stays above 1 on the peak and the gradient ends at 0 everywhere.

    Returns:
        Element-wise loss (...,).
    """
    distance = (predicted - target).abs()
    power = alpha - (target if intensity is None else torch.as_tensor(intensity).to(target))
    ratio = threshold / curvature
    slope = factor * power * ratio ** (power - 1) / (1 + ratio**power) / curvature
    constant = threshold * slope - factor * torch.log1p(ratio**power)
    # Far values would overflow in the branch that they do not take.
    near = (distance / curvature).clamp(max=ratio)
    return torch.where(distance < threshold, factor * torch.log1p(near**power), slope * distance - constant)


def gaussian_nll(squared_distance: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of an isotropic 2-D Gaussian, without the constant ln(2 pi).

    d^2 / (2 sigma^2) + 2 ln sigma, the heteroscedastic loss of Kendall and Gal, "What Uncertainties Do We Need in
    Bayesian Deep Learning for Computer Vision?", NeurIPS 2017, for two coordinates with one standard deviation.

    Args:
        squared_distance: (...,) squared pixels.
        sigma: (...,) pixels, positive.
    """
    return squared_distance / (2 * sigma * sigma) + 2 * sigma.log()
