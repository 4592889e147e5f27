"""Which images an epoch draws, and how often: rare classes more than common ones."""

from __future__ import annotations

import numpy as np


def repeat_factors(labels: list[np.ndarray], threshold: float) -> np.ndarray:
    """How much oftener than once each image should be drawn: (N,) float64, at least 1.

    Repeat-factor sampling, Gupta et al., LVIS, CVPR 2019, section 4.3: a class in a part f of the images has the factor
    sqrt(``threshold`` / f) if that is more than 1, and an image the largest of its classes' factors. ``labels`` are
    those of every image; negative ones are no class.
    """
    present = [np.unique(own[own >= 0]) for own in labels]
    classes, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *present]), return_counts=True)
    rates = np.maximum(1.0, np.sqrt(threshold * len(labels) / counts))
    factor = dict(zip(classes.tolist(), rates.tolist(), strict=True))
    return np.array([max((factor[label] for label in own.tolist()), default=1.0) for own in present])


def drawn(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` indices in random order, each as often as its share of ``weights``, rounded up or down.

    Systematic resampling over a random order: with equal weights and ``count`` = N every index comes once.
    """
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    marks = (np.arange(count) + rng.random()) * (ends[-1] / count)
    return order[np.minimum(np.searchsorted(ends, marks, side="right"), len(order) - 1)]
