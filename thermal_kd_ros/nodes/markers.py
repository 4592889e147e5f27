"""Results as RViz markers, at unit depth in the camera's optical frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ..drawing import caption
from ..results import HeadPoses, PerceptionResult
from ..temperature import box_temperatures
from .rays import NominalRays

_OBJECT = ColorRGBA(r=0.2, g=0.9, b=0.3, a=1.0)
_FACE = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
_AXES = (ColorRGBA(r=1.0, g=0.2, b=0.2, a=1.0), ColorRGBA(r=0.2, g=1.0, b=0.2, a=1.0),
         ColorRGBA(r=0.3, g=0.4, b=1.0, a=1.0))
_AXIS_LENGTH = 0.12
"""Of a head's axes, metres."""
_LINE_WIDTH = 0.003
_TEXT_HEIGHT = 0.025
_POINT_SIZE = 0.004
_LIFETIME = Duration(sec=2)
"""After which nothing of a camera is shown that has gone; more than a slow CPU needs for a frame."""


def markers_message(header: Header, result: PerceptionResult) -> MarkerArray:
    """Boxes as line strips with a text, landmarks as points, heads as axes; a camera without rays is given some.

    The text has class, track and score and, of a radiometric image, the robust maximum and mean of the box and, of
    faces, the temperature at the inner eye corners.
    The first marker deletes what an earlier message drew.
    """
    frame = result.frame
    rays = frame.rays or NominalRays(*frame.shape)
    message = MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL)])
    objects, faces = result.detections, result.faces
    groups = [
        ("objects", _OBJECT, objects.boxes, objects.scores, objects.track_ids,
         [objects.class_names[label] for label in objects.labels], np.full(len(objects), np.nan)),
        ("faces", _FACE, faces.boxes, faces.scores, faces.track_ids, ["face"] * len(faces), faces.canthus_temperature),
    ]
    for group, colour, boxes, scores, tracks, names, canthus in groups:
        warm = box_temperatures(frame, boxes)
        for i, box in enumerate(boxes):
            corners = rays(np.array([box[[0, 1]], box[[2, 1]], box[[2, 3]], box[[0, 3]], box[[0, 1]]]))
            strip = _marker(header, f"{group}/boxes", i, Marker.LINE_STRIP, colour)
            strip.scale.x = _LINE_WIDTH
            strip.points = [_point(corner) for corner in corners]
            text = _marker(header, f"{group}/texts", i, Marker.TEXT_VIEW_FACING, colour)
            text.scale.z = _TEXT_HEIGHT
            # RViz draws ASCII alone, and leaves a gap for every byte of anything else.
            text.text = caption(names[i], float(scores[i]), int(tracks[i]), float(warm.maximum[i]), degree=" ",
                                mean=float(warm.mean[i]), canthus=float(canthus[i]))
            text.pose.position = _point(corners[0] - np.array([0.0, _TEXT_HEIGHT, 0.0], np.float32))
            message.markers += [strip, text]
    if len(faces):
        message.markers.append(_landmarks(header, faces.points, faces.confidence, rays))
    if result.poses is not None and np.isfinite(result.poses.error).any():
        message.markers.append(_heads(header, result.poses))
    return message


def _heads(header: Header, poses: HeadPoses) -> Marker:
    """The axes of all heads with a known pose in one marker: x red, y green, z blue."""
    marker = _marker(header, "heads", 0, Marker.LINE_LIST, _FACE)
    marker.scale.x = _LINE_WIDTH
    for rotation, origin in zip(poses.rotation, poses.translation, strict=True):
        if not np.isfinite(origin).all():
            continue
        # Everything is drawn at unit depth, so heads shrink with their distance.
        for axis, colour in zip(rotation.T, _AXES, strict=True):
            tip = origin + _AXIS_LENGTH * axis
            marker.points += [_point(origin / origin[2]), _point(tip / origin[2])]
            marker.colors += [colour, colour]
    return marker


def _landmarks(header: Header, points: np.ndarray, confidence: np.ndarray,
               rays: Callable[[np.ndarray], np.ndarray]) -> Marker:
    """All points of all faces in one marker; an unsure point is transparent."""
    marker = _marker(header, "landmarks", 0, Marker.POINTS, _FACE)
    marker.scale.x = marker.scale.y = _POINT_SIZE
    marker.points = [_point(ray) for ray in rays(points.reshape(-1, 2))]
    marker.colors = [ColorRGBA(r=0.4, g=1.0, b=0.4, a=max(0.1, float(c))) for c in confidence.ravel()]
    return marker


def _marker(header: Header, namespace: str, number: int, kind: int, colour: ColorRGBA) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, action=Marker.ADD, color=colour,
                    lifetime=_LIFETIME)
    marker.pose.orientation.w = 1.0
    return marker


def _point(ray: np.ndarray) -> Point:
    return Point(x=float(ray[0]), y=float(ray[1]), z=float(ray[2]))
