"""What the networks say in the pixels of their inputs, brought to the pixels of the source image."""

from __future__ import annotations

import dataclasses

import numpy as np

from .frames import ThermalFrame
from .geometry import FaceCrop, Letterbox, Orientation
from .layouts import Layout
from .models.confidence import confidence
from .results import Detections, FaceLandmarks
from .temperature import inner_canthus_temperatures, point_temperatures


def in_source(letterbox: Letterbox, kept: tuple[np.ndarray, np.ndarray, np.ndarray], names: tuple[str, ...]
              ) -> Detections:
    """Boxes, scores and labels in source pixels; boxes that lie in the letterbox's margin alone are dropped."""
    boxes, scores, labels = kept
    source = letterbox.inverse_boxes(boxes)
    solid = ((source[:, 2:] - source[:, :2]) > 0.0).all(axis=1)
    return Detections(source[solid], scores[solid], labels[solid], names)


def faces_in_source(frame: ThermalFrame, found: Detections, crops: list[FaceCrop], points: np.ndarray,
                    sigma: np.ndarray, layout: Layout) -> FaceLandmarks:
    """Faces of a frame with their landmarks, from what the network says of their crops: (F, K, 2) and (F, K)."""
    if not crops:
        return FaceLandmarks.empty(layout.name, layout.points)
    source = np.array([crop.inverse(p) for crop, p in zip(crops, points, strict=True)], np.float32)
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0.0)
    scales = np.array([crop.side / crop.size for crop in crops], np.float32)
    sure = confidence(sigma * scales[:, None], sides[:, None])
    faces = FaceLandmarks(found.boxes, found.scores, source, sure, point_temperatures(frame, source), layout.name)
    return dataclasses.replace(faces, canthus_temperature=inner_canthus_temperatures(frame, faces))


def upright(frame: ThermalFrame, turn: Orientation) -> ThermalFrame:
    """A frame as it would be if the camera were not turned."""
    return frame if turn.is_identity else dataclasses.replace(frame, values=turn.apply(frame.values))


def turned_back(found: Detections, turn: Orientation) -> Detections:
    """Detections of an upright frame, on the camera's own pixels."""
    return found if turn.is_identity else dataclasses.replace(found, boxes=turn.inverse_boxes(found.boxes))


def faces_turned_back(found: FaceLandmarks, turn: Orientation) -> FaceLandmarks:
    """Points stay on what they were found on, and keep their identity: the subject's right eye stays the right one."""
    if turn.is_identity:
        return found
    return dataclasses.replace(found, boxes=turn.inverse_boxes(found.boxes),
                               points=turn.inverse(found.points).astype(np.float32))
