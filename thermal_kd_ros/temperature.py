"""Temperatures at landmark points, in boxes, and at the inner corners of the eyes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .frames import ThermalFrame
from .layouts import get_layout
from .percentiles import percentiles
from .results import FaceLandmarks

_WARM_PERCENTILE = 98.0
"""The warmest 2 % of a box are left out, or one hot or dead pixel would be its temperature."""
_CANTHUS_REACH = 0.06
"""Radius of the area at an inner eye corner, as a part of the distance between the outer ones: about 5 mm."""
_CANTHUS_PERCENTILE = 90.0
"""The area has a dozen pixels or so: one of them may be wrong."""


class BoxTemperatures(NamedTuple):
    """Temperatures in N boxes, degrees Celsius; NaN where nothing is known."""

    maximum: np.ndarray
    """(N,) float32: the 98th percentile."""
    mean: np.ndarray
    """(N,) float32: of all pixels but the warmest and the coldest 2 %."""


def pixels_in(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Finite values (N,) of the pixels of an image (H, W) that a box (4,) x1 y1 x2 y2 touches."""
    if not np.isfinite(box).all():
        return image[:0, 0]
    x1, y1, x2, y2 = (float(v) for v in box)
    rows = slice(max(0, int(y1)), max(0, int(np.ceil(y2))))
    inside = image[rows, max(0, int(x1)) : max(0, int(np.ceil(x2)))]
    return inside[np.isfinite(inside)]


def robust_maximum(celsius: np.ndarray, percentile: float = _WARM_PERCENTILE) -> float:
    """The warm end of some temperatures (N,) without the very warmest; NaN if there are none."""
    return percentiles(celsius, (percentile,))[0] if celsius.size else float("nan")


def box_temperatures(frame: ThermalFrame, boxes: np.ndarray) -> BoxTemperatures:
    """Robust maximum and mean in boxes (N, 4) x1 y1 x2 y2, source pixels.

    NaN where a box has no pixel of the image or the frame is not radiometric.
    """
    maximum = np.full(len(boxes), np.nan, np.float32)
    mean = maximum.copy()
    if frame.radiometric:
        for i, box in enumerate(boxes):
            celsius = frame.celsius(pixels_in(frame.values, box))
            celsius = celsius[np.isfinite(celsius)]
            if celsius.size:
                low, high = percentiles(celsius, (100.0 - _WARM_PERCENTILE, _WARM_PERCENTILE))
                maximum[i] = high
                between = celsius[(celsius >= low) & (celsius <= high)]
                # Of two pixels neither lies between.
                mean[i] = (between if between.size else celsius).mean()
    return BoxTemperatures(maximum, mean)


def inner_canthus_temperatures(frame: ThermalFrame, faces: FaceLandmarks) -> np.ndarray:
    """Temperature (F,) float32, degrees Celsius, at the warmer of the two inner eye corners of each face.

    The spot that IEC 80601-2-59 and ISO/TR 13154 name for screening by thermography; the camera needs a blackbody
    reference to be trusted to tenths of a degree. NaN if the frame is not radiometric or both corners lie outside. It
    is the temperature of the picture there: of glasses, if somebody wears them.
    """
    found = np.full(len(faces), np.nan, np.float32)
    if not frame.radiometric or not len(faces):
        return found
    layout = get_layout(faces.layout)
    height, width = frame.shape
    for i in range(len(faces)):
        points: np.ndarray = faces.points[i].astype(np.float64)
        right, left = points[list(layout.outer_eyes)]
        radius = max(1.0, _CANTHUS_REACH * float(np.hypot(*(right - left))))
        for u, v in points[list(layout.inner_eyes)]:
            if not (np.isfinite(radius) and 0.0 <= u < width and 0.0 <= v < height):
                continue
            top, first = max(0, int(v - radius)), max(0, int(u - radius))
            patch = frame.values[top : int(v + radius) + 1, first : int(u + radius) + 1]
            x = np.arange(first, first + patch.shape[1]) + (0.5 - u)
            y = np.arange(top, top + patch.shape[0]) + (0.5 - v)
            near = x**2 + (y**2)[:, None] <= radius**2
            celsius = frame.celsius(patch[near])
            found[i] = np.fmax(found[i], robust_maximum(celsius[np.isfinite(celsius)], _CANTHUS_PERCENTILE))
    return found


def point_temperatures(frame: ThermalFrame, points: np.ndarray) -> np.ndarray:
    """Median temperature of the 3 x 3 pixels at each point.

    ``points`` (F, K, 2) in source pixels to (F, K) float32 degrees Celsius; NaN where the point lies outside the image,
    its pixels are not finite or the frame is not radiometric.
    """
    if not frame.radiometric or not points.size:
        return np.full(points.shape[:2], np.nan, np.float32)
    height, width = frame.shape
    finite = np.nan_to_num(points, nan=-1.0, posinf=-1.0, neginf=-1.0)
    column = np.floor(np.clip(finite[..., 0], -1, width)).astype(np.int64)
    row = np.floor(np.clip(finite[..., 1], -1, height)).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    shifts = np.array([-1, 0, 1])
    rows = np.clip(row[..., None, None] + shifts[:, None], 0, height - 1)
    columns = np.clip(column[..., None, None] + shifts[None, :], 0, width - 1)
    patch = frame.values[rows, columns].astype(np.float32).reshape(*points.shape[:2], 9)
    # The fifth of nine is the median; NaN, which only floats can be, spoils its patch as it does with np.median.
    middle = np.partition(patch, 4, axis=-1)[..., 4]
    if frame.values.dtype.kind == "f":
        middle[np.isnan(patch).any(axis=-1)] = np.nan
    celsius = frame.celsius(middle)
    return np.where(inside & np.isfinite(celsius), celsius, np.float32(np.nan)).astype(np.float32)
