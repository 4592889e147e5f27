"""What is exactly known about a simulated frame.

Coordinates are continuous source pixels: the image spans [0, width] x [0, height] and the centre of the top-left pixel
is (0.5, 0.5). Boxes are x1, y1, x2, y2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SimulatedFace:
    """A face. The box is that of :func:`thermal_kd_ros.faces.face_box` (forehead to chin), not clipped to the image.

    box: (4,) float32. landmarks: (54, 2) float32, sf_tl54. visible: (54,) bool, False behind hair, glasses, mask, other
    parts of the head, other objects, and outside the image. ignore: too small, turned too far, or mostly covered by
    something else: neither to be learnt nor to be counted as a false alarm.
    """

    box: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    ignore: bool


@dataclass(frozen=True)
class SceneImage:
    """A scene as an ideal camera sees it.

    celsius: (H, W) float32. objects: (H, W) int16, which object each pixel shows, 0 for scenery. numbers: (N,) int, the
    object number of each box. boxes: (N, 4) float32, tight around the visible pixels. labels: (N,), 'person', 'car' or
    'bicycle'. ignore: (N,) bool, too small or too little of it visible. visible: (N,) float32, its visible share.
    """

    celsius: np.ndarray
    objects: np.ndarray
    numbers: np.ndarray
    boxes: np.ndarray
    labels: tuple[str, ...]
    ignore: np.ndarray
    visible: np.ndarray
    faces: tuple[SimulatedFace, ...]
    k: np.ndarray


@dataclass(frozen=True)
class SimulatedFrame:
    """One frame of the simulated camera.

    stamp: seconds since the start. celsius: (H, W) float32, the true apparent temperature before the sensor. image:
    what the camera puts out, (H, W) in ``encoding`` 'mono16', '32FC1' or 'mono8'. boxes, labels, ignore, faces: see
    :class:`SceneImage`. k: (3, 3) float64 camera matrix for continuous pixel coordinates. shutter: True while the
    camera repeats a frame behind its closed shutter; image and truth are then those of the repeated frame.
    """

    stamp: float
    celsius: np.ndarray
    image: np.ndarray
    encoding: str
    boxes: np.ndarray
    labels: tuple[str, ...]
    ignore: np.ndarray
    faces: tuple[SimulatedFace, ...]
    k: np.ndarray
    shutter: bool
