"""Training images made of rendered heads: single crops for the landmark network, scenes for the face detector.

The heads come from a cache that ``face_renderer`` wrote; they are put before varied backgrounds and seen through a
varied camera. Backgrounds are procedural or drone images of HIT-UAV (CC BY 4.0), which show no face.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from thermal_kd_ros.faces import CROP_MARGIN, normalise_crop
from thermal_kd_ros.geometry import FaceCrop
from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.simulation.noise import value_noise
from training.data.coco import DataError, Sample
from training.data.face_renderer import FACE, PATCH, face_box

_LAYOUT = get_layout("sf_tl54")
_BACKGROUNDS = 300


_RAISED: dict[tuple[int, ...], float] = {
    (0, 16): -0.43, (1, 15): -0.33, (2, 14): -0.27, (3, 13): -0.20, (4, 12): -0.10,
    (17, 26): 0.20, (18, 25): -0.07, (19, 24): -0.18, (20, 23): -0.24, (21, 22): -0.28,
    (27,): 0.10, (28,): -0.06, (29, 30): -0.25, (31, 35): 0.15,
    (36, 45): 0.25, (37, 44): 0.28, (38, 43): 0.23, (39, 42): 0.37, (40, 47): 0.30, (41, 46): 0.31,
    (48, 50, 49): 0.13, (51,): -0.19, (52,): 0.10, (53,): -0.10,
}
"""How far thermal annotations lie above the mesh's landmark vertices, cm.

