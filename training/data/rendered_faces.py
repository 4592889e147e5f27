"""Training images made of rendered heads: single crops for the landmark network, scenes for the face detector.

The heads come from a cache that ``face_renderer`` wrote; they are put before varied backgrounds and seen through a
varied camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from thermal_kd_ros.faces import CROP_MARGIN, face_box, normalise_crop
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.simulation.noise import value_noise
from training.data.coco import DataError, Sample
from training.data.compositing import (
    background,
    camera,
    foliage,
    load_backgrounds,
    moved,
    occlude,
    place,
    similarity,
    with_legs,
    with_trunk,
)
from training.data.face_renderer import FACE
from training.data.head_cache import HeadCache


@dataclass(frozen=True)
class CropConfig:
    """How crops vary."""

    size: int = 112
    side: tuple[float, float] = (22.0, 125.0)
    """Longer side of the face box in the camera's image, pixels."""
    shift: float = 0.14
    """Largest error of the face box's centre, as part of its side."""
    zoom: tuple[float, float] = (0.75, 1.4)
    """Error of the face box's side."""
    rotate_deg: float = 8.0
    occlusion: float = 0.2
    ordinary: float = 0.0
    """Part of the crops that are cut as a good detector's boxes are, of faces that are not far away (ORDINARY)."""


ORDINARY = CropConfig(side=(40.0, 160.0), shift=0.07, zoom=(0.85, 1.2), rotate_deg=4.0, occlusion=0.1)
"""What a robot mostly sees. Trained on nothing else, a network is lost in boxes that are off."""


def chosen_config(config: CropConfig, rng: np.random.Generator) -> CropConfig:
    """How one crop is cut: as ``config`` says, or ordinarily."""
    if config.ordinary and rng.random() < config.ordinary:
        return replace(ORDINARY, size=config.size)
    return config


@dataclass(frozen=True)
class ThermalCrop:
    """A crop of a rendered head and where it came from."""

    values: np.ndarray
    """(1, S, S) float32 in [0, 1]."""
    points: np.ndarray
    """(54, 2) float32, crop pixels."""
    matrix: np.ndarray
    """(2, 3) from the head's patch to the crop, continuous coordinates."""
    flip: bool
    """Whether the matrix mirrors."""


