"""From a predicted standard deviation to a confidence that means something."""

from __future__ import annotations

import numpy as np

TOLERANCE = 0.05
"""A point counts as right if it is within this part of the face box's longer side."""


def confidence(sigma: np.ndarray, face_side: np.ndarray) -> np.ndarray:
    """Probability that a point lies within TOLERANCE of the face's side of the truth, float32 in [0, 1].

    ``sigma`` (F, K): standard deviation of each coordinate; ``face_side`` broadcastable, the same unit. For a round
    Gaussian error the distance is Rayleigh distributed: P(d < r) = 1 - exp(-r^2 / (2 sigma^2)).
    """
    ratio = TOLERANCE * np.asarray(face_side, np.float64) / np.maximum(np.asarray(sigma, np.float64), 1e-9)
    return (-np.expm1(-0.5 * ratio**2)).astype(np.float32)