In a thermal image the eye is the warm orbit and the brow its cool upper rim, so both are marked nearer to each other
than the anatomy is; the jaw line starts level with the eyes. Measured as the mean difference, over the labels of two
people (driver_faces 1_*), between each label and the nearest rendered faces, and made symmetric.
"""


def convention_offsets() -> np.ndarray:
    """(54, 3) cm along the head's axes from the mesh's landmark vertices to where annotators put the points."""
    offsets = np.zeros((54, 3), np.float32)
    for points, height in _RAISED.items():
        offsets[list(points), 1] = height
    return offsets


def even_jaw(points: np.ndarray) -> np.ndarray:
    """Points (54, 2) with the jaw points of each half (0-8, 8-16) spread evenly along the line through them.

    Annotators space them evenly on the contour that they see; the mesh's points crowd at the chin, and in turned faces
    on the far side.
    """
    out = points.copy()
    for half in (slice(0, 9), slice(8, 17)):
        line = points[half]
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        goal = np.linspace(0.0, length[-1], 9)
        out[half] = np.stack([np.interp(goal, length, line[:, k]) for k in (0, 1)], axis=1)
    return out


class HeadCache:
    """Rendered heads in memory; raises DataError if a file is missing or has another layout."""

    def __init__(self, paths: list[Path]) -> None:
        parts: list[dict[str, np.ndarray]] = []
        for path in paths:
            if not path.is_file():
                raise DataError(f"{path} is missing; write it with python3 -m training.data.face_renderer")
            with np.load(path) as archive:
                parts.append({name: archive[name] for name in archive.files})
        names = parts[0].keys()
        joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
        self.patches = joined["patches"]
        self.ambient = joined["ambient"]
        self.axes = joined["axes"]
        self.pose = joined["pose"]
        self.visible = joined["visible"]
        if self.patches.shape[1:] != (PATCH, PATCH):
            raise DataError(f"{paths[0]} holds patches of {self.patches.shape[1:]}, expected {(PATCH, PATCH)}")
        self.points = np.stack([even_jaw(points) for points in joined["points"] + convention_offsets() @ self.axes])

    def __len__(self) -> int:
        return len(self.patches)

    def head(self, i: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """°C (PATCH, PATCH) float32 (0 outside), coverage (PATCH, PATCH) float32, points (54, 2) of head ``i``.

        The warmth of the eye sockets is varied by ``rng``, unless glasses or a turned head hide them.
        """
        counts = self.patches[i]
        mask = (counts > 0).astype(np.float32)
        patch = counts.astype(np.float32) / 100 - 273.15
        if self.visible[i, 36:48].mean() > 0.5 and rng.random() < 0.7:
            warm_orbits(patch, self.points[i], self.axes[i], rng)
        return patch * mask, mask, self.points[i]


def warm_orbits(patch: np.ndarray, points: np.ndarray, axes: np.ndarray, rng: np.random.Generator) -> None:
    """Warm both eye sockets of a rendered head (in place): thin lids stand out with a rather sharp edge.

    Args:
        patch: (H, W) °C.
        points: (54, 2) landmarks, pixels.
        axes: (3, 2) a centimetre along the head's axes, pixels.
    """
    plane = axes[:2].astype(np.float64)
    if abs(np.linalg.det(plane)) <= 0.25 * np.linalg.norm(plane[1]) ** 2:
        return  # nearly in profile
    to_cm = np.linalg.inv(plane)
    kelvin, width, height = rng.uniform(0.1, 2.2), rng.uniform(1.6, 2.3), rng.uniform(1.0, 1.5)
    lower = rng.uniform(-0.1, 0.35)
    for eye in (slice(36, 42), slice(42, 48)):
        centre = points[eye].mean(axis=0) - lower * plane[1]
        x1, y1 = np.maximum(centre - 32, 0).astype(int)
        x2, y2 = np.minimum(centre + 32, PATCH).astype(int)
        if x2 <= x1 or y2 <= y1:
            continue
        x, y = np.meshgrid(np.arange(x1, x2) + 0.5 - centre[0], np.arange(y1, y2) + 0.5 - centre[1])
        u = x * to_cm[0, 0] + y * to_cm[1, 0]
        v = x * to_cm[0, 1] + y * to_cm[1, 1]
        socket = (u / width) ** 2 + (v / height) ** 2
        patch[y1:y2, x1:x2] += np.float32(kelvin) * np.exp(-(socket**2)).astype(np.float32)


def load_backgrounds(data: Path | None, limit: int = _BACKGROUNDS) -> list[np.ndarray]:
    """Drone images (h, w) float32 in [0, 1], half size; empty if the data set is not there."""
    if data is None:
        return []
    images = []
    for path in sorted((data / "hit_uav" / "train").glob("*.jpg"))[::7][:limit]:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is not None:
            images.append(cv2.resize(image, (320, 256), interpolation=cv2.INTER_AREA))
    return images


def background(rng: np.random.Generator, height: int, width: int, ambient: float, photos: list[np.ndarray]
               ) -> np.ndarray:
    """(height, width) float32 °C around ``ambient``: walls, gradients, clutter, warm and cold things."""
    image = np.full((height, width), ambient + rng.normal(0, 0.8), np.float32)
    if photos and rng.random() < 0.3:
        photo = photos[rng.integers(len(photos))]
        side = int(rng.integers(60, 250))
        y, x = rng.integers(0, 257 - side), rng.integers(0, 321 - side)
        piece = cv2.resize(photo[y : y + side, x : x + side], (width, height), interpolation=cv2.INTER_LINEAR)
        image += (piece.astype(np.float32) / 255 - 0.5) * rng.uniform(-4, 12)
    amplitude = float(rng.choice([0.15, 0.6, 2.0, 4.0]))
    image += amplitude * value_noise(rng, height, width, max(4.0, rng.uniform(0.1, 1.0) * max(height, width)))
    if rng.random() < 0.5:
        image += np.linspace(0, rng.normal(0, 2.0), height, dtype=np.float32)[:, None]
        image += np.linspace(0, rng.normal(0, 2.0), width, dtype=np.float32)[None]
    for _ in range(rng.poisson(1.5)):
        _thing(image, rng, ambient)
    return image


def _thing(image: np.ndarray, rng: np.random.Generator, ambient: float) -> None:
    """Draw a warm or cold thing: a lamp, a screen, a window, a cup, a pipe, a seat, a limb."""
    height, width = image.shape
    above = rng.choice([rng.normal(0, 3), rng.uniform(5, 25), rng.uniform(-15, -2)], p=[0.5, 0.35, 0.15])
    value = float(ambient + above)
    size = float(np.exp(rng.uniform(np.log(0.03), np.log(0.6)))) * max(height, width)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    mask: np.ndarray = np.zeros_like(image)
    angle = float(rng.uniform(0, 180))
    aspect = float(np.exp(rng.normal(0, 0.6)))
    kind = rng.integers(3)
    if kind == 0:
        cv2.ellipse(mask, ((x, y), (size * aspect, size / aspect), angle), (1.0,), -1)
    elif kind == 1:
        corners = cv2.boxPoints(((x, y), (size * aspect, size / aspect), angle if rng.random() < 0.4 else 0.0))
        cv2.fillPoly(mask, [corners.astype(np.int32)], (1.0,))
    else:
        direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * size * 2
        start, stop = np.array([x, y]) - direction, np.array([x, y]) + direction
        cv2.line(mask, start.astype(int).tolist(), stop.astype(int).tolist(), (1.0,), max(1, int(size * 0.2)))
    mask = cv2.GaussianBlur(mask, (0, 0), float(np.clip(size * rng.uniform(0.01, 0.15), 0.4, 5.0)))
    texture = value_noise(rng, height, width, max(3.0, size / 2), 2) if size > 12 else np.float32(0.0)
    image += mask * (np.float32(value) + np.float32(rng.uniform(0, 1.0)) * texture - image)


def place(canvas: np.ndarray, patch: np.ndarray, mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Draw a head patch into ``canvas`` (in place) by a 2x3 matrix in continuous coordinates; returns its coverage."""
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrink < 0.75:
        sigma = 0.45 * (1 / shrink - 0.5)
        patch, mask = cv2.GaussianBlur(patch, (0, 0), sigma), cv2.GaussianBlur(mask, (0, 0), sigma)
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    size = (canvas.shape[1], canvas.shape[0])
    heat = cv2.warpAffine(patch, shifted, size, flags=cv2.INTER_LINEAR)
    cover = cv2.warpAffine(mask, shifted, size, flags=cv2.INTER_LINEAR)
    canvas *= 1 - cover
    canvas += heat
    return cover


