"""The topics that the perception node writes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo
from visualization_msgs.msg import MarkerArray

from ..config import ContrastConfig, NodeConfig
from ..drawing import annotate
from ..reading import FACE_CLASS
from ..results import PerceptionResult
from .markers import markers_message
from .messages import detections_message, label_info_message, landmarks_message, picture_message
from .ros4hri import HumanFaces
from .transforms import HeadTransforms

_LATCHED = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_RESULTS_DEPTH = 10
_PICTURES = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Reliable serves those who ask for it, as RViz does unless told otherwise, and those who do not; and best effort loses
pictures larger than the middleware's segment. Only the newest, so that no others queue up for a slow viewer."""


class Outputs:
    """Publishers of one camera's results, there from configure to cleanup; ``humans`` is shared by the node's cameras.

    A name of the camera goes before every topic.
    """

    def __init__(self, node: LifecycleNode, camera: str, humans: HumanFaces) -> None:
        self._node, self._camera, self._humans = node, camera, humans
        prefix = f"{camera}/" if camera else ""
        with contextlib.ExitStack() as made:
            def publisher(kind: Any, topic: str, qos: QoSProfile | int) -> Any:
                created = node.create_lifecycle_publisher(kind, f"{prefix}{topic}", qos)
                made.callback(node.destroy_lifecycle_publisher, created)
                return created

            self._detections = publisher(Detection2DArray, "detections", _RESULTS_DEPTH)
            self._landmarks = publisher(PointCloud2, "landmarks", _RESULTS_DEPTH)
            self._markers = publisher(MarkerArray, "markers", _RESULTS_DEPTH)
            self._annotated = publisher(Image, "image_annotated", _PICTURES)
            # A lifecycle publisher is silent until the node is active; the labels are known, and useful, before.
            self._labels = node.create_publisher(LabelInfo, f"{prefix}label_info", _LATCHED)
            made.callback(node.destroy_publisher, self._labels)
            self._transforms = HeadTransforms(node, prefix)
            made.callback(self._transforms.destroy)
            self._made = made.pop_all()

    def publish_labels(self, class_names: Sequence[str], threshold: float) -> None:
        """Latch the class names; ``face`` is one of them, because faces are published as detections too."""
        names = [*class_names, *([] if FACE_CLASS in class_names else [FACE_CLASS])]
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._labels.publish(label_info_message(header, names, threshold))

    def publish(self, header: Header, result: PerceptionResult, contrast: ContrastConfig, options: NodeConfig) -> None:
        """One message on every topic for the frame; pictures, in ``contrast``, only where somebody looks."""
        self._detections.publish(detections_message(header, result.detections, result.faces))
        self._landmarks.publish(landmarks_message(header, result.faces, result.frame.rays))
        if options.publish_ros4hri:
            self._humans.publish(self._camera, header, result.faces, result.frame)
        else:
            self._humans.forget()
        if options.publish_tf and result.poses is not None:
            names = [partial(self._humans.frame, self._camera)] if options.publish_ros4hri else []
            self._transforms.publish(header, result.faces, result.poses, *names)
        if self._markers.get_subscription_count():
            self._markers.publish(markers_message(header, result))
        if self._annotated.get_subscription_count():
            self._annotated.publish(picture_message(header, annotate(result, contrast)))

    def destroy(self) -> None:
        """Take the topics off the graph."""
        self._made.close()
