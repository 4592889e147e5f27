"""Cameras and audience of a node over DDS: images at a steady rate, and when each was answered."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from ..dds import dds_environment
from ..evaluation.bags import header_stamp
from .client import CAMERA_QOS, Client
from .diagnostics import values_from_message
from .messages import image_message

_QUIET_S = 0.75
"""A run is over once all images are answered, or no answer has come for so long."""


@dataclass(frozen=True)
class Run:
    """One run at one rate."""

    seconds: float
    """From the first image to the last."""
    sent: tuple[int, ...]
    """Images of each camera."""
    answered: tuple[int, ...]
    latency_ms: tuple[float, ...]
    """From the stamp, just before publishing, to the receipt of the detections; of all answers."""

    @property
    def loss(self) -> float:
        """Part of the images without an answer."""
        return 1.0 - sum(self.answered) / max(1, sum(self.sent))

    @property
    def answers_hz(self) -> float:
        """Answers a second, of all cameras together."""
        return sum(self.answered) / self.seconds


class Load:
    """A ROS node in ``namespace`` that is the cameras of the node there and receives its answers. A context manager.

    ``cameras`` are the names of several, or empty for the one without a name.
    """

    def __init__(self, namespace: str, cameras: Sequence[str], images: Sequence[np.ndarray]) -> None:
        self._namespace = namespace
        self._prefixes = [f"{name}/" for name in cameras] or [""]
        self._images = images
        self._lock = threading.Lock()
        self._arrivals: list[dict[int, int]] = [{} for _ in self._prefixes]
        self._heard: set[int] = set()
        self._diagnostics: dict[str, str] = {}

    def __enter__(self) -> Load:
        os.environ.update(dds_environment(os.environ))
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        self._client = Client("benchmark_load", self._namespace)
        self._node = self._client.node
        self._publishers = [self._node.create_publisher(Image, f"{prefix}image", CAMERA_QOS)
                            for prefix in self._prefixes]
        for i, prefix in enumerate(self._prefixes):
            self._node.create_subscription(Detection2DArray, f"{prefix}detections", self._keeper(i), 100, raw=True)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._keep_diagnostics, 10)
        self._messages = [image_message(Header(frame_id="benchmark"), image, "mono16") for image in self._images]
        self._client.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self._client.close()

    def _keeper(self, camera: int) -> Callable[[bytes], None]:
        def keep(data: bytes) -> None:
            now = time.time_ns()
            with self._lock:
                self._arrivals[camera][header_stamp(data)] = now
                self._heard.add(camera)

        return keep

    def _keep_diagnostics(self, message: DiagnosticArray) -> None:
        values = values_from_message(message, f"{self._namespace.strip('/')}/")
        if values is not None:
            with self._lock:
                self._diagnostics = values

    def diagnostics(self) -> dict[str, str]:
        """The node's latest state, of its first camera; empty before the first."""
        with self._lock:
            return dict(self._diagnostics)

    def wait_until_answered(self, timeout_s: float, check: Callable[[], None]) -> bool:
        """Send images until every camera has had an answer; ``check`` is called in between."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            check()
            self.run(2.0, 0.5)
            with self._lock:
                if len(self._heard) == len(self._prefixes):
                    return True
        return False

    def run(self, rate_hz: float, seconds: float, cameras: int | None = None) -> Run:
        """Send images of the first ``cameras`` cameras (all) at a rate each, evenly shifted, and gather the answers."""
        used = range(len(self._prefixes) if cameras is None else cameras)
        with self._lock:
            for arrivals in self._arrivals:
                arrivals.clear()
        sent: list[list[int]] = [[] for _ in used]
        step = 1.0 / (rate_hz * len(used))
        began = time.monotonic()
        for i in range(max(len(used), round(seconds / step))):
            time.sleep(max(0.0, began + i * step - time.monotonic()))
            camera = i % len(used)
            sent[camera].append(self._send(camera, i))
        elapsed = max(time.monotonic() - began, step)
        self._drain(sum(map(len, sent)))
        with self._lock:
            latencies = [[(self._arrivals[c][stamp] - stamp) * 1e-6 for stamp in sent[c] if stamp in self._arrivals[c]]
                         for c in used]
        return Run(elapsed, tuple(map(len, sent)), tuple(map(len, latencies)), tuple(sum(latencies, [])))

    def _drain(self, sent: int) -> None:
        """Wait for answers that are still to come."""
        known, quiet = -1, time.monotonic() + _QUIET_S
        while known < sent and time.monotonic() < quiet:
            time.sleep(0.01)
            with self._lock:
                count = sum(map(len, self._arrivals))
            if count != known:
                known, quiet = count, time.monotonic() + _QUIET_S

    def _send(self, camera: int, index: int) -> int:
        message = self._messages[index % len(self._messages)]
        stamp = time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        self._publishers[camera].publish(message)
        return stamp
