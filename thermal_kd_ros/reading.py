"""Results from messages: the way back from what the node publishes. Needs no ROS.

Messages are whatever has their fields: those that rclpy gives, and those that rosbags reads from a recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .results import Detections, FaceLandmarks

FACE_CLASS = "face"
NO_TRACK = -1.0
"""``face_id`` of a face without a track."""

LANDMARK_DTYPE = np.dtype([(name, "<f4") for name in ("x", "y", "z", "u", "v", "confidence", "temperature", "face_id",
                                                      "canthus_temperature")])
"""One point of the landmark cloud. ``canthus_temperature`` and ``face_id`` are the face's, the same in all of a row.

All fields are of one type, or ``read_points_numpy`` of sensor_msgs_py would refuse the cloud.
"""

_LAYOUT_BY_POINTS = {54: "sf_tl54", 68: "ibug68"}


def detections_from_message(message: Any, class_names: Sequence[str] = ()) -> Detections:
    """The boxes of a message, faces among them as class ``face``.

    ``class_names`` fixes the order of the labels; names that it lacks come after it in alphabetical order. Raises
    ValueError for a detection without a class.
    """
    given = [_hypothesis(d) for d in message.detections]
    names = (*class_names, *sorted({h.class_id for h in given} - set(class_names)))
    boxes = np.array([_corners(d) for d in message.detections], np.float32).reshape(-1, 4)
    tracks = [d.id.removeprefix(f"{FACE_CLASS}_") for d in message.detections]
    return Detections(boxes, np.array([h.score for h in given], np.float32),
                      np.array([names.index(h.class_id) for h in given], np.int64), names,
                      np.array([int(t) if t.isdigit() else -1 for t in tracks], np.int64))


def _hypothesis(detection: Any) -> Any:
    if not detection.results:
        raise ValueError("a detection has no result, and so no class")
    return detection.results[0].hypothesis


def _corners(detection: Any) -> tuple[float, float, float, float]:
    centre, width, height = detection.bbox.center.position, detection.bbox.size_x, detection.bbox.size_y
    return centre.x - width / 2, centre.y - height / 2, centre.x + width / 2, centre.y + height / 2


def landmark_points(message: Any) -> np.ndarray:
    """The cloud as a structured array (faces, points) of LANDMARK_DTYPE, a view of the message's memory.

    Raises ValueError for a cloud of other fields, or one whose data is not as long as it says.
    """
    names = tuple(field.name for field in message.fields)
    if names != LANDMARK_DTYPE.names or message.point_step != LANDMARK_DTYPE.itemsize or message.is_bigendian:
        raise ValueError(f"a cloud of {', '.join(names) or 'no field'}, not of {', '.join(LANDMARK_DTYPE.names or ())}")
    return np.frombuffer(message.data, LANDMARK_DTYPE).reshape(message.height, message.width)


def landmarks_from_message(message: Any, detections: Any = None) -> FaceLandmarks:
    """The faces of a cloud. Boxes and scores come from the detections of the same frame; without them they are NaN.

    Raises ValueError where the two do not fit together.
    """
    cloud = landmark_points(message)
    count = len(cloud)
    boxes, scores = np.full((count, 4), np.nan, np.float32), np.full(count, np.nan, np.float32)
    if detections is not None:
        found = [d for d in detections.detections if _hypothesis(d).class_id == FACE_CLASS]
        if len(found) != count:
            raise ValueError(f"{count} faces in the landmarks, {len(found)} in the detections: not of the same frame")
        boxes[:] = np.array([_corners(d) for d in found], np.float32).reshape(-1, 4)
        scores[:] = [_hypothesis(d).score for d in found]
    tracks = cloud["face_id"][:, 0].astype(np.int64) if cloud.size else np.zeros(count, np.int64)
    canthus = cloud["canthus_temperature"][:, 0].copy() if cloud.size else np.full(count, np.nan, np.float32)
    return FaceLandmarks(boxes, scores, np.stack([cloud["u"], cloud["v"]], axis=-1), cloud["confidence"].copy(),
                         cloud["temperature"].copy(), _LAYOUT_BY_POINTS.get(message.width, ""),
                         tracks, canthus)
