"""Cheap variations of rendered thermal heads, painted into their patches each time that they are used."""

from __future__ import annotations

import cv2
import numpy as np

from thermal_kd_ros.simulation.noise import value_noise

_NECK_BEHIND_CHIN = 7.0
"""How far the middle of the neck's front lies behind the chin, cm."""


def warm_orbits(patch: np.ndarray, mask: np.ndarray, points: np.ndarray, axes: np.ndarray, rng: np.random.Generator
                ) -> None:
    """Warm both eye sockets of a rendered head (in place): thin lids stand out with a rather sharp edge.

    Glasses, which hide them, stay as they are.

    Args:
        patch: (H, W) °C.
        mask: (H, W) coverage.
        points: (54, 2) landmarks, pixels.
        axes: (3, 2) a centimetre along the head's axes, pixels.
    """
    plane = axes[:2].astype(np.float64)
    if abs(np.linalg.det(plane)) <= 0.25 * np.linalg.norm(plane[1]) ** 2:
        return  # nearly in profile
    skin = _skin(patch, mask, points, axes)
    if skin is None:
        return
    to_cm = np.linalg.inv(plane)
    kelvin, width, height = rng.uniform(0.1, 2.2), rng.uniform(1.6, 2.3), rng.uniform(1.0, 1.5)
    lower = rng.uniform(-0.1, 0.35)
    for eye in (slice(36, 42), slice(42, 48)):
        centre = points[eye].mean(axis=0) - lower * plane[1]
        x1, y1 = np.maximum(centre - 32, 0).astype(int)
        x2, y2 = np.minimum(centre + 32, patch.shape[0]).astype(int)
        if x2 <= x1 or y2 <= y1:
            continue
        x, y = np.meshgrid(np.arange(x1, x2) + 0.5 - centre[0], np.arange(y1, y2) + 0.5 - centre[1])
        u = x * to_cm[0, 0] + y * to_cm[1, 0]
        v = x * to_cm[0, 1] + y * to_cm[1, 1]
        socket = (u / width) ** 2 + (v / height) ** 2
        window = patch[y1:y2, x1:x2]
        window += np.float32(kelvin) * np.exp(-(socket**2)).astype(np.float32) * _near(window, skin, 3.0)


def vary_regions(patch: np.ndarray, mask: np.ndarray, points: np.ndarray, visible: np.ndarray, axes: np.ndarray,
                 rng: np.random.Generator) -> None:
    """Cool or warm nose, lips and cheeks of a rendered head, in place, each within its own outline.

    Evaporation and narrow vessels cool noses and lips by several kelvin, in other faces they are as warm as the rest;
    their outlines are then the clearest that the middle of a thermal face has. What something hides, as a mask does the
    lips, stays as it is.

    Args:
        patch: (H, W) °C.
        mask: (H, W) coverage.
        points: (54, 2) landmarks, pixels.
        visible: (54,) bool.
        axes: (3, 2) a centimetre along the head's axes, pixels.
    """
    scale = float(np.linalg.norm(axes[1]))  # pixels per centimetre
    skin = _skin(patch, mask, points, axes)
    if scale < 1.0 or skin is None:
        return
    lower = 0.4 * axes[1]
    outlines = (
        (np.concatenate([points[28:30], points[31:36] - 0.3 * lower, points[[29]]]), [31, 32, 33, 34, 35],  # nose
         0.3, -0.9, 1.3, 0.5),
        (_through(points[[48, 49, 50, 51]]), [48, 49, 50, 51], 0.15, -0.5, 1.1, 0.5),  # lips
        (points[[36, 41, 31, 48, 4, 2]] * 0.75 + points[[41]] * 0.25 - lower, [31, 48], 0.8, -0.5, 0.8, 0.35),  # right
        (points[[45, 46, 35, 50, 12, 14]] * 0.75 + points[[46]] * 0.25 - lower, [35, 50], 0.8, -0.5, 0.8, 0.35),  # left
    )
    cheeks = rng.normal(0, 1), rng.random()
    for k, (outline, seen, soft, mean, spread, share) in enumerate(outlines):
        draw, chance = cheeks if k >= 2 else (rng.normal(0, 1), rng.random())
        if chance > share or not visible[seen].any():
            continue
        hull = cv2.convexHull(outline.astype(np.float32)).astype(np.int32)
        shape = cv2.GaussianBlur(cv2.fillPoly(np.zeros_like(patch), [hull], (1.0,)), (0, 0), max(0.5, soft * scale))
        patch += shape * _near(patch, skin, 5.0) * np.float32(mean + spread * draw)


def _through(mouth: np.ndarray) -> np.ndarray:
    """(24, 2) around lips whose right corner, upper edge, left corner and lower edge are ``mouth`` (4, 2).

    An ellipse through them in each quarter: no mouth has corners at its upper and lower edge.
    """
    right, upper, left, lower = mouth
    centre = (right + left) / 2
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    across, down = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return centre + across * (left - right) / 2 + np.where(down > 0, down * (lower - centre), -down * (upper - centre))


