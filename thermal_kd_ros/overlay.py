"""Results drawn over a thermal image, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np

from .config import ContrastConfig
from .contrast import robust_span
from .frames import ThermalFrame
from .pipeline import min_span
from .results import PerceptionResult

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FACE_COLOUR = (255, 255, 255)
_SURE_POINT = (120, 255, 120)
_UNSURE_POINT = (110, 110, 110)
_COLOURS = ((255, 200, 60), (90, 230, 90), (255, 120, 220), (80, 220, 255), (200, 255, 160), (255, 255, 120))
"""BGR by class, all far from the palette's own purple to yellow."""


def palette(frame: ThermalFrame, config: ContrastConfig | None = None) -> np.ndarray:
    """The image in a thermal palette: (H, W, 3) uint8 BGR, contrast from this image alone."""
    config = config or ContrastConfig()
    span = robust_span(frame.values, config, min_span(frame, config))
    return cv2.applyColorMap((span.apply(frame.values) * 255.0 + 0.5).astype(np.uint8), cv2.COLORMAP_INFERNO)


def box_temperatures(frame: ThermalFrame, boxes: np.ndarray) -> np.ndarray:
    """Warm-spot temperature of each box (N, 4): the 95th percentile inside, (N,) degrees Celsius float32.

    NaN where the image is not radiometric or the box has no finite pixel. A percentile, because a single hot or dead
    pixel is not the temperature of anything.
    """
    height, width = frame.shape
    found = np.full(len(boxes), np.nan, np.float32)
    if not frame.radiometric:
        return found
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        rows = slice(max(0, int(y1)), max(0, min(height, int(np.ceil(y2)))))
        columns = slice(max(0, int(x1)), max(0, min(width, int(np.ceil(x2)))))
        inside = frame.celsius(frame.values[rows, columns])
        inside = inside[np.isfinite(inside)]
        if inside.size:
            found[i] = np.percentile(inside, 95)
    return found


def caption(name: str, score: float, track: int, celsius: float) -> str:
    """What is written beside a box, e.g. ``person 3 0.91 36.2 C``; parts that are not known are left out."""
    parts = [name, str(track) if track >= 0 else "", f"{score:.2f}", f"{celsius:.1f} C" if np.isfinite(celsius) else ""]
    return " ".join(part for part in parts if part)


def annotate(frame: ThermalFrame, result: PerceptionResult, config: ContrastConfig | None = None) -> np.ndarray:
    """Boxes, names, track ids, scores, temperatures and landmarks over the image: (H, W, 3) uint8 BGR."""
    picture = palette(frame, config)
    found, faces = result.detections, result.faces
    for box, label, score, track, celsius in zip(found.boxes, found.labels, found.scores, found.track_ids,
                                                 box_temperatures(frame, found.boxes), strict=True):
        _box(picture, box, caption(found.class_names[label], score, track, celsius), _COLOURS[label % len(_COLOURS)])
    for box, score, track, points, sure, celsius in zip(faces.boxes, faces.scores, faces.track_ids, faces.points,
                                                        faces.confidence, box_temperatures(frame, faces.boxes),
                                                        strict=True):
        _box(picture, box, caption("face", score, track, celsius), _FACE_COLOUR)
        _points(picture, points, sure, radius=max(1, round(float(box[2] - box[0]) / 60)))
    return picture


def _box(picture: np.ndarray, box: np.ndarray, text: str, colour: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (int(round(float(v))) for v in box)
    cv2.rectangle(picture, (x1, y1), (max(x1, x2 - 1), max(y1, y2 - 1)), colour, 1, cv2.LINE_AA)
    scale = 0.4 if picture.shape[1] <= 800 else picture.shape[1] / 2000
    (width, height), base = cv2.getTextSize(text, _FONT, scale, 1)
    x = max(0, min(x1, picture.shape[1] - width))
    y = y1 - base if y1 - base - height >= 0 else min(y2 + height + base, picture.shape[0] - base)
    # A dark edge keeps the text readable over the bright end of the palette.
    cv2.putText(picture, text, (x, y), _FONT, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, (x, y), _FONT, scale, colour, 1, cv2.LINE_AA)


def _points(picture: np.ndarray, points: np.ndarray, confidence: np.ndarray, radius: int) -> None:
    for (u, v), sure in zip(points, confidence, strict=True):
        colour = tuple(int(sure * a + (1 - sure) * b) for a, b in zip(_SURE_POINT, _UNSURE_POINT, strict=True))
        cv2.circle(picture, (int(u * 8), int(v * 8)), radius * 8, colour, -1, cv2.LINE_AA, shift=3)
