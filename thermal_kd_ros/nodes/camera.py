"""One camera of the perception node: its topics, what is remembered of its images, and what is counted of them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time

from ..config import ContrastConfig, NodeConfig, PerceptionConfig
from ..frames import FrameError, ThermalFrame
from ..results import PerceptionResult
from ..stream import FrameReader
from .camera_input import CameraInput, InputImage
from .diagnostics import Report
from .outputs import Outputs
from .ros4hri import HumanFaces
from .statistics import RateLimit, StreamStatistics, Throttle
from .watchdog import ClockWatch, Complaint

_REPEAT_S = 5.0
"""A complaint about frames is logged at most so often."""


class Arrival(NamedTuple):
    """An image that came."""

    message: InputImage
    time: float
    """When it came, on the monotonic clock."""


class Job(NamedTuple):
    """An image that is about to be answered."""

    arrival: Arrival
    frame: ThermalFrame
    decode_ms: float
    options: NodeConfig


class Camera:
    """One camera, there from configure to cleanup. ``name`` is empty where the node has one camera without a name.

    ``put`` hands an arrival to the worker: it returns the one that it replaced, or None; it raises LookupError while
    there is no worker.
    """

    def __init__(self, node: LifecycleNode, name: str, options: NodeConfig, config: PerceptionConfig,
                 humans: HumanFaces, put: Callable[[Camera, Arrival], Arrival | None]) -> None:
        self.name = name
        self.statistics = StreamStatistics()
        self._node = node
        self._put = put
        prefix = f"{name}/" if name else ""
        with contextlib.ExitStack() as on_failure:
            self._input = CameraInput(node, options, self._on_image, prefix)
            on_failure.callback(self._input.destroy)
            self._outputs = Outputs(node, name, humans)
            on_failure.pop_all()
        self._reader = FrameReader(config.thermal, name, self._say, options.frozen_frames, self._warn)
        self._rate = RateLimit()
        self._throttle = Throttle(_REPEAT_S)
        self._clock = ClockWatch()
        self._complaint: Complaint | None = None
        self._failure = ""
        self._bad = ""

    @property
    def topic(self) -> str:
        """The topic whose images are read at present."""
        return self._input.topic

    def destroy(self) -> None:
        """Take the topics off the graph."""
        self._input.destroy()
        self._outputs.destroy()

    def publish_labels(self, class_names: Sequence[str], threshold: float) -> None:
        """Latch the class names."""
        self._outputs.publish_labels(class_names, threshold)

    def set_options(self, options: NodeConfig) -> None:
        """Take what of the node's options is remembered here."""
        self._reader.frozen_frames = options.frozen_frames

    def pause(self) -> None:
        """No frame is answered for a while: what is wrong with the latest ones is over."""
        self._reader.restart()
        self._input.restart()
        self._clock.restart()
        self._failure = self._bad = ""

    # Frames ----------------------------------------------------------------------------------------------------------

    def _on_image(self, message: InputImage) -> None:
        self.statistics.receive()
        try:
            if self._put(self, Arrival(message, time.monotonic())) is not None:
                self.statistics.drop("superseded")
        except LookupError:
            self.statistics.drop("inactive")

    def read(self, arrival: Arrival, options: NodeConfig, config: PerceptionConfig) -> Job | None:
        """The frame of an arrival; None, and counted, if it is dropped."""
        try:
            made = self._read(arrival, options, config)
        except Exception as error:
            self.fail(error)
            return None
        if isinstance(made, str):
            self.statistics.drop(made)
            return None
        return made

    def _read(self, arrival: Arrival, options: NodeConfig, config: PerceptionConfig) -> Job | str:
        """The frame to answer, or the reason why it is dropped; raises FrameError."""
        age = self._age(arrival.message)
        # On arrival: what waited for its turn here says nothing of the camera's clock.
        came = None if age is None else max(age - (time.monotonic() - arrival.time), min(age, 0.0))
        if self._clock.check(self.topic, came, options.max_age_s) == "stale":
            return "stale"
        if not self._rate.allows(arrival.time, options.max_rate_hz):
            return "rate"
        began = time.perf_counter()
        stamp = arrival.message.header.stamp
        # A camera that sends no stamps is tracked by the time of arrival.
        when = stamp.sec + 1e-9 * stamp.nanosec if age is not None else arrival.time
        frame = self._reader.read_message(arrival.message, when)
        if self._reader.passes_over(config.thermal):
            return "frozen"
        frame = dataclasses.replace(frame, rays=self._input.rays(*frame.shape))
        return Job(arrival, frame, 1e3 * (time.perf_counter() - began), options)

    def answer(self, job: Job, result: PerceptionResult, contrast: ContrastConfig) -> None:
        """Publish what was found; pictures in ``contrast``."""
        message, arrived = job.arrival
        began = time.perf_counter()
        try:
            self._outputs.publish(message.header, result, contrast, job.options)
        except Exception as error:
            self.fail(error)
            return
        times = {"decode": job.decode_ms, **result.stage_ms, "publish": 1e3 * (time.perf_counter() - began),
                 "total": 1e3 * (time.monotonic() - arrived)}
        age = self._age(message)
        if age is not None and age >= 0.0:  # what is stamped later than now tells nothing of time spent
            times |= {"age": 1e3 * age, "overhead": 1e3 * age - sum(result.stage_ms.values())}
        self.statistics.publish(times)
        self._failure = self._bad = ""

    def fail(self, error: Exception) -> None:
        """Count a frame that could not be answered and say why; called while the error is handled."""
        if isinstance(error, FrameError):
            self._bad = f"a frame is dropped: {error}"
            self.statistics.drop("bad")
            if self._throttle.allows(self._bad):
                self._node.get_logger().warning(f"{self.topic}: {self._bad}")
            return
        if not self._node.context.ok():
            return
        self.statistics.drop("failed")
        self._failure = f"a frame failed: {type(error).__name__}: {error}"
        if self._throttle.allows(self._failure):
            self._node.get_logger().error(f"{self.topic}: {self._failure}\n{traceback.format_exc()}")

    def _age(self, message: InputImage) -> float | None:
        """Seconds since the message's stamp; None if it has none. Raises FrameError for one that ROS cannot take."""
        stamp = message.header.stamp
        if stamp.sec == 0 and stamp.nanosec == 0:
            return None
        if stamp.sec < 0:
            raise FrameError(f"its stamp is {stamp.sec} s, and no clock of ROS goes below 0; let the driver stamp "
                             "images with the present time, or with 0")
        now = self._node.get_clock().now()
        return (now - Time.from_msg(stamp, clock_type=now.clock_type)).nanoseconds * 1e-9

    def _say(self, text: str) -> None:
        self._node.get_logger().info(f"{self.topic}: {text}")

    def _warn(self, text: str) -> None:
        self._node.get_logger().warning(f"{self.topic}: {text}")

    # Diagnostics -----------------------------------------------------------------------------------------------------

    def report(self, active: bool, options: NodeConfig, facts: Mapping[str, str], failure: str,
               node_warnings: Sequence[str] = ()) -> Report:
        """What is to be said of it now; what is wrong with its arrivals is logged too, once.

        ``facts``, ``failure`` and ``node_warnings`` are the node's own.
        """
        complaint = None
        if active:
            complaint = self._input.check(time.monotonic(), options)
            if complaint is None or not complaint.nothing_came:
                complaint = self._clock.complaint or complaint
        if complaint is not None and (self._complaint is None or self._complaint.kind != complaint.kind):
            self._node.get_logger().warning(complaint.text)
        elif complaint is None and self._complaint is not None and active:
            self._node.get_logger().info(f"{self.topic}: frames arrive as they should again")
        self._complaint = complaint
        warnings = [*([complaint.text] if complaint is not None else []), *([self._bad] if self._bad else []),
                    *([self._reader.doubt] if self._reader.doubt else []), *node_warnings]
        if self._reader.frozen:
            alike = self._reader.frozen_run + 1
            warnings.append(f"the last {alike} frames are identical: shutter closed, or the camera hangs")
        errors = [text for text in (failure, self._failure, self._input.incompatible) if text]
        return Report("active" if active else "inactive", self.topic, {**self._facts(), **facts}, tuple(errors),
                      tuple(warnings))

    def _facts(self) -> dict[str, str]:
        return {"input mode": self._reader.mode or "not known yet", "input": self._reader.description,
                "transport": self._input.transport, "frozen frames": str(self._reader.frozen_total),
                "shutter events": str(self._reader.shutter_events), "lost on the way": str(self._input.lost)}