def _face(patch: np.ndarray, points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(H, W) float32, 1 inside the face from the jaw to the forehead."""
    hull = cv2.convexHull(np.concatenate([points[:27], points[17:27] + 3.5 * axes[1]]).astype(np.float32))
    return cv2.fillPoly(np.zeros_like(patch), [hull.astype(np.int32)], (1.0,))


def _skin(patch: np.ndarray, mask: np.ndarray, points: np.ndarray, axes: np.ndarray) -> float | None:
    """Temperature of most of a face's skin, °C; None where the patch shows nothing of the face."""
    inside = (_face(patch, points, axes) > 0) & (mask > 0.5)
    return float(np.percentile(patch[inside][::7], 75)) if inside.any() else None


def vary_below_jaw(patch: np.ndarray, mask: np.ndarray, points: np.ndarray, axes: np.ndarray, ambient: float,
                   rng: np.random.Generator) -> None:
    """Vary the contrast of the face, the neck's warmth and the collar of a rendered head, in place.

    In many thermal images nothing but a faint shade parts chin and neck, and the strongest edge below the mouth is the
    V of a collar or jacket: a network must not take it for the chin.

    Args:
        patch: (H, W) °C, 0 outside the head.
        mask: (H, W) coverage.
        points: (54, 2) landmarks, pixels.
        axes: (3, 2) a centimetre along the head's axes, pixels.
        ambient: air temperature, °C.
    """
    plane = axes[:2].astype(np.float64)
    scale = float(np.linalg.norm(plane[1]))  # pixels per centimetre
    if scale < 1.0 or abs(np.linalg.det(plane)) <= 0.15 * scale**2:
        return  # nearly in profile, or from above
    skin = _skin(patch, mask, points, axes)
    if skin is None:
        return
    face = cv2.GaussianBlur(_face(patch, points, axes), (0, 0), max(0.5, 0.15 * scale))
    if rng.random() < 0.4:
        # More or less contrast within the face; glasses, masks and beards keep theirs.
        share = rng.uniform(0.3, 0.9) if rng.random() < 0.4 else -rng.uniform(0.3, 1.5)
        patch += _near(patch, skin, 3.0) * face * mask * np.float32(share) * (np.float32(skin - 0.3) - patch)
    to_cm = np.linalg.inv(plane)
    neck = points[8] - _NECK_BEHIND_CHIN * axes[2]
    columns = (np.arange(patch.shape[1]) + 0.5 - neck[0]).astype(np.float32)
    rows = (np.arange(patch.shape[0]) + 0.5 - neck[1]).astype(np.float32)[:, None]
    above = columns * np.float32(to_cm[0, 1]) + rows * np.float32(to_cm[1, 1])  # the chin's level, cm
    if rng.random() < 0.6:
        outside = (1 - face) * mask * (above < 3.0)
        patch += outside * _near(patch, skin, 3.5) * np.float32(rng.normal(0.0, 0.9))
    if rng.random() < 0.3:
        _fade_edge(patch, mask, face * (np.abs(above) < 6.0), float(rng.uniform(0.5, 1.6)) * scale)
    if rng.random() < 0.5:
        across = columns * np.float32(to_cm[0, 0]) + rows * np.float32(to_cm[1, 0])
        rise, notch, soft = rng.uniform(0.0, 2.0), rng.uniform(1.5, 9.0), rng.uniform(0.1, 0.4)
        top = np.minimum(np.float32(rise) * np.abs(across - np.float32(rng.normal(0, 0.7))) - np.float32(notch),
                         np.float32(rng.uniform(-1.5, 2.0)))
        cloth = np.float32(ambient + (skin - ambient) * rng.uniform(-0.05, 0.75))
        folds = value_noise(rng, patch.shape[0], patch.shape[1], float(rng.uniform(8, 40)), 3)
        cover = np.clip((top - above) * np.float32(1 / soft) + 0.5, 0, 1) * (1 - face) * mask
        patch += cover * (cloth + folds * np.float32(rng.uniform(0.1, 1.5)) - patch)


def _near(patch: np.ndarray, skin: float, width: float) -> np.ndarray:
    """1 where the temperature is that of skin, falling to 0 at ``width`` kelvin from it."""
    distance = np.abs(patch - np.float32(skin)) * np.float32(1 / width)
    return np.clip(2 - 2 * distance, 0, 1)


def _fade_edge(patch: np.ndarray, mask: np.ndarray, face: np.ndarray, spread: float) -> None:
    """Smooth a patch, in place, over ``spread`` pixels around the border of ``face`` (H, W)."""
    edge = cv2.GaussianBlur(face, (0, 0), spread / 2)
    edge = edge * 4 * (1 - edge) * mask
    weight = np.maximum(cv2.GaussianBlur(mask, (0, 0), spread), 1e-3)
    patch += edge * (cv2.GaussianBlur(patch * mask, (0, 0), spread) / weight - patch)
