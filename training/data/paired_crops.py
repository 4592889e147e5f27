"""Crops of the same rendered face in thermal and visible light, and visible-light crops of photographs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from torch.utils.data import Dataset

from thermal_kd_ros.faces import CROP_MARGIN, face_box
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.simulation.noise import value_noise
from training.data.coco import DataError
from training.data.compositing import moved, similarity
from training.data.face_light import Photograph
from training.data.head_cache import HeadCache, convention_offsets, even_jaw
from training.data.rendered_faces import CropConfig, LandmarkCrops
from training.data.warping import warped

EYES_CM = 9.0
"""Distance of the outer eye corners of the neutral head."""


@dataclass(frozen=True)
class PairConfig(CropConfig):
    """How pairs vary."""

    misregistration: float = 0.02
    """Standard deviation of what is left of the two cameras' misalignment: shift as part of the face's side, turn in
    radians, scale."""
    night: float = 0.25
    """Share of visible-light crops taken in the dark, with the gain turned up."""


class PairedCrops(Dataset[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]):
    """Thermal crop (1, S, S), its points (54, 2), visible crop (3, S, S) and its points (54, 2), all float32.

    The thermal half is exactly what LandmarkCrops gives for the same cache, seed and epoch. The visible half shows the
    same face in the same place up to ``misregistration``; its points are its own.
    """

    def __init__(self, cache: HeadCache, photos: list[np.ndarray], seed: int, config: PairConfig | None = None) -> None:
        if cache.colours is None:
            raise DataError("the heads have no visible light; render them with face_renderer --visible")
        self.config = config or PairConfig()
        self.cache, self.seed = cache, seed
        self.thermal = LandmarkCrops(cache, photos, seed, self.config)

    @property
    def epoch(self) -> int:
        """Which variation of the crops the items are."""
        return self.thermal.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self.thermal.epoch = value

    def __len__(self) -> int:
        return len(self.thermal)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        thermal = self.thermal.make(index)
        rng = np.random.default_rng((self.seed, self.epoch, index, 1))
        error = self.config.misregistration
        size = self.config.size
        # Crop pixels to crop pixels: what one camera's box misses of the other camera's face.
        middle, turn = np.full(2, size / 2), rng.normal(0, error)
        linear = np.exp(rng.normal(0, error)) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = rng.normal(0, error, 2) * size / (1 + 2 * CROP_MARGIN)
        linear = linear @ thermal.matrix[:, :2]
        offset = middle + (thermal.matrix[:, 2] - middle) @ (linear @ np.linalg.inv(thermal.matrix[:, :2])).T + shift
        matrix = np.column_stack([linear, offset])
        assert self.cache.colours is not None
        colour, mask = self.cache.colours[index], (self.cache.patches[index] > 0).astype(np.float32)
        image = compose(colour, mask, matrix, size, rng)
        points = moved(self.cache.points[index], matrix, thermal.flip)
        visible = visible_camera(image, rng, self.config.night)
        return thermal.values, thermal.points, visible, points.astype(np.float32)


class PhotographCrops(Dataset[tuple[np.ndarray, np.ndarray]]):
    """Visible-light crops (3, S, S) with points (54, 2) of photographs, ``length`` in an epoch.

    The points are brought to where the thermal layout has them, as those of the rendered heads are.
    """

    def __init__(self, photographs: list[Photograph], length: int, seed: int, config: PairConfig | None = None) -> None:
        self.photographs, self.length, self.seed = photographs, length, seed
        self.config = config or PairConfig()
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        config, rng = self.config, np.random.default_rng((self.seed, self.epoch, index, 2))
        photograph = self.photographs[(index + self.epoch * self.length) % len(self.photographs)]
        points = conventional(photograph.points)
        box, flip = face_box(points), bool(rng.random() < 0.5)
        side = config.size / (float(rng.uniform(*config.zoom)) * (1 + 2 * CROP_MARGIN))
        goal = config.size / 2 + rng.uniform(-1, 1, 2) * config.shift * side
        matrix = similarity(rng, side / float((box[2:] - box[:2]).max()), (box[:2] + box[2:]) / 2, config.rotate_deg,
                            flip, goal)
        image = warped(photograph.image.astype(np.float32) / 255, matrix, config.size, config.size)
        return visible_camera(image, rng, config.night), moved(points, matrix, flip).astype(np.float32)


def conventional(points: np.ndarray) -> np.ndarray:
    """Points (54, 2) of an upright, frontal face as the anatomy has them, to where thermal annotators put them."""
    scale = np.linalg.norm(points[45] - points[36]) / EYES_CM
    return even_jaw(points + convention_offsets()[:, :2] * np.array([scale, -scale]))


def photograph_crop(photograph: Photograph, size: int) -> tuple[np.ndarray, np.ndarray, FaceCrop]:
    """(3, size, size) crop of a photograph as it is, its points (54, 2) in the crop, and the crop's transform."""
    points = conventional(photograph.points)
    crop = FaceCrop.around(face_box(points), size, CROP_MARGIN)
    channels = [crop.apply(channel.astype(np.float32) / 255) for channel in np.moveaxis(photograph.image, 2, 0)]
    return np.stack(channels).astype(np.float32), crop.forward(points).astype(np.float32), crop


def compose(colour: np.ndarray, mask: np.ndarray, matrix: np.ndarray, size: int, rng: np.random.Generator
            ) -> np.ndarray:
    """(size, size, 3) float32 in [0, 1]: a rendered head before a smooth background."""
    wall = rng.uniform(0.05, 0.9) * np.exp(rng.normal(0, 0.15, 3))
    background = np.stack([value_noise(rng, size, size, float(rng.uniform(8, size))) for _ in range(3)], axis=2)
    background = np.clip(wall + background * rng.uniform(0, 0.15), 0, 1).astype(np.float32)
    cover = warped(mask, matrix, size, size)[..., None]
    return background * (1 - cover) + warped(colour.astype(np.float32) / 255 * mask[..., None], matrix, size, size)


def visible_camera(image: np.ndarray, rng: np.random.Generator, night: float) -> np.ndarray:
    """(S, S, 3) in [0, 1] as a camera gives it: blur, exposure, white balance, noise, JPEG; (3, S, S) float32."""
    if rng.random() < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 2.0)))
    image = image * np.exp(rng.normal(0, 0.1, 3))
    if rng.random() < night:
        # Few photons: shot noise, a grey picture, and a gain that lifts both.
        photons = float(np.exp(rng.uniform(np.log(15), np.log(300))))
        image = rng.poisson(np.clip(image, 0, None) * photons) / photons
        grey = image.mean(axis=2, keepdims=True)
        image = grey + (image - grey) * rng.uniform(0, 0.7)
    image = np.clip(image * np.exp(rng.normal(0, 0.3)), 0, 1) ** np.exp(rng.normal(0, 0.2))
    image = np.clip(image + rng.normal(0, rng.uniform(0, 0.03), image.shape), 0, 1)
    if rng.random() < 0.4:
        _, data = cv2.imencode(".jpg", (image * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY,
                                                                       int(rng.integers(40, 96))])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32) / 255
    return np.ascontiguousarray(np.moveaxis(image, 2, 0), np.float32)