def similarity(rng: np.random.Generator, scale: float, centre: np.ndarray, rotate_deg: float, flip: bool,
               goal: np.ndarray) -> np.ndarray:
    """2x3 matrix that scales and turns about ``centre`` (2,), mirrors if asked, and moves it to ``goal`` (2,)."""
    angle = np.radians(rng.normal(0, rotate_deg))
    stretch = np.exp(rng.normal(0, 0.03))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([stretch * (-1.0 if flip else 1.0), 1 / stretch])
    return np.column_stack([linear, goal - linear @ centre])


def moved(points: np.ndarray, matrix: np.ndarray, flip: bool) -> np.ndarray:
    """Points (54, 2) through a matrix; a mirrored face swaps its left and right points."""
    points = points @ matrix[:, :2].T + matrix[:, 2]
    return points[list(_LAYOUT.mirror)] if flip else points


def occlude(image: np.ndarray, rng: np.random.Generator, centre: np.ndarray, side: float, ambient: float) -> None:
    """A bar (belt, phone, mast) or a warm blob (hand, other person) over part of a face of ``side`` pixels."""
    mask: np.ndarray = np.zeros_like(image)
    offset = rng.normal(0, 0.45, 2) * side
    x, y = (centre + offset).tolist()
    size = side * float(rng.uniform(0.1, 0.45))
    angle = float(rng.uniform(0, 180))
    if rng.random() < 0.5:
        long = side * float(rng.uniform(0.5, 3.0))
        cv2.fillPoly(mask, [cv2.boxPoints(((x, y), (long, size * 0.6), angle)).astype(np.int32)], (1.0,))
        value = ambient + rng.normal(2, 4)
    else:
        cv2.ellipse(mask, ((x, y), (size, size * float(rng.uniform(0.5, 1.5))), angle), (1.0,), -1)
        for _ in range(int(rng.integers(0, 5))):  # fingers
            tip = np.array([x, y]) + rng.normal(0, 0.6, 2) * size
            cv2.line(mask, (int(x), int(y)), tip.astype(int).tolist(), (1.0,), max(1, int(size * 0.25)))
        value = rng.uniform(28, 35)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.4, 0.01 * side))
    image += mask * (np.float32(value) - image)


def camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """°C (H, W) as a thermal camera gives it: optics, noise, stripes, and for display cameras gain, enhancement, JPEG.

    Returns float32 °C or uint8.
    """
    if rng.random() < 0.85:
        # The finer the pixels, the more of them the optics and the motion spread a point over.
        widest = 1.1 + 0.9 * min(1.0, max(image.shape) / 150)
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, widest)))
    if rng.random() < 0.12:
        blurred: np.ndarray = np.zeros((9, 9), np.float32)
        cv2.line(blurred, rng.integers(2, 7, 2).tolist(), rng.integers(0, 9, 2).tolist(), (1.0,), 1)
        image = cv2.filter2D(image, -1, blurred / max(blurred.sum(), 1.0))
    height, width = image.shape
    netd = float(np.exp(rng.uniform(np.log(0.02), np.log(0.35))))
    image = image + netd * rng.standard_normal(image.shape, np.float32)
    if rng.random() < 0.4:
        image = image + np.float32(netd * rng.uniform(0.2, 1.0)) * rng.standard_normal((1, width), np.float32)
        image = image + np.float32(netd * rng.uniform(0.1, 0.6)) * rng.standard_normal((height, 1), np.float32)
    if rng.random() < 0.15:
        coarse = rng.normal(0, 0.3, (3, 3)).astype(np.float32)
        image = image + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.4:
        return image.astype(np.float32)
    low, high = (float(v) for v in np.percentile(image, (rng.uniform(0, 5), rng.uniform(96, 100))))
    span = max(high - low, 0.5)
    # Automatic gain leaves headroom or lets the warmest skin saturate.
    low, high = low - span * rng.uniform(-0.1, 0.3), high + span * rng.uniform(-0.22, 0.4)
    grey = np.clip((image - low) / max(high - low, 0.3), 0, 1)
    if rng.random() < 0.5:
        grey = grey ** np.float32(np.exp(rng.uniform(-0.7, 0.7)))
    choice = rng.random()
    if choice < 0.25:
        local = cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.8, 4.0)))
        grey = np.clip(grey + rng.uniform(0.3, 2.0) * (grey - local), 0, 1)
    grey8: np.ndarray = (grey * 255).astype(np.uint8)
    if 0.25 < choice < 0.45 and min(height, width) >= 16:
        tiles = int(rng.integers(1, 5))
        grey8 = cv2.createCLAHE(float(rng.uniform(1.0, 4.0)), (tiles, tiles)).apply(grey8)
    if rng.random() < 0.12:
        grey8 = 255 - grey8
    if rng.random() < 0.5:
        _, data = cv2.imencode(".jpg", grey8, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])
        grey8 = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return grey8


@dataclass(frozen=True)
class CropConfig:
    """How crops vary."""

    size: int = 112
    side: tuple[float, float] = (22.0, 125.0)
    """Longer side of the face box in the camera's image, pixels."""
    shift: float = 0.10
    """Largest error of the face box's centre, as part of its side."""
    zoom: tuple[float, float] = (0.85, 1.25)
    """Error of the face box's side."""
    rotate_deg: float = 8.0
    occlusion: float = 0.2


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
        config, rng = self.config, np.random.default_rng((self.seed, self.epoch, index))
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
        return values[None], crop.forward(points).astype(np.float32)


def with_trunk(patch: np.ndarray, mask: np.ndarray, rng: np.random.Generator, side: int = 24, below: int = 150
               ) -> tuple[np.ndarray, np.ndarray]:
    """A patch whose trunk goes on below and beside it, with folds, so that no bust hangs in the air."""
    pad = ((0, below), (side, side))
    patch, mask = np.pad(patch, pad, mode="edge"), np.pad(mask, pad, mode="edge")
    cover = cv2.blur(mask[-1:], (31, 1))
    cloth = cv2.blur(patch[-1:], (31, 1)) / np.maximum(cover, 1e-3)
    folds = value_noise(rng, below, patch.shape[1], float(rng.uniform(12, 50)), 3) * np.float32(rng.uniform(0.2, 1.5))
    patch[-below:] = (cloth + folds) * mask[-below:]
    return patch, mask


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
        self.photos = load_backgrounds(data)
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
        count = int(rng.choice(7, p=[0.17, 0.38, 0.2, 0.1, 0.07, 0.05, 0.03]))
        # One climate for the whole scene: that of the first head.
        first = int(rng.choice(self._front))
        ambient = float(self.cache.ambient[first])
        canvas = background(rng, height, width, ambient, self.photos)
        if rng.random() < 0.25:
            occlude(canvas, rng, rng.uniform(0, 1, 2) * (width, height), rng.uniform(30, 200), ambient)
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
