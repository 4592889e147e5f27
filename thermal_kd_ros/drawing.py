"""Results drawn over a thermal picture, for people: palette, boxes with temperatures, landmarks by confidence."""

from __future__ import annotations

import cv2
import numpy as np

from .config import ContrastConfig
from .results import PerceptionResult
from .temperature import pixels_in, robust_maximum
from .tone import TemporalTone

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DEGREE = "\N{DEGREE SIGN}"
_DARK = (24, 16, 16)
_FACE = (255, 255, 255)
_CLASSES = ((255, 210, 60), (90, 240, 90), (255, 150, 230), (190, 255, 190), (255, 255, 140), (255, 170, 110))
"""BGR, one a class: none of them occurs in the palette, which runs from black over purple and orange to pale yellow."""
_UNSURE, _SURE = np.array([150.0, 110.0, 110.0]), np.array([130.0, 255.0, 90.0])
"""BGR of landmarks with confidence 0 and 1."""
_SMALL = 24
"""Boxes with a side of less than this many pixels of the picture get a thin line, or it would hide what is in them."""


def palette(image01: np.ndarray) -> np.ndarray:
    """(H, W) float in [0, 1] to (H, W, 3) uint8 BGR, black over purple and orange to pale yellow."""
    return cv2.applyColorMap(grey(image01), cv2.COLORMAP_INFERNO)


def grey(image01: np.ndarray) -> np.ndarray:
    """(H, W) float in [0, 1] to uint8; NaN becomes black."""
    return np.clip(np.nan_to_num(image01) * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)


def draw(image01: np.ndarray, result: PerceptionResult, celsius: np.ndarray | None, scale: int = 1) -> np.ndarray:
    """The picture (H * scale, W * scale, 3) uint8 BGR of a frame and what was found in it.

    Args:
        image01: (H, W) float32 in [0, 1], the image after automatic gain control.
        result: what was found, in pixels of the image.
        celsius: (H, W) float32 degrees Celsius, or None where the image is not radiometric.
        scale: whole number by which the picture is enlarged; lines and letters keep their thickness.
    """
    picture = palette(image01)
    if scale > 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    objects, faces = result.detections, result.faces
    labels = _Labels(picture)
    boxes = []
    for box, score, label, track in zip(objects.boxes, objects.scores, objects.labels, objects.track_ids, strict=True):
        colour = _CLASSES[int(label) % len(_CLASSES)]
        boxes.append((box, colour, caption(objects.class_names[label], score, track, warmest(celsius, box))))
    for box, score, track in zip(faces.boxes, faces.scores, faces.track_ids, strict=True):
        boxes.append((box, _FACE, caption("face", score, track, warmest(celsius, box))))
    for box, colour, _ in boxes:
        corners = _box_corners(box * scale)
        small = float(np.nan_to_num((box[2:] - box[:2]) * scale).min()) < _SMALL
        cv2.rectangle(picture, *corners, _DARK, 3 if small else 4)
        cv2.rectangle(picture, *corners, colour, 1 if small else 2)
    for box, points, sure in zip(faces.boxes, faces.points, faces.confidence, strict=True):
        side = float(np.nan_to_num(np.max(box[2:] - box[:2]))) * scale
        draw_points(picture, points * scale, sure, 1 if side < 120 else 2)
    for box, colour, text in boxes:
        labels.place(_box_corners(box * scale), text, colour)
    return picture


def annotate(result: PerceptionResult, config: ContrastConfig, scale: int = 1) -> np.ndarray:
    """``draw`` for a result's frame, with the contrast of this frame alone: (H * scale, W * scale, 3) uint8 BGR."""
    frame = result.frame
    tone = TemporalTone(config).update(frame)
    celsius = frame.celsius(frame.values) if frame.radiometric else None
    return draw(tone.apply(frame.values), result, celsius, scale)


