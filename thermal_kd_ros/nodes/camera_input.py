"""The topics that the perception node reads, and whether their frames arrive as they should."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable
from typing import TypeAlias

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ..config import NodeConfig
from ..dds import remedy
from .rays import Rays
from .watchdog import Complaint, InputWatch, remapping

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_DEPTH = 5
"""Of the middleware's queue. The callback only stores the message, so the queue is empty but for short stalls, and what
is superseded is superseded where it is counted."""


_CHOOSE_S = 0.5
"""Between two looks at who publishes raw and who compressed images."""
_PATIENCE = 2
"""So many looks in a row must find compressed images alone: the two topics of one camera are not discovered at once."""

_FRAMES_WITHOUT_INFO = 30
"""After so many images without a camera_info none will come."""

InputImage: TypeAlias = Image | CompressedImage
_TYPES: dict[type[InputImage], str] = {Image: "sensor_msgs/msg/Image",
                                       CompressedImage: "sensor_msgs/msg/CompressedImage"}


def is_rectified(topic: str) -> bool:
    """Whether images of a topic are rectified, by its name: image_rect, rectified/image and the like, but not
    corrected, nor what is called raw last.
    """
    name = topic.removesuffix("/compressed")
    return "raw" not in name.rpartition("/")[2] and re.search(r"(?<![a-z])rect", name) is not None


class CameraInput:
    """Subscriptions to ``image`` or ``image/compressed``, and ``camera_info``, there from configure to cleanup.

    With the transport ``auto`` the compressed images are subscribed only while nobody publishes raw ones: most cameras
    offer both, compress only for who subscribes, and every frame is wanted once. ``prefix`` goes before every topic.
    """

    def __init__(self, node: Node, options: NodeConfig, receive: Callable[[InputImage], None], prefix: str = ""
                 ) -> None:
        self._node = node
        self._reliable = options.reliable_input
        self._lost = 0
        self._received: dict[type[InputImage], int] = {Image: 0, CompressedImage: 0}
        self._receive = receive
        self._info: CameraInfo | None = None
        self._rays: Rays | None = None
        self._rays_of: tuple[CameraInfo, int, int, str] | None = None
        self._without_info = 0
        self._complaints: set[str] = set()
        self._incompatible: dict[type[InputImage], tuple[str, int]] = {}
        self._image_name, self._info_name = f"{prefix}image", f"{prefix}camera_info"
        raw = node.resolve_topic_name(self._image_name)
        compressed = f"{self._image_name}/compressed"
        if node.resolve_topic_name(compressed) == node.resolve_topic_name(compressed, only_expand=True):
            # Nobody remapped it by itself, so that one remapping of ``image`` takes it along.
            compressed = f"{raw}/compressed"
        # Remapping once is enough: where two cameras swap their topics, a second time would undo it.
        self._names: dict[type[InputImage], str] = {Image: self._image_name, CompressedImage: compressed}
        self._topics = {kind: node.resolve_topic_name(name) for kind, name in self._names.items()}
        self._images: dict[type[InputImage], Subscription] = {}
        self._looks = 0
        self._chooser: Timer | None = None
        self._infos: Subscription | None = None
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.destroy)
            first = CompressedImage if options.transport == "compressed" else Image
            self._images[first] = self._subscribe(first)
            if options.transport == "auto":
                steady = Clock(clock_type=ClockType.STEADY_TIME)
                self._chooser = node.create_timer(_CHOOSE_S, self._choose, clock=steady)
            reliability = ReliabilityPolicy.BEST_EFFORT
            qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability)
            self._infos = node.create_subscription(CameraInfo, self._info_name, self._keep_info, qos)
            on_failure.pop_all()
        self._info_topic: str = self._infos.topic_name
        self.restart()

    def _subscribe(self, kind: type[InputImage]):  # type: ignore[no-untyped-def]  # generic in Kilted only
        reliability = ReliabilityPolicy.RELIABLE if self._reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=_DEPTH, reliability=reliability)
        topic, incompatible = self._names[kind], functools.partial(self._on_incompatible, kind)
        try:
            events = SubscriptionEventCallbacks(incompatible_qos=incompatible, message_lost=self._on_lost)
            return self._node.create_subscription(kind, topic, self._on_image, qos, event_callbacks=events)
        except UnsupportedEventTypeError:
            # Not every middleware counts lost messages.
            events = SubscriptionEventCallbacks(incompatible_qos=incompatible)
            return self._node.create_subscription(kind, topic, self._on_image, qos, event_callbacks=events)

    def _choose(self) -> None:
        """Read compressed images while there are only those; raw ones win."""
        raw, compressed = (self._sources(kind) for kind in (Image, CompressedImage))
        reading = CompressedImage in self._images
        self._looks = self._looks + 1 if compressed and not raw else 0
        if not reading and self._looks >= _PATIENCE:
            self._images[CompressedImage] = self._subscribe(CompressedImage)
            self.restart()
            self._say(f"nobody publishes {self._topics[Image]}: {self._topics[CompressedImage]} is read")
        elif reading and raw:
            self._node.destroy_subscription(self._images.pop(CompressedImage))
            self._incompatible.pop(CompressedImage, None)
            self.restart()
            self._say(f"{self._topics[Image]} is read, and {self._topics[CompressedImage]} no more: raw images are "
                      "better. Set transport to compressed if the network is too slow for them")

    def _sources(self, kind: type[InputImage]) -> int:
        """Publishers whose images can come: none that promises less than is asked for."""
        offered = [info.qos_profile.reliability for info in self._node.get_publishers_info_by_topic(self._topics[kind])]
        return len(offered) - (offered.count(ReliabilityPolicy.BEST_EFFORT) if self._reliable else 0)

    def _say(self, text: str) -> None:
        self._node.get_logger().info(text)

    @property
    def transport(self) -> str:
        """Which images are read at present: raw or compressed."""
        return "compressed" if self._kind is CompressedImage else "raw"

    @property
    def topic(self) -> str:
        """The topic whose images are read at present, as it is after remapping."""
        return self._topics[self._kind]

    @property
    def _kind(self) -> type[InputImage]:
        return CompressedImage if CompressedImage in self._images else Image

    def _on_image(self, message: InputImage) -> None:
        self._received[type(message)] += 1
        self._receive(message)

    def _on_lost(self, event) -> None:  # type: ignore[no-untyped-def]  # named differently from release to release
        self._lost += event.total_count_change

    def _on_incompatible(self, kind: type[InputImage], event) -> None:  # type: ignore[no-untyped-def]
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        advice = ("the camera publishes best effort, so set reliable_input to false" if self._reliable
                  else "start the camera with a QoS that a sensor-data subscriber accepts")
        text = f"{self._topics[kind]}: a publisher's QoS does not fit ({policy}), so its frames cannot come: {advice}"
        self._incompatible[kind] = text, self._received[kind]
        self._node.get_logger().error(text)

    def _keep_info(self, info: CameraInfo) -> None:
        if self._info is None or _calibration(info) != _calibration(self._info):
            self._info = info

    def rays(self, height: int, width: int) -> Rays | None:
        """Rays of an image of that size; None without a camera_info that fits, which is logged once."""
        info = self._info
        if info is None:
            self._without_info += 1
            if self._without_info == _FRAMES_WITHOUT_INFO:
                self._say(f"no camera_info came on {self._info_topic}: x y z of the landmarks are pixels. If the "
                          f"camera has one, remap it: {remapping(self._info_name, 'its camera_info')}")
        elif self._rays_of is None or self._rays_of[0] is not info or self._rays_of[1:] != (height, width, self.topic):
            self._rays_of = info, height, width, self.topic
            try:
                self._rays = Rays(info, height, width, is_rectified(self.topic))
            except ValueError as error:
                self._rays = None
                self._complain(f"{self._info_topic} {error}; x y z of the landmarks are pixels until that is "
                               "mended")
        return self._rays

    def _complain(self, text: str) -> None:
        if text not in self._complaints:
            self._complaints.add(text)
            self._node.get_logger().warning(text)

    @property
    def lost(self) -> int:
        """Frames lost on the way, as far as the middleware knows."""
        return self._lost

    @property
    def incompatible(self) -> str:
        """What is wrong with a publisher's QoS on the topic read, until a frame comes from another one; else empty."""
        text, before = self._incompatible.get(self._kind, ("", 0))
        return text if self._received[self._kind] == before else ""

    def check(self, now: float, options: NodeConfig) -> Complaint | None:
        """What is wrong with the arrival of frames, if anything."""
        if foreign := self._foreign():
            return foreign
        publishers = sum(self._node.count_publishers(self._topics[kind]) for kind in tuple(self._images))
        return self._watch.check(now, publishers, sum(self._received.values()), self._lost, options.silence_warning_s,
                                 options.expected_rate_hz)

    def _foreign(self) -> Complaint | None:
        """Of what is on a topic under another type, which ROS never brings here and says nothing about."""
        for kind in tuple(self._images):
            topic = self._topics[kind]
            types = {info.topic_type for info in self._node.get_publishers_info_by_topic(topic)}
            if not types or _TYPES[kind] in types:
                continue
            remedy = (f"remap to {topic.removesuffix('/compressed')}, from which the node finds the compressed images "
                      "itself" if kind is Image and _TYPES[CompressedImage] in types and topic.endswith("/compressed")
                      else "remap to a topic of images")
            return Complaint("foreign", f"{topic} carries {', '.join(sorted(types))}, not {_TYPES[kind]}: {remedy}")
        return None

    def restart(self) -> None:
        """Judge the arrival of frames by what comes from now on."""
        self._watch = InputWatch(self.topic, remedy(os.environ), self._image_name)

    def destroy(self) -> None:
        """Take the subscriptions off the graph."""
        if self._chooser is not None:
            self._node.destroy_timer(self._chooser)
        for subscription in self._images.values():
            self._node.destroy_subscription(subscription)
        if self._infos is not None:
            self._node.destroy_subscription(self._infos)


def _calibration(info: CameraInfo) -> tuple[object, ...]:
    """Everything of a CameraInfo but its header."""
    roi = info.roi
    return (info.height, info.width, info.distortion_model, tuple(info.d), tuple(info.k), tuple(info.r), tuple(info.p),
            info.binning_x, info.binning_y, roi.x_offset, roi.y_offset, roi.height, roi.width)
