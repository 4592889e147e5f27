"""Warping an image onto a training canvas: one way for whole frames, heads that are put into pictures, and crops."""

from __future__ import annotations

import cv2
import numpy as np

_SHRUNK = 0.75
"""Images that become smaller than this are smoothed first: bilinear sampling alone would let small hot objects, and
edges, come and go with the grid."""


def warped(image: np.ndarray, matrix: np.ndarray, height: int, width: int, outside: float | None = None) -> np.ndarray:
    """``image`` (H, W) or (H, W, C <= 4) float32 through a 2x3 matrix in continuous coordinates, to a canvas.

    In these the top-left pixel covers [0, 1] x [0, 1], so that its centre is (0.5, 0.5).

    Args:
        height, width: of the canvas, pixels.
        outside: value of what lies outside the image; None: the next pixel at its border.
    """
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrink < _SHRUNK:
        image = cv2.GaussianBlur(image, (0, 0), 0.45 * (1 / shrink - 0.5))
    # cv2 puts pixel centres on whole numbers: conjugate with the half-pixel shift.
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    return cv2.warpAffine(image, shifted, (width, height), flags=cv2.INTER_LINEAR, borderMode=border,
                          borderValue=(outside or 0.0,) * 4)
