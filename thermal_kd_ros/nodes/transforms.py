"""Head poses as transforms: from the optical frame to ``head_<track id>``, and to ROS4HRI's ``face_<id>``.

All nodes share /tf, so the node's namespace and the name of a named camera go before the name of the frame.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Header

from ..config import PerceptionConfig
from ..head_pose import without_poses
from ..layouts import Layout
from ..results import FaceLandmarks, HeadPoses

_TOPIC = "/tf"
_DEPTH = 100


def quaternion(rotation: np.ndarray) -> Quaternion:
    """A rotation matrix (3, 3) as a unit quaternion."""
    vector = cv2.Rodrigues(rotation)[0][:, 0]
    angle = float(np.linalg.norm(vector))
    x, y, z = (vector / angle * np.sin(angle / 2)).tolist() if angle > 0 else (0.0, 0.0, 0.0)
    return Quaternion(x=x, y=y, z=z, w=float(np.cos(angle / 2)))


def head_transforms(header: Header, faces: FaceLandmarks, poses: HeadPoses, *names: Callable[[int], str]
                    ) -> list[TransformStamped]:
    """For each tracked face with a known pose one transform for each of ``names``, which call a track's frame."""
    transforms = []
    for track, rotation, origin in zip(faces.track_ids.tolist(), poses.rotation, poses.translation, strict=True):
        if track < 0 or not np.isfinite(origin).all():
            continue
        x, y, z = (float(v) for v in origin)
        pose = Transform(translation=Vector3(x=x, y=y, z=z), rotation=quaternion(rotation))
        transforms += [TransformStamped(header=header, child_frame_id=name(track), transform=pose) for name in names]
    return transforms


def without_transforms(config: PerceptionConfig, layout: Layout | None) -> str:
    """Why no head can have a transform, in words; empty if heads can. ``layout`` is that of the landmarks."""
    reasons = without_poses(config, layout)
    if not config.tracking.enabled:
        reasons.append("tracking.enabled is false")
    return " and ".join(reasons)


class HeadTransforms:
    """Writes to /tf; the publisher is made with the first transform, so that nodes without any stay off the topic.

    Images without a frame_id have no transforms, nor has anything without tf2_msgs, which every installed ROS 2
    distribution has, but the wheels lack; each is said once.
    """

    def __init__(self, node: Node, prefix: str = "") -> None:
        self._node = node
        space = node.get_namespace().strip("/")
        self._prefix = f"{space}/{prefix}" if space else prefix
        self._publisher: Publisher | None = None
        self._missing = False
        self._nameless_told = False

    def publish(self, header: Header, faces: FaceLandmarks, poses: HeadPoses, *names: Callable[[int], str]) -> None:
        """Publish the transforms of a frame, if there are any; ``names`` call a track's frame in other ways too."""
        transforms = head_transforms(header, faces, poses, lambda track: f"{self._prefix}head_{track}", *names)
        if not transforms or self._missing:
            return
        if not header.frame_id:
            if not self._nameless_told:
                self._nameless_told = True
                self._node.get_logger().warning("publish_tf publishes no transform of images whose header has no "
                                                "frame_id: set it in the camera's driver")
            return
        try:
            from tf2_msgs.msg import TFMessage
        except ModuleNotFoundError:
            self._missing = True
            self._node.get_logger().error("publish_tf needs the package tf2_msgs: install ros-<distribution>-tf2-msgs "
                                          "and start the node again, or set publish_tf to false")
            return
        if self._publisher is None:
            self._publisher = self._node.create_publisher(TFMessage, _TOPIC, _DEPTH)
        self._publisher.publish(TFMessage(transforms=transforms))

    def destroy(self) -> None:
        """Take the topic off the graph."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
            self._publisher = None
