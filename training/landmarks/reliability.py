"""How much a confidence is worth: does error fall where confidence is high, and does it come true?"""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.models.confidence import TOLERANCE, confidence


def risk_area(errors: np.ndarray, sure: np.ndarray) -> float:
    """Area under the risk-coverage curve (AURC), in the unit of ``errors``.

    The mean error of the surest 1, 2, ... n, averaged: Geifman and El-Yaniv, "Selective Classification for Deep Neural
    Networks", NeurIPS 2017. Equally sure ones share their mean error, so that their order does not matter.

    Args:
        errors: (n,).
        sure: (n,) confidence, higher is surer.
    """
    order = np.argsort(-sure, kind="stable")
    _, group, count = np.unique(-sure[order], return_inverse=True, return_counts=True)
    shared = np.bincount(group, errors[order]) / count
    return float((np.cumsum(shared[group]) / np.arange(1, len(errors) + 1)).mean())


def relative_risk_area(errors: np.ndarray, sure: np.ndarray) -> float:
    """Where the risk area lies between that of the best order (0) and that of no knowledge (1); above 1 is harmful."""
    best, none = risk_area(errors, -errors), float(errors.mean())
    return (risk_area(errors, sure) - best) / max(none - best, 1e-12)


def calibration_error(right: np.ndarray, sure: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: |share of right ones - mean confidence|, averaged over equal parts of [0, 1].

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 3.

    Args:
        right: (n,) bool.
        sure: (n,) confidence in [0, 1].
    """
    part = np.minimum((sure * bins).astype(int), bins - 1)
    count = np.bincount(part, minlength=bins)
    gap = np.abs(np.bincount(part, right.astype(float), bins) - np.bincount(part, sure, bins))
    return float(gap.sum() / count.sum())


def sigma_scale(distance: np.ndarray, sigma: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(K,) factors for sigma under which what the confidence says of K points is most likely.

    A temperature for each point, fitted to the event that the confidence is about: the point lies within the tolerance.
    Scaling by the Gaussian likelihood of the distances instead would follow the few far outliers, and makes the
    confidence of all the others too low. Searched on a grid of 2 % steps from 1/3 to 3.

    Args:
        distance, sigma: (n, K), of faces that the network was not trained on.
        side: (n,) longer side of the face box.
    """
    right = distance <= TOLERANCE * side[:, None]
    factors = np.exp(np.arange(-55, 56) * 0.02)
    likelihood = []
    for factor in factors:
        sure = np.clip(confidence(factor * sigma, side[:, None]).astype(np.float64), 1e-6, 1 - 1e-6)
        likelihood.append(np.where(right, np.log(sure), np.log1p(-sure)).sum(axis=0))
    return factors[np.argmax(likelihood, axis=0)]
