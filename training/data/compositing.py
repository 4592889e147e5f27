"""Putting rendered heads into pictures: backgrounds, placing, occlusion, and what a thermal camera makes of it.

Backgrounds are procedural or drone images of HIT-UAV (CC BY 4.0), which show no face.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from thermal_kd_ros.layouts import get_layout
from thermal_kd_ros.simulation.noise import value_noise
from training.data.coco import DataError
from training.data.warping import warped

_LAYOUT = get_layout("sf_tl54")
_BACKGROUNDS = 300


def load_backgrounds(data: Path | None, limit: int = _BACKGROUNDS) -> list[np.ndarray]:
    """Drone images (h, w) uint8, half size; none without ``data``. Raises DataError if no image is there."""
    if data is None:
        return []
    images = []
    for path in sorted((data / "hit_uav" / "train").glob("*.jpg"))[::7][:limit]:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is not None:
            images.append(cv2.resize(image, (320, 256), interpolation=cv2.INTER_AREA))
    if not images:
        raise DataError(f"{data} has no backgrounds hit_uav/train/*.jpg; give the folder of hit_uav by --data, or "
                        "leave it out for procedural ones alone")
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
    height, width = canvas.shape
    cover = warped(mask, matrix, height, width, 0.0)
    canvas *= 1 - cover
    canvas += warped(patch, matrix, height, width, 0.0)
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


def motion_kernel(rng: np.random.Generator) -> np.ndarray:
    """(9, 9) float32 of a short straight motion, whose sum is 1 and whose middle is the middle: nothing is shifted."""
    start, stop = rng.integers(2, 7, 2), rng.integers(0, 9, 2)
    half = np.ceil((stop - start) / 2).astype(int)
    kernel: np.ndarray = np.zeros((9, 9), np.float32)
    cv2.line(kernel, (4 - half).tolist(), (4 + half).tolist(), (1.0,), 1)
    kernel += kernel[::-1, ::-1]  # OpenCV's lines are not symmetric
    return kernel / kernel.sum()


def camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """°C (H, W) as a thermal camera gives it: optics, noise, stripes, and for display cameras gain, enhancement, JPEG.

    Returns float32 °C or uint8.
    """
    if rng.random() < 0.85:
        # The finer the pixels, the more of them the optics and the motion spread a point over.
        widest = 1.1 + 0.9 * min(1.0, max(image.shape) / 150)
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, widest)))
    if rng.random() < 0.12:
        image = cv2.filter2D(image, -1, motion_kernel(rng))
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


def with_legs(patch: np.ndarray, mask: np.ndarray, rng: np.random.Generator, length: int = 400
              ) -> tuple[np.ndarray, np.ndarray]:
    """A patch (H, W) that ends in a trunk, with two legs of ``length`` pixels below, clothed or bare."""
    cover = mask[-1]
    if cover.sum() < 4:
        return patch, mask
    x = np.arange(patch.shape[1], dtype=np.float32)
    middle, half = float((x * cover).sum() / cover.sum()), float(cover.sum() / 2)
    t = np.linspace(0, 1, length, dtype=np.float32)[:, None]
    below: np.ndarray = np.zeros((length, patch.shape[1]), np.float32)
    for side in (-1, 1):
        centre = middle + half * (side * (0.5 - 0.1 * t) + np.float32(rng.normal(0, 0.3)) * t)
        thick = half * (0.48 - 0.26 * t)
        below = np.maximum(below, np.clip(thick - np.abs(x - centre) + 0.5, 0, 1))
    trunk = float(patch[-1].sum() / cover.sum())
    cloth = trunk + float(rng.normal(0, 2.0))
    heat = cloth + value_noise(rng, length, patch.shape[1], float(rng.uniform(12, 50)), 3) * np.float32(0.8)
    if rng.random() < 0.25:  # shorts or a skirt
        heat = np.where(t > rng.uniform(0.2, 0.5), np.float32(max(trunk, 30.0) + rng.normal(0, 1)), heat)
    return np.concatenate([patch, heat * below]), np.concatenate([mask, below])


def foliage(image: np.ndarray, rng: np.random.Generator, ambient: float) -> None:
    """Draw a tree or bush (in place): a ragged crown of clumps with gaps, on a trunk; near ``ambient`` °C."""
    height, width = image.shape
    size = float(np.exp(rng.uniform(np.log(0.06), np.log(0.7)))) * height
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    aspect = float(np.exp(rng.normal(0, 0.3)))
    crown: np.ndarray = np.zeros_like(image)
    cv2.ellipse(crown, ((x, y), (size * aspect, size / aspect), 0.0), (1.0,), -1)
    crown = cv2.GaussianBlur(crown, (0, 0), max(0.6, 0.12 * size))
    clumps = value_noise(rng, height, width, max(2.0, size * rng.uniform(0.06, 0.25)), 2)
    mask: np.ndarray = ((crown + 0.35 * clumps > 0.5) & (crown > 0.1)).astype(np.float32)
    if rng.random() < 0.6:
        foot = (int(x + rng.normal(0, 0.1) * size), int(y + size * rng.uniform(0.6, 1.4)))
        cv2.line(mask, (int(x), int(y)), foot, (1.0,), max(1, int(0.1 * size)))
    mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.4, 1.0)))
    value = ambient + rng.normal(0, 4.0)
    image += mask * (np.float32(value) + np.float32(rng.uniform(0.3, 1.5)) * clumps - image)