def caption(name: str, score: float, track: int = -1, celsius: float = float("nan"), degree: str = _DEGREE,
            **more: float) -> str:
    """What stands beside a box, e.g. ``person #3 0.91 36.2°C``; unknown parts are left out.

    ``more`` are named temperatures, e.g. ``mean=31.0``, which come after it. ``degree`` is the sign between a number
    and its C, for whoever cannot draw this one.
    """
    parts = [name, f"#{track}" if track >= 0 else "", f"{score:.2f}" if np.isfinite(score) else "",
             f"{celsius:.1f}{degree}C" if np.isfinite(celsius) else "",
             *(f"{what} {value:.1f}{degree}C" for what, value in more.items() if np.isfinite(value))]
    return " ".join(part for part in parts if part)


def put_text(picture: np.ndarray, text: str, origin: tuple[int, int], colour: tuple[int, int, int],
             size: float = 0.4) -> int:
    """Write ``text`` with its baseline at ``origin``; the x where it ends. OpenCV's fonts lack the degree sign."""
    x, y = origin
    for i, part in enumerate(text.split(_DEGREE)):
        if i:
            radius = max(1, round(3.5 * size))
            cv2.circle(picture, (x + radius + 1, y - round(20 * size)), radius, colour, 1, cv2.LINE_AA)
            x += 2 * radius + 3
        cv2.putText(picture, part, (x, y), _FONT, size, colour, 1, cv2.LINE_AA)
        x += cv2.getTextSize(part, _FONT, size, 1)[0][0]
    return x


def warmest(celsius: np.ndarray | None, box: np.ndarray) -> float:
    """Robust maximum in degrees Celsius of the pixels of ``celsius`` (H, W) in a box (4,); NaN if there are none."""
    return float("nan") if celsius is None else robust_maximum(pixels_in(celsius, box))


def _box_corners(box: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    x1, y1, x2, y2 = (round(float(v)) for v in np.clip(np.nan_to_num(box), -1e4, 1e4))
    return (x1, y1), (max(x1 + 1, x2 - 1), max(y1 + 1, y2 - 1))


def draw_points(picture: np.ndarray, points: np.ndarray, confidence: np.ndarray, radius: int) -> None:
    """Landmarks (N, 2), in pixels of the picture, as dots that are greener the higher their ``confidence`` (N,) is."""
    for (u, v), sure in zip(points, confidence, strict=True):
        if not (np.isfinite(u) and np.isfinite(v) and abs(u) < 1e4 and abs(v) < 1e4):
            continue
        colour = tuple(float(c) for c in _UNSURE + float(np.clip(sure, 0.0, 1.0)) * (_SURE - _UNSURE))
        # Continuous coordinates: the centre of the first pixel is 0.5, OpenCV calls it 0.
        centre = (round((float(u) - 0.5) * 16), round((float(v) - 0.5) * 16))
        cv2.circle(picture, centre, (radius + 1) * 16, _DARK, -1, cv2.LINE_AA, shift=4)
        cv2.circle(picture, centre, radius * 16, colour, -1, cv2.LINE_AA, shift=4)


class _Labels:
    """Captions that neither cover each other nor leave the picture: where there is no room there is no caption."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture
        self.size = 0.33 if picture.shape[1] < 480 else 0.4
        self.taken: list[tuple[int, int, int, int]] = []

    def place(self, corners: tuple[tuple[int, int], tuple[int, int]], text: str, colour: tuple[int, int, int]) -> None:
        """Write ``text`` above a box, or below it, or in its upper edge."""
        (x1, y1), (x2, y2) = corners
        height, width = self.picture.shape[:2]
        wide = put_text(np.zeros((1, 1, 3), np.uint8), text, (0, 0), colour, self.size) + 4
        high = round(30 * self.size) + 4
        for left, top in ((x1, y1 - high), (x2 - wide, y1 - high), (x1, y2 + 1), (x2 - wide, y2 + 1), (x1, y1 + 1)):
            left, right = max(0, min(left, width - wide)), max(0, min(left, width - wide)) + wide
            if top < 0 or top + high > height or any(left < r and l < right and top < b and t < top + high
                                                     for l, t, r, b in self.taken):  # noqa: E741
                continue
            self.taken.append((left, top, right, top + high))
            strip = self.picture[top : top + high, left:right]
            strip[:] = (strip * 0.35).astype(np.uint8)
            put_text(self.picture, text, (left + 2, top + high - round(9 * self.size) - 1), colour, self.size)
            return
