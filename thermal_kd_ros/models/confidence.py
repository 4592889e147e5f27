"""How sure the landmark network is of a point, from its own estimate of the error."""

from __future__ import annotations

import numpy as np

TOLERANCE = 0.05
"""A point counts as right within this part of the face box's longer side."""


def confidence(sigma: np.ndarray, face_side_px: np.ndarray | float) -> np.ndarray:
    """Probability that a point lies within TOLERANCE of the face side from its true place.

    For an isotropic Gaussian error of standard deviation ``sigma`` per axis, the distance follows a Rayleigh
    distribution: P(d <= r) = 1 - exp(-r^2 / (2 sigma^2)).

    Args:
        sigma: (..., K) pixels, of the same image as ``face_side_px``.
        face_side_px: longer side of the face box; broadcasts against ``sigma``.

    Returns:
        (..., K) float32 in [0, 1].
    """
    radius = TOLERANCE * np.asarray(face_side_px, np.float64)
    ratio = radius / np.maximum(np.asarray(sigma, np.float64), 1e-6)
    return (-np.expm1(-0.5 * ratio * ratio)).astype(np.float32)
