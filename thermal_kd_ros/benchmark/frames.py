"""Frames with a known number of faces, from the simulated camera."""

from __future__ import annotations

import cv2
import numpy as np

from ..simulation import SimulatedCamera, SimulatedFrame, SimulationConfig

WIDTH, HEIGHT = 640, 512
FACES = (0, 1, 8)
_STREETS, _ROOMS = (1, 2, 3), (1, 11, 12)
"""Seeds of scenes without and with one face that the shipped models read right: a case then has the work that its name
says. A test holds them to it."""
_LOOSE = 1.8
"""Side of the pasted patch, in sides of the face: a head with some room."""


def rendered(faces: int) -> list[np.ndarray]:
    """Frames (512, 640) uint16 in centikelvin that show no face, one, or one and its copies up to ``faces``."""
    if faces == 0:
        return [_shot("aerial", seed).image for seed in _STREETS]
    shots = [_shot("indoor", seed) for seed in _ROOMS]
    if faces == 1:
        return [shot.image for shot in shots]
    boxes = [next(face.box for face in shot.faces if not face.ignore) for shot in shots]
    return [_copied(shot.image, box, faces) for shot, box in zip(shots, boxes, strict=True)]


def _shot(scene: str, seed: int) -> SimulatedFrame:
    return SimulatedCamera(SimulationConfig(seed=seed, scene=scene, width=WIDTH, height=HEIGHT)).frame(0)


def _copied(image: np.ndarray, box: np.ndarray, faces: int) -> np.ndarray:
    """The face of a box, resized, ``faces`` times on a grid over the scene."""
    height, width = image.shape
    side = _LOOSE * float((box[2:] - box[:2]).max()) / 2
    x, y = (box[:2] + box[2:]) / 2
    patch = image[max(0, int(y - side)) : int(y + side), max(0, int(x - side)) : int(x + side)]
    columns = int(np.ceil(np.sqrt(faces * width / height)))
    cell = min(width // columns, height // int(np.ceil(faces / columns)))
    patch = cv2.resize(patch, (cell, cell), interpolation=cv2.INTER_AREA)
    made = np.full_like(image, int(np.percentile(image, 20)))
    for i in range(faces):
        row, column = divmod(i, columns)
        made[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = patch
    return made
