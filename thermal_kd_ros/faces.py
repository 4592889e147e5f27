"""What training, simulation and run time share about faces: the box, and the crop that the landmark network sees."""

from __future__ import annotations

import numpy as np

from .config import ContrastConfig
from .contrast import robust_span
from .layouts import Layout

CROP_MARGIN = 0.15
"""Margin of the face crop on each side, as a part of the longer side of the face box."""

CROP_CONTRAST = ContrastConfig(low_percentile=1.0, high_percentile=99.0, headroom=0.05)
"""How a crop becomes grey."""
LEAST_SPAN, LEAST_SPAN_PART = 1e-6, 1e-5
"""Smallest span of a crop: in its unit, and as a part of its largest value, so that neither counts nor degrees of a
nearly flat crop are blown up to rounding noise."""


def normalise_crop(values: np.ndarray) -> np.ndarray:
    """A resized face crop (S, S) in any unit to (S, S) float32 in [0, 1].

    The span is the crop's own, so that a face looks the same whatever else is in the frame. A constant crop becomes
    0.5 throughout.
    """
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    return robust_span(values, CROP_CONTRAST, max(LEAST_SPAN, LEAST_SPAN_PART * largest)).apply(values)


def with_mirror_images(crops: np.ndarray) -> np.ndarray:
    """Crops (F, 1, S, S) followed by their mirror images, (2F, 1, S, S)."""
    return np.concatenate([crops, crops[..., ::-1]])


def mean_of_both(points: np.ndarray, sigma: np.ndarray, layout: Layout, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (2F, K, 2) and deviations (2F, K) of ``with_mirror_images`` to their means (F, K, 2) and (F, K)."""
    half = len(points) // 2
    other = layout.mirrored(points[half:], size)
    return (points[:half] + other) / 2, (sigma[:half] + sigma[half:][:, list(layout.mirror)]) / 2


def face_box(points: np.ndarray) -> np.ndarray:
    """(4,) float32 x1 y1 x2 y2 of a face with the sf_tl54 points (54, 2): the middle of the forehead to below the chin.

    The landmarks' hull, extended along the face by a forehead that the layout has no points for, plus 4 % around.
    """
    forehead = points[17:27] + 0.20 * (points[27] - points[8])
    hull = np.concatenate([points, forehead])
    low, high = hull.min(axis=0), hull.max(axis=0)
    margin = 0.04 * (high - low)
    return np.concatenate([low - margin, high + margin]).astype(np.float32)