class LandmarkCrops(Dataset[tuple[np.ndarray, np.ndarray]]):
    """Normalised face crops (1, S, S) float32 with points (54, 2) float32 in crop pixels.

    Item ``i`` of epoch ``e`` depends on (seed, e, i) alone.
    """

    def __init__(self, cache: HeadCache, photos: list[np.ndarray], seed: int, config: CropConfig | None = None) -> None:
        self.cache, self.photos, self.seed = cache, photos, seed
        self.config = config or CropConfig()
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.cache)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        made = self.make(index)
        return made.values, made.points

    def make(self, index: int) -> ThermalCrop:
        """Item ``index`` with where it came from."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        config = chosen_config(self.config, rng)
        patch, mask, points = self.cache.head(index, rng)
        ambient = float(self.cache.ambient[index])
        side = float(np.exp(rng.uniform(*np.log(config.side))))
        zoom = float(rng.uniform(*config.zoom))
        window = int(np.ceil(side * zoom * (1 + 2 * CROP_MARGIN))) + 4
        box = face_box(points)
        flip = bool(rng.random() < 0.5)
        # The canvas is the neighbourhood of the crop: what the camera sees elsewhere has no influence on it.
        goal = np.array([window / 2, window / 2]) + rng.uniform(-1, 1, 2) * config.shift * side
        matrix = similarity(rng, side / float((box[2:] - box[:2]).max()), (box[:2] + box[2:]) / 2, config.rotate_deg,
                            flip, goal)
        canvas = background(rng, window, window, ambient, self.photos)
        place(canvas, patch, mask, matrix)
        points = moved(points, matrix, flip)
        if rng.random() < config.occlusion:
            occlude(canvas, rng, goal, side, ambient)
        image = camera(canvas, rng).astype(np.float32)
        half = side * zoom / 2
        middle = window / 2
        square = np.array([middle - half, middle - half, middle + half, middle + half])
        crop = FaceCrop.around(square, config.size, CROP_MARGIN)
        values = normalise_crop(crop.apply(image))
        if rng.random() < 0.15:
            values = np.clip(values ** np.float32(np.exp(rng.normal(0, 0.35))), 0, 1)
        to_crop = np.column_stack([matrix[:, :2], matrix[:, 2] - (crop.x, crop.y)]) * (crop.size / crop.side)
        return ThermalCrop(values[None], crop.forward(points).astype(np.float32), to_crop, flip)


class RenderedFaceScenes:
    """Scenes with 0 to 6 rendered faces, for training.data.mixture.Mixture.

    Heads that look away from the camera, warm blobs, hands and drone images are there to be told from faces. Item
    ``i`` depends on (seed, i) alone.

    Args:
        classes: the model's classes; only ``face`` is labelled here.
        data: folder with hit_uav for backgrounds (may be absent).
        cache: caches written by face_renderer, relative to ``data``, joined by ":".
        length: scenes in an epoch.
        size: height and width of a scene, pixels.
    """

    def __init__(self, classes: tuple[str, ...], data: Path, cache: str, length: int, seed: int = 0,
                 size: tuple[int, int] = (256, 320)) -> None:
        if "face" not in classes:
            raise DataError(f"rendered faces have the class 'face', which is not among {list(classes)}")
        self.cache = HeadCache([data / path for path in cache.split(":")])
        self.photos = load_backgrounds(data if (data / "hit_uav").is_dir() else None)
        self.length, self.seed, self.size = length, seed, tuple(size)
        self.label = classes.index("face")
        self.labelled = np.array([name == "face" for name in classes])
        away = np.abs(self.cache.pose[:, 0]) > 100
        self._front, self._away = np.flatnonzero(~away), np.flatnonzero(away)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> Sample:
        rng = np.random.default_rng((self.seed, i))
        height, width = self.size
        count = int(rng.choice(7, p=[0.1, 0.42, 0.22, 0.11, 0.07, 0.05, 0.03]))
        # One climate for the whole scene: that of the first head.
        first = int(rng.choice(self._front))
        ambient = float(self.cache.ambient[first])
        canvas = background(rng, height, width, ambient, self.photos)
        if rng.random() < 0.25:
            occlude(canvas, rng, rng.uniform(0, 1, 2) * (width, height), rng.uniform(30, 200), ambient)
        for _ in range(rng.poisson(0.5)):
            foliage(canvas, rng, ambient)
        for _ in range(rng.poisson(1.0)):
            self._torso(canvas, rng, ambient)
        sides = np.exp(rng.uniform(np.log(8), np.log(220 if count <= 2 else 90), count))
        if count == 1 and rng.random() < 0.5:  # people who sit before the camera
            sides = rng.uniform(35, 170, 1)
        sides = np.sort(sides)
        boxes: list[np.ndarray] = []
        judged: list[int] = []
        owners = np.full(self.size, -1, np.int16)
        for k, side in enumerate(sides):
            away = len(self._away) > 0 and rng.random() < 0.12
            index = first if k == 0 and not away else int(rng.choice(self._away if away else self._front))
            box, cover, points = self._draw(canvas, rng, index, float(side), ambient)
            owners[cover > 0.5] = k
            if not away:
                boxes.append(box)
                judged.append(self.label)
                if rng.random() < 0.12:
                    occlude(canvas, rng, (box[:2] + box[2:]) / 2, float(side), ambient)
            else:
                boxes.append(np.zeros(4, np.float32))
                judged.append(-2)
        labels = np.array(judged, np.int64)
        boxes_array = np.array(boxes, np.float32).reshape(-1, 4)
        kept = self._judge(boxes_array, labels, owners)
        return Sample(camera(canvas, rng), boxes_array[kept], labels[kept], self.labelled)

    def _draw(self, canvas: np.ndarray, rng: np.random.Generator, index: int, side: float, ambient: float
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a head with a face of ``side`` pixels somewhere; returns its box, coverage and points."""
        height, width = canvas.shape
        patch, mask, points = self.cache.head(index, rng)
        # Heads of another climate are brought to this one, so that not every head glows in the cold.
        patch = patch + 0.5 * (ambient - float(self.cache.ambient[index])) * mask
        patch, mask = with_trunk(patch, mask, rng)
        if side < 0.2 * height and rng.random() < 0.7:
            patch, mask = with_legs(patch, mask, rng)
        points = points + np.array([24.0, 0.0])
        box = face_box(points)
        goal = np.array([rng.uniform(0.02, 0.98) * width, rng.uniform(0.05, 0.9) * height])
        if side > 0.5 * height:
            goal = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
        flip = bool(rng.random() < 0.5)
        matrix = similarity(rng, side / FACE, (box[:2] + box[2:]) / 2, 6.0, flip, goal)
        cover = place(canvas, patch, mask, matrix)
        points = moved(points, matrix, flip)
        return face_box(points), cover, points

    def _judge(self, boxes: np.ndarray, labels: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """Indices of the boxes to keep; faces mostly hidden or outside become ignore regions (in ``labels``)."""
        height, width = owners.shape
        kept = []
        for k, box in enumerate(boxes):
            if labels[k] == -2:
                continue
            area = float(np.prod(box[2:] - box[:2]))
            clipped = np.clip(box, 0, (width, height, width, height))
            if (clipped[2:] - clipped[:2]).min() < 2:
                continue
            x1, y1, x2, y2 = clipped.round().astype(int)
            nearer = float((owners[y1:y2, x1:x2] > k).sum())
            left = float(np.prod(clipped[2:] - clipped[:2])) - nearer
            if left < 0.5 * area:
                labels[k] = -1
            boxes[k] = clipped
            kept.append(k)
        return np.array(kept, np.int64)

    def _torso(self, canvas: np.ndarray, rng: np.random.Generator, ambient: float) -> None:
        """A clothed body without a head, or warm limbs: from below, from the side, cut by the frame."""
        height, width = canvas.shape
        mask: np.ndarray = np.zeros_like(canvas)
        size = float(np.exp(rng.uniform(np.log(8), np.log(120))))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        cv2.ellipse(mask, ((x, y), (size, size * float(rng.uniform(1.3, 2.6))), float(rng.normal(0, 12))), (1.0,), -1)
        for _ in range(int(rng.integers(0, 4))):
            tip = np.array([x, y]) + rng.normal(0, 1.2, 2) * size
            cv2.line(mask, (int(x), int(y)), tip.astype(int).tolist(), (1.0,), max(1, int(size * 0.25)))
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.03 * size))
        value = ambient + (34.0 - ambient) * rng.random() + 0.8 * value_noise(rng, height, width, max(4.0, size / 2), 2)
        canvas += mask * (value.astype(np.float32) - canvas)
