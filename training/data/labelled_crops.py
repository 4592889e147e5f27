"""Crops of real, labelled thermal faces for training, varied as the rendered ones are."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from torch.utils.data import Dataset

from thermal_kd_ros.faces import CROP_MARGIN, face_box, normalise_crop
from training.data.compositing import moved, similarity
from training.data.driver_faces import FaceFrame
from training.data.rendered_faces import CropConfig, chosen_config
from training.data.warping import warped


class Faces(Protocol):
    """A data set of labelled faces in the sf_tl54 layout."""

    def __len__(self) -> int:
        """How many faces there are."""

    def __getitem__(self, i: int) -> FaceFrame:
        """Face ``i``."""


class LabelledCrops(Dataset[tuple[np.ndarray, np.ndarray]]):
    """Normalised crops (1, S, S) float32 with points (54, 2) float32 in crop pixels, like LandmarkCrops.

    Item ``i`` of epoch ``e`` depends on (seed, e, i) alone. ``length`` items go through the faces in turn.
    """

    def __init__(self, faces: Faces, length: int, seed: int, config: CropConfig | None = None) -> None:
        self.faces, self.length, self.seed = faces, length, seed
        self.config = config or CropConfig()
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        config = chosen_config(self.config, rng)
        face = self.faces[(index + self.epoch * self.length) % len(self.faces)]
        box = face_box(face.points)
        side = config.size / (float(rng.uniform(*config.zoom)) * (1 + 2 * CROP_MARGIN))
        flip = bool(rng.random() < 0.5)
        goal = config.size / 2 + rng.uniform(-1, 1, 2) * config.shift * side
        matrix = similarity(rng, side / float((box[2:] - box[:2]).max()), (box[:2] + box[2:]) / 2, config.rotate_deg,
                            flip, goal)
        crop = warped(face.values.astype(np.float32), matrix, config.size, config.size)
        if rng.random() < 0.5:
            crop = cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 2.0)))
        values = normalise_crop(crop)
        values = np.clip(values + rng.normal(0, rng.uniform(0, 0.04), values.shape), 0, 1)
        if rng.random() < 0.3:
            values = values ** np.exp(rng.normal(0, 0.35))
        return values[None].astype(np.float32), moved(face.points, matrix, flip).astype(np.float32)
