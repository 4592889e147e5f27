"""What training, simulation and run time share about faces: the box, and the crop that the landmark network sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .config import ContrastConfig, FaceConfig
from .contrast import robust_span
from .geometry import FaceCrop
from .layouts import Layout

CROP_MARGIN = 0.15
"""Margin of the face crop on each side, as a part of the longer side of the face box."""

CROP_CONTRAST = ContrastConfig(low_percentile=1.0, high_percentile=99.0, headroom=0.05)
"""How a crop becomes grey."""
BROWS, BRIDGE, CHIN = slice(17, 27), 27, 8
"""Points by which a face's box is found, the same in all layouts."""
FOREHEAD, BOX_MARGIN = 0.20, 0.04
"""How far a face's box reaches over its brows, as a part of what lies between chin and bridge, and beyond all that, as
a part of its sides."""
MOST_SHIFT, MOST_GROWTH = 0.5, 2.0
"""How far landmarks may lead the second look at a face away from the first: the middle of its box as a part of that
box's longer side, and the longer side as a factor. Landmarks of what is no face lead anywhere."""
MOST_OUTSIDE = 0.02
"""How far the second look's box may leave the picture, as a part of its longer side."""
LEAST_SPAN, LEAST_SPAN_PART = 1e-6, 1e-5
"""Smallest span of a crop: in its unit, and as a part of its largest value, so that neither counts nor degrees of a
nearly flat crop are blown up to rounding noise."""


def without_faces(config: FaceConfig) -> str:
    """Why no faces are looked for, in words; empty if they are."""
    if config.enabled and config.max_faces:
        return ""
    return "face.max_faces is 0" if config.enabled else "face.enabled is false"


def normalise_crop(values: np.ndarray) -> np.ndarray:
    """A resized face crop (S, S) in any unit to (S, S) float32 in [0, 1].

    The span is the crop's own, so that a face looks the same whatever else is in the frame. A constant crop becomes
    0.5 throughout. What is not finite becomes 0: resizing makes NaN of some infinite pixels and not of others.
    """
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, np.float32(np.nan))
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
    """(4,) float32 x1 y1 x2 y2 of a face with the points (K, 2) of any layout: the middle of the forehead to the chin.

    The landmarks' hull, extended along the face by a forehead that layouts have no points for, and a margin around.
    """
    forehead = points[BROWS] + FOREHEAD * (points[BRIDGE] - points[CHIN])
    hull = np.concatenate([points, forehead])
    low, high = hull.min(axis=0), hull.max(axis=0)
    margin = BOX_MARGIN * (high - low)
    return np.concatenate([low - margin, high + margin]).astype(np.float32)


def second_box(points: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """(4,) float32 x1 y1 x2 y2: where to look once more at a face in whose box (4,) the landmarks (K, 2) were found.

    A detector's box is a guess at the box that the landmark network was trained with; the landmarks give that very box.
    ``box`` itself if theirs is too far from it, or leaves the picture: points beyond its border are guesses.
    """
    theirs = face_box(points)
    extent, wanted = (float((b[2:] - b[:2]).max()) for b in (theirs, box))
    shift = np.abs(theirs[:2] + theirs[2:] - box[:2] - box[2:]).max() / 2
    outside = max(float(-theirs[:2].min()), float(theirs[2]) - width, float(theirs[3]) - height)
    near = (shift <= MOST_SHIFT * wanted and wanted <= MOST_GROWTH * extent and extent <= MOST_GROWTH * wanted
            and outside <= MOST_OUTSIDE * extent)
    return theirs if near else box


def mean_of_looks(crops: Sequence[FaceCrop], points: np.ndarray, sigma: np.ndarray, again: Sequence[FaceCrop],
                  other_points: np.ndarray, other_sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the landmarks (F, K, 2) and deviations (F, K) of two looks at faces, in the pixels of the first crops.

    The mean, because it is nowhere worse than the first look: a second one by itself is led further astray where the
    first one erred.
    """
    carried = [crop.forward(other.inverse(p)) for crop, other, p in zip(crops, again, other_points, strict=True)]
    factors = np.array([other.side / crop.side for crop, other in zip(crops, again, strict=True)], sigma.dtype)
    return (points + np.array(carried, points.dtype)) / 2, (sigma + other_sigma * factors[:, None]) / 2
