"""Results to ROS messages; pure functions. ``reading`` has the way back.

Pixel coordinates in messages are continuous, as everywhere in this package: the image spans [0, width] x [0, height]
and the centre of its top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

import array
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, ObjectHypothesisWithPose, VisionClass

from ..reading import FACE_CLASS, LANDMARK_DTYPE, NO_TRACK
from ..results import Detections, FaceLandmarks


def seconds(header: Header) -> float:
    """The header's stamp in seconds."""
    return header.stamp.sec + 1e-9 * header.stamp.nanosec


def detections_message(header: Header, objects: Detections, faces: FaceLandmarks) -> Detection2DArray:
    """All objects, best first, then all faces as class ``face``, in the order of the landmark cloud's rows.

    ``id`` is the track's number, for faces ``face_<number>``, empty without tracking.
    """
    message = Detection2DArray(header=header)
    for box, score, label, track in zip(objects.boxes.tolist(), objects.scores.tolist(), objects.labels.tolist(),
                                        objects.track_ids.tolist(), strict=True):
        name = objects.class_names[label]
        message.detections.append(_detection(header, box, name, score, str(track) if track >= 0 else ""))
    for box, score, track in zip(faces.boxes.tolist(), faces.scores.tolist(), faces.track_ids.tolist(), strict=True):
        identifier = f"{FACE_CLASS}_{track}" if track >= 0 else ""
        message.detections.append(_detection(header, box, FACE_CLASS, score, identifier))
    return message


def _detection(header: Header, box: list[float], name: str, score: float, identifier: str) -> Detection2D:
    x1, y1, x2, y2 = box
    detection = Detection2D(header=header, id=identifier)
    detection.bbox.center.position.x = (x1 + x2) / 2
    detection.bbox.center.position.y = (y1 + y2) / 2
    detection.bbox.size_x = x2 - x1
    detection.bbox.size_y = y2 - y1
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = name
    hypothesis.hypothesis.score = score
    detection.results.append(hypothesis)
    return detection


def landmarks_message(header: Header, faces: FaceLandmarks, rays: Callable[[np.ndarray], np.ndarray] | None
                      ) -> PointCloud2:
    """An organised cloud: one row a face, one column a point of the layout; LANDMARK_DTYPE in each.

    x y z are the ray through the point at unit depth in the optical frame, or u v 0 without ``rays``. Not dense: a
    temperature is NaN where it is not known.
    """
    count, width = faces.points.shape[:2]
    cloud = np.zeros((count, width), LANDMARK_DTYPE)
    cloud["u"], cloud["v"] = faces.points[..., 0], faces.points[..., 1]
    if rays is None:
        cloud["x"], cloud["y"] = cloud["u"], cloud["v"]
    else:
        directions = rays(faces.points)
        cloud["x"], cloud["y"], cloud["z"] = (directions[..., i] for i in range(3))
    cloud["confidence"], cloud["temperature"] = faces.confidence, faces.temperature
    cloud["face_id"] = np.where(faces.track_ids >= 0, faces.track_ids, NO_TRACK)[:, None]
    cloud["canthus_temperature"] = faces.canthus_temperature[:, None]
    size = LANDMARK_DTYPE.itemsize
    message = PointCloud2(header=header, height=count, width=width, is_bigendian=False, is_dense=False,
                          point_step=size, row_step=size * width, fields=_fields())
    message.data = array.array("B", cloud.tobytes())
    return message


def _fields() -> list[PointField]:
    assert LANDMARK_DTYPE.fields is not None
    return [PointField(name=name, offset=offset, datatype=PointField.FLOAT32, count=1)
            for name, (_, offset, *_) in LANDMARK_DTYPE.fields.items()]


def label_info_message(header: Header, class_names: Sequence[str], threshold: float) -> LabelInfo:
    """The class names that may occur in ``detections``, numbered in the model's order."""
    return LabelInfo(header=header, threshold=threshold,
                     class_map=[VisionClass(class_id=i, class_name=name) for i, name in enumerate(class_names)])


def image_message(header: Header, pixels: np.ndarray, encoding: str) -> Image:
    """An image message of pixels (H, W) or (H, W, channels) in native byte order."""
    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding,
                    is_bigendian=int(sys.byteorder == "big"), step=pixels.nbytes // height)
    # rclpy checks an array of bytes as a whole, but a list or bytes object element by element in Python.
    message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
    return message


def picture_message(header: Header, pixels: np.ndarray) -> Image:
    """A bgr8 message of a picture (H, W, 3) uint8, by cv_bridge where it works, else the same message without it."""
    bridge = _bridge()
    if bridge is None:
        return image_message(header, pixels, "bgr8")
    message: Image = bridge.cv2_to_imgmsg(pixels, "bgr8")
    message.header = header
    return message


@functools.cache
def _bridge() -> Any:
    """A CvBridge that can make a message; None where it is not installed or was built for another NumPy.

    A robot's cv_bridge is compiled for the system's NumPy, while torch from pip may bring a newer one, beside which it
    fails when imported or first used. A picture is not worth a node for that.
    """
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        bridge.cv2_to_imgmsg(np.zeros((1, 1, 3), np.uint8), "bgr8")
    except Exception:  # ImportError, AttributeError, or what else a compiled module does
        return None
    return bridge
