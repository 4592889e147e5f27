"""Plays frames to the node over DDS and keeps what it answers, as bytes with the time of arrival."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from vision_msgs.msg import Detection2DArray, LabelInfo

from ..evaluation.bags import Record, header_stamp, with_header_stamp
from ..nodes.client import CAMERA_QOS, Client

DETECTIONS, LANDMARKS, LABELS, DIAGNOSTICS = "detections", "landmarks", "label_info", "/diagnostics"
_OUTPUTS = {
    DETECTIONS: (Detection2DArray, "vision_msgs/msg/Detection2DArray"),
    LANDMARKS: (PointCloud2, "sensor_msgs/msg/PointCloud2"),
    LABELS: (LabelInfo, "vision_msgs/msg/LabelInfo"),
    DIAGNOSTICS: (DiagnosticArray, "diagnostic_msgs/msg/DiagnosticArray"),
}
_RESULTS_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
                          durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Player:
    """A ROS node in ``namespace`` that is the camera of the node there, and its audience. A context manager.

    The stamps of what is sent are the time of sending, as a live camera's are, because the node drops frames that are
    too old; the answers carry the stamps back, and so lead to the frames. With ``compressed`` the images that are sent
    are sensor_msgs/CompressedImage.
    """

    def __init__(self, namespace: str, compressed: bool = False) -> None:
        self.namespace = namespace
        self.compressed = compressed
        self.records: list[Record] = []
        """Everything received, in order; stamped with the time of arrival. Topics as the node names them."""
        self._arrivals: dict[str, dict[int, int]] = {DETECTIONS: {}, LANDMARKS: {}}
        self._changed = threading.Condition()

    def __enter__(self) -> Player:
        self._client = Client("demo_player", self.namespace)
        self._node = self._client.node
        image, topic = (CompressedImage, "image/compressed") if self.compressed else (Image, "image")
        self._images = self._node.create_publisher(image, topic, CAMERA_QOS)
        self._infos = self._node.create_publisher(CameraInfo, "camera_info", CAMERA_QOS)
        for topic, (kind, name) in _OUTPUTS.items():
            qos = _LATCHED_QOS if topic == LABELS else _RESULTS_QOS
            self._node.create_subscription(kind, topic, self._keeper(topic, name), qos, raw=True)
        self._client.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self._client.close()

    def _keeper(self, topic: str, kind: str) -> Callable[[bytes], None]:
        def keep(data: bytes) -> None:
            now = time.time_ns()
            with self._changed:
                self.records.append(Record(topic, kind, now, bytes(data)))
                if topic in self._arrivals:
                    self._arrivals[topic].setdefault(header_stamp(data), now)
                self._changed.notify_all()

        return keep

    def send(self, image: bytes, info: bytes | None = None) -> int:
        """Publish an image, and its camera_info before it; the stamp that both got, nanoseconds."""
        stamp = time.time_ns()
        if info is not None:
            self._infos.publish(with_header_stamp(info, stamp))
        self._images.publish(with_header_stamp(image, stamp))
        return stamp

    def arrival(self, stamp: int) -> int | None:
        """When the last part of the answer to the frame with that stamp came, nanoseconds; None until it has come."""
        with self._changed:
            times = [arrivals.get(stamp) for arrivals in self._arrivals.values()]
        return None if None in times else max(t for t in times if t is not None)

    def wait(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until ``ready`` after some message; whether it came to that in time."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            left = deadline - time.monotonic()
            if left <= 0.0:
                return False
            with self._changed:
                self._changed.wait(min(left, 0.2))
        return True

    def received(self, topic: str) -> list[Record]:
        """What has come on a topic so far."""
        with self._changed:
            return [record for record in self.records if record.topic == topic]

    def camera_is_matched(self) -> bool:
        """Whether somebody listens to the images."""
        return self._images.get_subscription_count() > 0
