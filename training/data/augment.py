"""Augmentation of thermal images: geometry of image and boxes together, then the ways thermal cameras differ.

Works on contrast-normalised images (values in [0, 1], as the network sees them).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from thermal_kd_ros.geometry import PAD_VALUE
from training.data.warping import warped


@dataclass(frozen=True)
class AugmentConfig:
    """Strengths; probabilities unless said otherwise."""

    scale: tuple[float, float] = (0.6, 1.6)
    """Range of the random zoom."""
    fit: bool = False
    """Whether zoom 1 is the letterbox's, whole image on whole canvas, instead of the source's own pixels."""
    large_shrink: float = 0.4
    """Objects larger than this part of the canvas side make a zoom below 1 likelier."""
    flip: float = 0.5
    vertical_flip: float = 0.0
    """Only for views from above."""
    rotate_deg: float = 5.0
    focus: float = 0.8
    """How often a crop is placed on an object rather than anywhere."""
    close: float = 0.0
    """How often an object is brought right before the lens, its upper end in view, where the source shows it well."""
    fill: float = 0.85
    """How often the crop is kept inside the source."""
    mosaic: float = 0.3
    polarity: float = 0.15
    """Black-hot instead of white-hot, or a scene hotter than its objects."""
    gain: float = 0.35
    """Half-width of the random contrast, and of the offset at a third of it."""
    gamma: float = 0.3
    detail: float = 0.0
    """Detail brought out as camera cores do that flatten large differences."""
    noise: float = 0.04
    """Largest NETD-like noise, as part of the span."""
    blur: float = 0.3
    stripes: float = 0.15
    dead_pixels: float = 0.1
    shading: float = 0.3
    """Slow non-uniformity over the image (narcissus, housing drift)."""
    min_visible: float = 0.3
    """A box cut to less than this part of its area becomes an ignore region."""

    def __post_init__(self) -> None:
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise ValueError(f"scale {list(self.scale)}: give the least and the largest zoom, above 0")


CLOSE_WIDTH = (0.4, 1.1)
"""Widths of an object right before the lens, as parts of the canvas width."""
MOST_MAGNIFIED = 4.0
"""Pixels on the canvas for one of the source, at most, for an object to be brought before the lens."""


_THIN = 1.5
"""Pixels of a box's shorter side up to which there is nothing to learn of."""


