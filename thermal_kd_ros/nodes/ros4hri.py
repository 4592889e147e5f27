"""Faces as ROS4HRI has them (REP 155): who is tracked, and topics of each face's own under /humans/faces.

For libhri and what stands on it. hri_msgs is imported when it is first needed: a robot without it runs the node too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ..config import PerceptionConfig
from ..drawing import grey
from ..faces import CROP_MARGIN, normalise_crop, without_faces
from ..frames import ThermalFrame
from ..geometry import FaceCrop
from ..layouts import get_layout
from ..results import FaceLandmarks
from .messages import image_message

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

ROOT = "/humans/faces"
"""The same for all nodes of a robot: the names of faces tell them apart."""
POINTS = 70
"""The 68 points of iBUG, the right pupil and the left one."""
CROP_SIZE = 128
"""Side of the published crops, pixels: what REP 155 takes for granted."""
STEADY_FRAMES = 3
"""Frames with a face before it gets topics, which cost discovery; most false ones are gone by then."""
KEPT_S = 1.0
"""Seconds for which a face that was not seen again keeps them, so that a missed frame is no coming and going."""
LOST_S = 5.0
"""Seconds after which a face goes whose camera sends no frames any more."""

_DEPTH = 10


def face_name(space: str, camera: str, track: int) -> str:
    """The name of a track's face: unique among the nodes and cameras of a robot, and part of a topic's name."""
    return "_".join([*(part for part in f"{space}/{camera}".split("/") if part), f"f{track:05d}"])


def without_ros4hri(config: PerceptionConfig) -> str:
    """Why no face can be published here, in words; empty if faces can."""
    reasons = [without_faces(config.face), "" if config.tracking.enabled else "tracking.enabled is false"]
    return " and ".join(reason for reason in reasons if reason)


def region_message(messages: ModuleType, header: Header, box: np.ndarray, score: float, shape: tuple[int, int]) -> Any:
    """A face's box (4,) in an image of ``shape`` (height, width), what of it lies inside, in parts of its sides."""
    height, width = shape
    x1, y1, x2, y2 = np.clip(box / np.array([width, height, width, height]), 0.0, 1.0).tolist()
    return messages.NormalizedRegionOfInterest2D(header=header, xmin=x1, ymin=y1, xmax=x2, ymax=y2, c=score)


def landmarks70_message(messages: ModuleType, header: Header, points: np.ndarray, confidence: np.ndarray, layout: str,
                        shape: tuple[int, int]) -> Any:
    """A face's landmarks (K, 2) in an image of ``shape`` (height, width), in parts of its sides.

    What the layout lacks, pupils for one, and what lies outside the image, is at (0, 0) with confidence 0.
    """
    height, width = shape
    found = [messages.NormalizedPointOfInterest2D() for _ in range(POINTS)]
    places = points / np.array([width, height])
    inside = (np.isfinite(places) & (places >= 0.0) & (places <= 1.0)).all(axis=1)
    for target, (x, y), sure, seen in zip(get_layout(layout).ibug68, places.tolist(), confidence.tolist(),
                                          inside.tolist(), strict=True):
        if seen:
            found[target] = messages.NormalizedPointOfInterest2D(x=x, y=y, c=sure)
    return messages.FacialLandmarks(header=header, landmarks=found, height=height, width=width)


def crop_message(header: Header, frame: ThermalFrame, box: np.ndarray) -> Image:
    """The square around a face's box (4,), grey with the contrast that the landmark network sees it in."""
    crop = normalise_crop(FaceCrop.around(box, CROP_SIZE, CROP_MARGIN).apply(frame.values).astype(np.float32))
    return image_message(header, grey(crop), "mono8")


@dataclass
class _Face:
    camera: str
    seen: float = 0.0
    """When it was seen last, on the monotonic clock."""
    frames: int = 0
    topics: dict[str, Publisher] = field(default_factory=dict)


