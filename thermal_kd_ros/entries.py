"""Results of an image as an entry for JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .results import PerceptionResult
from .temperature import box_temperatures


def entry_of(result: PerceptionResult) -> dict[str, Any]:
    """What the JSON says of one image; boxes are x y width height, in pixels of the image.

    What is tracked has the number of its track. Of a radiometric image there are temperatures too, degrees Celsius, or
    None where one is not known.
    """
    objects, faces = result.detections, result.faces
    height, width = result.frame.shape
    entry: dict[str, Any] = {
        "width": width,
        "height": height,
        "detections": [
            {"class": objects.class_names[label], "score": _round(score, 5), "box": _xywh(box)}
            for box, score, label in zip(objects.boxes, objects.scores, objects.labels, strict=True)
        ],
        "faces": [
            {"score": _round(score, 5), "box": _xywh(box), "layout": faces.layout,
             "landmarks": [[_round(u, 2), _round(v, 2), _round(c, 4)] for (u, v), c in zip(points, sure, strict=True)]}
            for box, score, points, sure in zip(faces.boxes, faces.scores, faces.points, faces.confidence, strict=True)
        ],
    }
    for kind, tracks in (("detections", objects.track_ids), ("faces", faces.track_ids)):
        for one, track in zip(entry[kind], tracks.tolist(), strict=True):
            if track >= 0:
                one["track"] = track
    if result.frame.radiometric:
        _add_temperatures(entry, result)
    return entry


def _add_temperatures(entry: dict[str, Any], result: PerceptionResult) -> None:
    """Give each object and face of an entry what the node's markers say of it, and a face its points' too."""
    faces = result.faces
    for kind, boxes in (("detections", result.detections.boxes), ("faces", faces.boxes)):
        for one, maximum, mean in zip(entry[kind], *box_temperatures(result.frame, boxes), strict=True):
            one["temperature"] = {"maximum": _degrees(maximum), "mean": _degrees(mean)}
    for one, canthus, points in zip(entry["faces"], faces.canthus_temperature, faces.temperature, strict=True):
        one["temperature"] |= {"canthus": _degrees(canthus), "landmarks": [_degrees(point) for point in points]}


def _degrees(celsius: Any) -> float | None:
    """For JSON, which has no NaN."""
    return _round(celsius, 2) if math.isfinite(celsius) else None


def _round(value: Any, digits: int) -> float:
    return round(float(value), digits)


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return [_round(x1, 2), _round(y1, 2), _round(x2 - x1, 2), _round(y2 - y1, 2)]
