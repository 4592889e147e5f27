"""The topics that the perception node reads, and whether their frames arrive as they should."""

from __future__ import annotations

import os
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from sensor_msgs.msg import CameraInfo, Image

from ..config import NodeConfig
from ..dds import remedy
from .rays import Rays
from .watchdog import Complaint, InputWatch

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_DEPTH = 5
"""Of the middleware's queue. The callback only stores the message, so the queue is empty but for short stalls, and what
is superseded is superseded where it is counted."""


class CameraInput:
    """Subscriptions to ``image`` and ``camera_info``, there from configure to cleanup."""

    def __init__(self, node: Node, options: NodeConfig, receive: Callable[[Image], None]) -> None:
        self._node = node
        self._reliable = options.reliable_input
        self._lost = 0
        self._received = 0
        self._receive = receive
        self._info: CameraInfo | None = None
        self._rays: Rays | None = None
        self._rays_of: tuple[CameraInfo, int, int] | None = None
        self._incompatible = ""
        self._images = self._subscribe()
        self.topic: str = self._images.topic_name
        reliability = ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability)
        self._infos = node.create_subscription(CameraInfo, "camera_info", self._keep_info, qos)
        self._watch = InputWatch(self.topic, remedy(os.environ))

    def _subscribe(self):  # type: ignore[no-untyped-def]  # rclpy's class is generic in Kilted only
        reliability = ReliabilityPolicy.RELIABLE if self._reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=_DEPTH, reliability=reliability)
        try:
            events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible, message_lost=self._on_lost)
            return self._node.create_subscription(Image, "image", self._on_image, qos, event_callbacks=events)
        except UnsupportedEventTypeError:
            # Not every middleware counts lost messages.
            events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible)
            return self._node.create_subscription(Image, "image", self._on_image, qos, event_callbacks=events)

    def _on_image(self, message: Image) -> None:
        self._received += 1
        self._receive(message)

    def _on_lost(self, event) -> None:  # type: ignore[no-untyped-def]  # named differently from release to release
        self._lost += event.total_count_change

    def _on_incompatible(self, event) -> None:  # type: ignore[no-untyped-def]
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        advice = ("the camera publishes best effort, so set reliable_input to false" if self._reliable
                  else "start the camera with a QoS that a sensor-data subscriber accepts")
        self._incompatible = (f"{self.topic}: a publisher's QoS does not fit ({policy}), so its frames cannot come: "
                              f"{advice}")
        self._node.get_logger().error(self._incompatible)

    def _keep_info(self, info: CameraInfo) -> None:
        if self._info is None or _calibration(info) != _calibration(self._info):
            self._info = info

    def rays(self, height: int, width: int) -> Rays | None:
        """Rays of an image of that size; None without a camera_info that fits, of which a misfit is logged once."""
        info = self._info
        if info is not None and (self._rays_of is None or self._rays_of[0] is not info
                                 or self._rays_of[1:] != (height, width)):
            self._rays_of = info, height, width
            try:
                self._rays = Rays(info, height, width, rectified="rect" in self.topic.rpartition("/")[2])
            except ValueError as error:
                self._rays = None
                self._node.get_logger().warning(
                    f"{self._infos.topic_name} {error}; x y z of the landmarks are pixels until it is mended")
        return self._rays

    @property
    def lost(self) -> int:
        """Frames lost on the way, as far as the middleware knows."""
        return self._lost

    @property
    def incompatible(self) -> str:
        """What is wrong with a publisher's QoS; empty while nothing else is known."""
        return "" if self._received else self._incompatible

    def check(self, now: float, options: NodeConfig) -> Complaint | None:
        """What is wrong with the arrival of frames, if anything."""
        publishers = self._node.count_publishers(self.topic)
        return self._watch.check(now, publishers, self._received, self._lost, options.silence_warning_s,
                                 options.expected_rate_hz)

    def destroy(self) -> None:
        """Take the subscriptions off the graph."""
        self._node.destroy_subscription(self._images)
        self._node.destroy_subscription(self._infos)


def _calibration(info: CameraInfo) -> tuple[object, ...]:
    """Everything of a CameraInfo but its header."""
    roi = info.roi
    return (info.height, info.width, info.distortion_model, tuple(info.d), tuple(info.k), tuple(info.r), tuple(info.p),
            info.binning_x, info.binning_y, roi.x_offset, roi.y_offset, roi.height, roi.width)