class HumanFaces:
    """The faces of all cameras of a node; topics come and go with them. Its methods may be called from any thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._faces: dict[str, _Face] = {}
        self._tracked: Publisher | None = None
        self._missing = False
        self._lock = threading.Lock()

    def name(self, camera: str, track: int) -> str:
        """The name of a camera's track."""
        return face_name(self._node.get_namespace(), camera, track)

    def frame(self, camera: str, track: int) -> str:
        """The name of its head's coordinate frame, which has the axes that REP 155 gives a face."""
        return f"face_{self.name(camera, track)}"

    def publish(self, camera: str, header: Header, faces: FaceLandmarks, frame: ThermalFrame) -> None:
        """Publish what was found in a frame of ``camera``, which is empty where the node has one without a name."""
        messages = self._messages()
        if messages is None:
            return
        with self._lock:
            self._publish(messages, camera, header, faces, frame)

    def _publish(self, messages: ModuleType, camera: str, header: Header, faces: FaceLandmarks, frame: ThermalFrame
                 ) -> None:
        now = time.monotonic()
        rows = {self.name(camera, track): row for row, track in enumerate(faces.track_ids.tolist()) if track >= 0}
        for name in rows:
            face = self._faces.setdefault(name, _Face(camera))
            face.seen, face.frames = now, face.frames + 1
        self._drop_those(lambda face: now - face.seen > (KEPT_S if face.camera == camera else LOST_S))
        for name in self._tell_tracked(messages, header):
            if name in rows:
                self._publish_face(messages, name, header, faces, rows[name], frame)

    def _tell_tracked(self, messages: ModuleType, header: Header) -> list[str]:
        """Publish the names of the steady faces, and return them."""
        if self._tracked is None:
            self._tracked = self._topic(messages.IdsList, f"{ROOT}/tracked")
        steady = [name for name, face in self._faces.items() if face.frames >= STEADY_FRAMES]
        self._tracked.publish(messages.IdsList(header=header, ids=steady))
        return steady

    def _topic(self, kind: type, name: str) -> Publisher:
        """A publisher that the executor need not wait on.

        With rclpy's own event handlers it would, and end the node where it looks at one that is just destroyed.
        """
        silent = PublisherEventCallbacks(use_default_callbacks=False)
        return self._node.create_publisher(kind, name, _DEPTH, event_callbacks=silent)

    def _publish_face(self, messages: ModuleType, name: str, header: Header, faces: FaceLandmarks, row: int,
                      frame: ThermalFrame) -> None:
        topics = self._faces[name].topics
        if not topics:
            kinds = {"roi": messages.NormalizedRegionOfInterest2D, "landmarks": messages.FacialLandmarks,
                     "cropped": Image}
            for topic, kind in kinds.items():
                topics[topic] = self._topic(kind, f"{ROOT}/{name}/{topic}")
        box, shape = faces.boxes[row], frame.shape
        topics["roi"].publish(region_message(messages, header, box, float(faces.scores[row]), shape))
        topics["landmarks"].publish(landmarks70_message(messages, header, faces.points[row], faces.confidence[row],
                                                        faces.layout, shape))
        if topics["cropped"].get_subscription_count():
            topics["cropped"].publish(crop_message(header, frame, box))

    def expire(self) -> None:
        """Forget the faces of cameras that fell silent; to be called now and then."""
        now = time.monotonic()
        self._forget(lambda face: now - face.seen > LOST_S)

    def forget(self) -> None:
        """Take the faces' topics off the graph and say that nobody is tracked any more."""
        self._forget(lambda face: True)

    def _forget(self, which: Callable[[_Face], bool]) -> None:
        with self._lock:
            # The publisher of the list stays, or the message would go with it before it is delivered.
            if self._drop_those(which) and self._node.context.ok() and (messages := self._messages()) is not None:
                self._tell_tracked(messages, Header(stamp=self._node.get_clock().now().to_msg()))

    def _drop_those(self, which: Callable[[_Face], bool]) -> bool:
        """Take the topics of some faces off the graph; whether there were any."""
        names = [name for name, face in self._faces.items() if which(face)]
        for name in names:
            for publisher in self._faces.pop(name).topics.values():
                self._node.destroy_publisher(publisher)
        return bool(names)

    def _messages(self) -> ModuleType | None:
        """The package's messages; None, and told once, where it is not installed."""
        if self._missing:
            return None
        try:
            import hri_msgs.msg
        except ModuleNotFoundError:
            self._missing = True
            self._node.get_logger().error("publish_ros4hri needs the package hri_msgs: install "
                                          "ros-<distribution>-hri-msgs and start the node again, or set "
                                          "publish_ros4hri to false")
            return None
        messages: ModuleType = hri_msgs.msg
        return messages