def affine(image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, matrix: np.ndarray, height: int, width: int,
           min_visible: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Warp an image (H, W) or (H, W, C <= 4) and its boxes by a 2x3 matrix in continuous coordinates onto a canvas.

    A box becomes the axis-aligned box of its warped inscribed ellipse, clipped: that of its warped corners would be
    looser than the object with every turn. One with less than ``min_visible`` of its area left, or hardly a pixel wide
    or high, becomes an ignore region (-1), one outside is dropped.
    """
    out = warped(image, matrix, height, width, PAD_VALUE)
    if not len(boxes):
        return out, boxes, labels
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2].T ** 2))
    hull = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    clipped = np.clip(hull, 0.0, np.array([width, height, width, height], np.float32))
    area = np.prod(hull[:, 2:] - hull[:, :2], axis=1)
    left = np.prod(clipped[:, 2:] - clipped[:, :2], axis=1)
    keep = left > 0
    thin = (clipped[:, 2:] - clipped[:, :2]).min(axis=1) <= _THIN
    labels = np.where(thin | (left < min_visible * area), -1, labels)
    return out, clipped[keep], labels[keep]


def random_matrix(rng: np.random.Generator, source: tuple[int, int], canvas: tuple[int, int], boxes: np.ndarray,
                  labels: np.ndarray, config: AugmentConfig) -> np.ndarray:
    """A random 2x3 zoom, flip, rotation and shift of a (height, width) source onto a (height, width) canvas.

    With probability ``focus`` some object lands inside the canvas; small canvases then still see objects. With
    probability ``close`` one fills much of it. Ignore regions, ``labels`` (N,) of -1, are not looked for, and the
    classes of an image are looked for alike, however many objects each has in it.
    """
    boxes, labels = boxes[labels >= 0], labels[labels >= 0]
    near = _close_up(rng, canvas, boxes, labels) if config.close and rng.random() < config.close else None
    zoom, focus = near or _anywhere(rng, source, canvas, boxes, labels, config)
    angle = np.deg2rad(rng.uniform(-config.rotate_deg, config.rotate_deg))
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < config.flip:
        linear = linear @ np.diag([-1.0, 1.0])
    if rng.random() < config.vertical_flip:
        linear = linear @ np.diag([1.0, -1.0])
    height, width = canvas
    if focus is not None:
        # Of what is close and higher than the canvas the upper end is seen: of people the head and shoulders.
        (left, right), (top, bottom) = ((0.3, 0.7), (0.0, 0.3)) if near else ((0.1, 0.9), (0.1, 0.9))
        goal = np.array([rng.uniform(left, right) * width, rng.uniform(top, bottom) * height])
        shift = goal - linear @ focus
    else:
        centre = np.array([rng.uniform(0, source[1]), rng.uniform(0, source[0])])
        shift = np.array([width, height]) / 2 - linear @ centre
    if rng.random() < config.fill:
        # Slide the source over the canvas where it can cover it: margins teach nothing.
        corners = np.array([[0, 0], [source[1], 0], [0, source[0]], [source[1], source[0]]]) @ linear.T + shift
        low, high, goal = corners.min(0), corners.max(0), np.array([width, height])
        covers = high - low >= goal
        shift = np.where(covers, shift - np.maximum(low, 0.0) + np.maximum(goal - high, 0.0), shift)
    return np.column_stack([linear, shift])


def _one_of(rng: np.random.Generator, labels: np.ndarray) -> int:
    """An object of one of the classes, of whichever: where cars fill a street, its bicycle is seen as often."""
    classes = np.unique(labels)
    return int(rng.choice(np.flatnonzero(labels == classes[rng.integers(len(classes))])))


def _close_up(rng: np.random.Generator, canvas: tuple[int, int], boxes: np.ndarray, labels: np.ndarray
              ) -> tuple[float, np.ndarray] | None:
    """A zoom that brings an object before the lens, and the middle (2,) of its upper side; None if all are small."""
    widths = boxes[:, 2] - boxes[:, 0]
    able = np.flatnonzero(widths * MOST_MAGNIFIED >= CLOSE_WIDTH[0] * canvas[1])
    if not len(able):
        return None
    i = able[_one_of(rng, labels[able])]
    box, zoom = boxes[i], float(rng.uniform(*CLOSE_WIDTH) * canvas[1] / widths[i])
    return min(zoom, MOST_MAGNIFIED), np.array([(box[0] + box[2]) / 2, box[1]])


def _anywhere(rng: np.random.Generator, source: tuple[int, int], canvas: tuple[int, int], boxes: np.ndarray,
              labels: np.ndarray, config: AugmentConfig) -> tuple[float, np.ndarray | None]:
    """A zoom of the configured range, and with probability ``focus`` the middle (2,) of an object to look at."""
    zoom = float(np.exp(rng.uniform(*np.log(config.scale))))
    if config.fit:
        zoom *= min(canvas[0] / source[0], canvas[1] / source[1])
    if not len(boxes) or rng.random() >= config.focus:
        return zoom, None
    box = boxes[_one_of(rng, labels)]
    longest = float((box[2:] - box[:2]).max()) * zoom / min(canvas)
    if longest > config.large_shrink:
        # Objects that would fill the canvas are shown at every size down to a tenth of it as well.
        zoom *= float(np.exp(rng.uniform(np.log(0.1), np.log(0.95)))) / longest
    return zoom, (box[:2] + box[2:]) / 2


def sensor(image: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """What differs from camera to camera, by the names of ``config``; (H, W) in [0, 1] before and after."""
    height, width = image.shape
    out = image
    if rng.random() < config.detail:
        out = detail_enhanced(out, rng)
        low, high = np.percentile(out[::3, ::3], (0.5, 99.5))
        out = np.clip((out - np.float32(low)) / np.float32(max(high - low, 0.2)), 0.0, 1.0)
    if rng.random() < config.polarity:
        out = 1.0 - out
    gain = float(np.exp(rng.uniform(-config.gain, config.gain)))
    out = (out - 0.5) * np.float32(gain) + np.float32(0.5 + rng.uniform(-config.gain, config.gain) / 3)
    out = np.clip(out, 0.0, 1.0)
    if rng.random() < config.gamma:
        out = out ** np.float32(np.exp(rng.uniform(-0.5, 0.5)))
    if rng.random() < config.blur:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < config.shading:
        coarse = rng.normal(0.0, 0.06, (3, 4)).astype(np.float32)
        out = out + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < config.stripes:
        out = out + rng.normal(0.0, rng.uniform(0.005, 0.03), (1, width)).astype(np.float32)
        out = out + rng.normal(0.0, rng.uniform(0.002, 0.015), (height, 1)).astype(np.float32)
    level = rng.uniform(0.0, config.noise)
    out = out + rng.standard_normal(out.shape, np.float32) * np.float32(level * rng.random())
    if rng.random() < config.dead_pixels:
        count = int(rng.integers(1, 20))
        out = np.array(out, copy=True)
        out[rng.integers(0, height, count), rng.integers(0, width, count)] = rng.integers(0, 2, count)
    return np.clip(out, 0.0, 1.0).astype(np.float32)


def detail_enhanced(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 with large differences made smaller and small ones larger, as camera cores do to show both.

    Edges get halos. The values stay in the image's unit, not in its range.
    """
    height, width = image.shape
    coarse = cv2.resize(image, (max(width // 4, 1), max(height // 4, 1)), interpolation=cv2.INTER_AREA)
    base = cv2.GaussianBlur(coarse, (0, 0), rng.uniform(0.02, 0.10) * coarse.shape[1])
    base = cv2.resize(base, (width, height), interpolation=cv2.INTER_LINEAR)
    fine = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 1.6))
    return np.asarray(np.float32(rng.uniform(0.25, 0.8)) * base + np.float32(rng.uniform(1.0, 2.0)) * (fine - base)
                      + np.float32(rng.uniform(1.0, 3.0)) * (image - fine), np.float32)


def daylight(image: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """What differs between visible images (H, W, 3) in [0, 1]: exposure, white balance, gamma, blur, noise."""
    gain = np.exp(rng.uniform(-config.gain, config.gain) + rng.uniform(-0.1, 0.1, 3))
    out = np.clip(image * gain.astype(np.float32), 0.0, 1.0)
    if rng.random() < config.gamma:
        out = out ** np.float32(np.exp(rng.uniform(-0.5, 0.5)))
    if rng.random() < config.blur:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.3))
    level = rng.uniform(0.0, config.noise)
    out = out + rng.standard_normal(out.shape, np.float32) * np.float32(level * rng.random())
    return np.clip(out, 0.0, 1.0).astype(np.float32)
