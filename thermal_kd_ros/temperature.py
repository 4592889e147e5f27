"""Temperatures at landmark points and in boxes."""

from __future__ import annotations

import numpy as np

from .frames import ThermalFrame


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
    celsius = frame.celsius(np.median(patch, axis=-1))
    return np.where(inside & np.isfinite(celsius), celsius, np.float32(np.nan)).astype(np.float32)
