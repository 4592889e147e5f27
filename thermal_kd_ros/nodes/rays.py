"""From pixels to rays in the camera's optical frame (x right, y down, z forward)."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo

_NO_DISTORTION = ("", "none")
_COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8,), "thin_prism": (12, 14), "equidistant": (4,)}
"""How many numbers each distortion model has."""
_CRITERIA = (cv2.TERM_CRITERIA_MAX_ITER | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
"""OpenCV's own five steps leave a pixel and more in the corners of wide lenses."""


class Rays:
    """The pinhole model of a sensor_msgs/CameraInfo, with its distortion, region of interest and binning.

    ``rectified`` says that the image was rectified: then P holds and there is no distortion left. Raises ValueError if
    the message has no calibration, its size is not the image's, or its distortion is not understood.
    """

    def __init__(self, info: CameraInfo, height: int, width: int, rectified: bool = False) -> None:
        matrix = np.array(info.p, np.float64).reshape(3, 4)[:, :3] if rectified else np.array(info.k).reshape(3, 3)
        if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
            raise ValueError("has no focal length: the camera is not calibrated")
        self._binning = np.array([max(1, info.binning_x), max(1, info.binning_y)], np.float64)
        self._corner = np.array([info.roi.x_offset, info.roi.y_offset], np.float64)
        full = np.array([info.roi.width or info.width, info.roi.height or info.height])
        expected = full // self._binning.astype(int)
        if full.all() and tuple(expected) != (width, height):
            raise ValueError(f"is for {expected[0]} x {expected[1]} pixels, but the image has {width} x {height}")
        distortion = np.array(info.d, np.float64)
        # Equidistant is a fisheye even where all its coefficients are zero.
        distorted = not rectified and info.distortion_model not in _NO_DISTORTION and (
            bool(distortion.any()) or info.distortion_model == "equidistant")
        if distorted:
            distortion = _checked(info.distortion_model, distortion)
        self._matrix = matrix.astype(np.float64)
        self._distortion = distortion if distorted else None
        self._fisheye = info.distortion_model == "equidistant"

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Continuous pixels (..., 2) to rays (..., 3) float32 with z = 1."""
        # ROS puts the centre of the top-left pixel at (0, 0), this package at (0.5, 0.5). With binning, the pixel's
        # centre lies in the middle of the sensor pixels that it stands for.
        sensor = np.asarray(points, np.float64).reshape(-1, 2) * self._binning + self._corner - 0.5
        flat: np.ndarray
        if self._distortion is None:
            focal = self._matrix[[0, 1], [0, 1]]
            flat = (sensor - self._matrix[:2, 2]) / focal
        elif len(sensor) == 0:
            flat = sensor
        else:
            pixels = sensor[:, None]
            flat = (cv2.fisheye.undistortPoints(pixels, self._matrix, self._distortion) if self._fisheye else
                    cv2.undistortPointsIter(pixels, self._matrix, self._distortion, np.eye(3), np.eye(3), _CRITERIA)
                    )[:, 0]
        rays = np.ones((len(flat), 3), np.float32)
        rays[:, :2] = flat
        return rays.reshape(*np.shape(points)[:-1], 3)


def _checked(model: str, distortion: np.ndarray) -> np.ndarray:
    """The coefficients as OpenCV takes them; raises ValueError. Zeros behind those that a model has do no harm."""
    if model not in _COEFFICIENTS:
        raise ValueError(f"has the distortion model '{model}', which is not known here")
    counts = _COEFFICIENTS[model]
    fitting = [n for n in counts if n <= len(distortion) and not distortion[n:].any()]
    if not fitting or not np.isfinite(distortion).all():
        raise ValueError(f"has the distortion {distortion.tolist()}, but {model} has "
                         f"{' or '.join(map(str, counts))} finite numbers")
    return distortion[: fitting[-1]]


class NominalRays:
    """Stands in for an unknown camera in drawings: the image is one metre wide at unit depth."""

    def __init__(self, height: int, width: int) -> None:
        self._middle = np.array([width / 2, height / 2])
        self._width = width

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Continuous pixels (..., 2) to rays (..., 3) float32 with z = 1."""
        flat = (np.asarray(points) - self._middle) / self._width
        return np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1).astype(np.float32)
