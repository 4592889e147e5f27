"""perception_node: thermal images in, detections and facial landmarks out.

Thin by intention: messages become ThermalFrames, ThermalPerception does the work, results become messages. Callbacks
run in one thread and return at once; a worker thread takes the newest frame and answers it.
"""

from __future__ import annotations

import dataclasses
import gc
import sys
import threading
import time
import traceback
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.time import Time
from rclpy.timer import Timer

from ..config import ConfigError, NodeConfig, PerceptionConfig, class_thresholds
from ..engines.base import EngineError
from ..frames import FrameError
from ..models.checkpoint import ModelError
from ..pipeline import ThermalPerception
from ..stream import FrameReader
from . import parameters
from .camera_input import CameraInput, InputImage, read_frame
from .diagnostics import Report, diagnostics_message
from .outputs import Outputs
from .run import run_node
from .slot import Worker
from .statistics import RateLimit, StreamStatistics, Throttle
from .watchdog import Complaint, StaleWatch

_REPEAT_S = 5.0
"""A complaint about frames is logged at most so often."""

_Arrival = tuple[InputImage, float]
"""A message and when it came, on the monotonic clock."""


class PerceptionNode(LifecycleNode):
    """The lifecycle node; its topics and parameters are listed in the README.

    Pixel coordinates that it publishes are continuous: the centre of the top-left pixel is (0.5, 0.5).
    """

    def __init__(self, name: str = "perception_node") -> None:
        super().__init__(name)
        self._options, self._config = NodeConfig(), PerceptionConfig()
        self._options, self._config = parameters.declare(self, self._options, self._config)
        self._pipeline: ThermalPerception | None = None
        # Held while the pipeline works or changes, so that a frame never sees half of a change.
        self._pipeline_lock = threading.Lock()
        self._reader = FrameReader(self._config.thermal)
        self._input: CameraInput | None = None
        self._outputs: Outputs | None = None
        self._worker: Worker[_Arrival] | None = None
        self._statistics = StreamStatistics()
        self._rate = RateLimit()
        self._throttle = Throttle(_REPEAT_S)
        self._stale = StaleWatch("")
        self._complaint: Complaint | None = None
        self._failure = ""
        self.add_on_set_parameters_callback(self._on_parameters)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._reporter = self._report_every(self._options.diagnostics_period_s)
        if self._options.auto_start:
            # As a timer, so that it runs once somebody spins the node, wherever that is.
            self._starter: Timer = self.create_timer(0.0, self._start, clock=self._steady)

    def _start(self) -> None:
        self.destroy_timer(self._starter)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def close(self) -> None:
        """Stop the worker; the node does nothing more."""
        self._stop_worker()

    # Lifecycle -------------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the models, then open the topics. A failure leaves the node unconfigured and alive."""
        began = time.monotonic()
        self.get_logger().info("loading the models")
        try:
            pipeline = ThermalPerception(self._config)
            pipeline.warm_up()
        except (ModelError, EngineError, ConfigError) as error:
            return self._refuse_to_configure(str(error))
        except Exception as error:  # rclpy would turn it into a silent ERROR
            return self._refuse_to_configure(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        self._failure = ""
        self._pipeline = pipeline
        self._statistics.reset()
        self._input = CameraInput(self, self._options, self._on_image)
        self._outputs = Outputs(self)
        self._outputs.publish_labels(pipeline.class_names, self._config.detector.score_threshold)
        self._reader = FrameReader(self._config.thermal, self._input.topic, self._say_about_input,
                                   self._options.frozen_frames)
        self._stale = StaleWatch(self._input.topic)
        self.destroy_timer(self._reporter)
        self._reporter = self._report_every(self._options.diagnostics_period_s)
        self.get_logger().info(f"configured in {time.monotonic() - began:.1f} s: {pipeline.describe()}; "
                               f"reads {self._input.topic}")
        return super().on_configure(state)

    def _refuse_to_configure(self, reason: str) -> TransitionCallbackReturn:
        self._failure = f"cannot be configured: {reason}"
        name = self.get_fully_qualified_name()
        self.get_logger().error(f"{self._failure}. Set the parameter right (ros2 param set {name} ...), then: "
                                f"ros2 lifecycle set {name} configure")
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Answer frames from now on."""
        result = super().on_activate(state)
        self._worker = Worker(self._answer, "perception")
        self.get_logger().info("active")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the frame in work and answer no more."""
        self._stop_worker()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the topics and free the models."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, from where another try is possible."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _stop_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None and worker.stop() is not None:
            self._statistics.drop("inactive")

    def _release(self) -> None:
        self._stop_worker()
        if self._input is not None:
            self._input.destroy()
        if self._outputs is not None:
            self._outputs.destroy()
        self._input = self._outputs = self._pipeline = None
        gc.collect()
        if "torch" in sys.modules:
            # Else torch keeps the memory of the GPU for itself, though nothing uses it any more.
            sys.modules["torch"].cuda.empty_cache()

    # Parameters ------------------------------------------------------------------------------------------------------

    def _on_parameters(self, given: Sequence[Parameter]) -> SetParametersResult:
        """Take changed parameters between two frames, all of them or none."""
        configs = self._options, self._config
        try:
            values = parameters.changes(configs, given)
            if self._pipeline is not None and (fixed := parameters.fixed(configs, values)):
                raise ConfigError(f"{', '.join(fixed)} can be changed only while the node is unconfigured: "
                                  "deactivate and clean up first")
            options, config = parameters.merged(configs, values)
            if config != self._config and self._pipeline is not None:
                self._reconfigure(self._pipeline, config)
        except (ConfigError, ModelError, EngineError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._options, self._config = options, config
        self._reader.frozen_frames = options.frozen_frames
        return SetParametersResult(successful=True)

    def _reconfigure(self, pipeline: ThermalPerception, config: PerceptionConfig) -> None:
        unknown = sorted(set(class_thresholds(config.detector)) - set(pipeline.class_names))
        if unknown:
            raise ConfigError(f"detector.class_thresholds names {', '.join(unknown)}, but the model's classes are "
                              f"{', '.join(pipeline.class_names)}")
        with self._pipeline_lock:
            try:
                pipeline.reconfigure(config)
            except (ModelError, EngineError):
                pipeline.reconfigure(self._config)
                raise
        if self._outputs is not None and config.detector.score_threshold != self._config.detector.score_threshold:
            self._outputs.publish_labels(pipeline.class_names, config.detector.score_threshold)

    # Frames ----------------------------------------------------------------------------------------------------------

    def _on_image(self, message: InputImage) -> None:
        self._statistics.receive()
        worker = self._worker
        if worker is None:
            self._statistics.drop("inactive")
        elif worker.put((message, time.monotonic())) is not None:
            self._statistics.drop("superseded")

    def _answer(self, arrival: _Arrival) -> None:
        """Answer one frame, or count why not; runs in the worker thread and survives every frame."""
        try:
            reason = self._process(*arrival)
        except FrameError as error:
            reason = "bad"
            self._warn(f"{self._reader.camera}: a frame is dropped: {error}")
        except Exception as error:
            if not self.context.ok():
                return
            reason = "failed"
            self._failure = f"a frame failed: {type(error).__name__}: {error}"
            if self._throttle.allows(self._failure):
                self.get_logger().error(f"{self._failure}\n{traceback.format_exc()}")
        if reason:
            self._statistics.drop(reason)

    def _process(self, message: InputImage, arrived: float) -> str:
        """Process and publish one frame; the reason if it is dropped, else an empty string."""
        pipeline, outputs, source = self._pipeline, self._outputs, self._input
        assert pipeline is not None and outputs is not None and source is not None
        age = self._age(message)
        if age is not None and 0.0 < self._options.max_age_s < age:
            self._stale.stale(age, self._options.max_age_s)
            return "stale"
        self._stale.fresh()
        if not self._rate.allows(arrived, self._options.max_rate_hz):
            return "rate"
        began = time.perf_counter()
        stamp = message.header.stamp
        # A camera that sends no stamps is tracked by the time of arrival.
        when = stamp.sec + 1e-9 * stamp.nanosec if age is not None else arrived
        frame = read_frame(self._reader, message, when)
        if self._reader.frozen_run and self._config.thermal.frozen_policy == "skip":
            return "frozen"
        frame = dataclasses.replace(frame, rays=source.rays(*frame.shape))
        decoded = time.perf_counter()
        with self._pipeline_lock:
            result = pipeline.process([frame])[0]
        processed = time.perf_counter()
        outputs.publish(message.header, frame, result, self._options.publish_tf)
        times = {"decode": 1e3 * (decoded - began), **result.stage_ms,
                 "publish": 1e3 * (time.perf_counter() - processed), "total": 1e3 * (time.monotonic() - arrived)}
        age = self._age(message)
        self._statistics.publish(times if age is None else {**times, "age": 1e3 * age})
        self._failure = ""
        return ""

    def _age(self, message: InputImage) -> float | None:
        """Seconds since the message's stamp; None if it has none."""
        stamp = message.header.stamp
        if stamp.sec == 0 and stamp.nanosec == 0:
            return None
        now = self.get_clock().now()
        return (now - Time.from_msg(stamp, clock_type=now.clock_type)).nanoseconds * 1e-9

    def _warn(self, text: str) -> None:
        if self._throttle.allows(text):
            self.get_logger().warning(text)

    def _say_about_input(self, text: str) -> None:
        self.get_logger().info(f"{self._reader.camera}: {text}")

    # Diagnostics -----------------------------------------------------------------------------------------------------

    def _report_every(self, period_s: float) -> Timer:
        # By the steady clock: a simulation that stands still is worth reporting.
        return self.create_timer(period_s, self._report, clock=self._steady)

    def _report(self) -> None:
        active = self._worker is not None
        complaint = self._stale.complaint
        if active and self._input is not None:
            complaint = complaint or self._input.check(time.monotonic(), self._options)
        if complaint is not None and (self._complaint is None or self._complaint.kind != complaint.kind):
            self.get_logger().warning(complaint.text)
        elif complaint is None and self._complaint is not None and active:
            self.get_logger().info("frames arrive as they should again")
        self._complaint = complaint
        snapshot = self._statistics.snapshot()
        warnings = [complaint.text] if complaint is not None else []
        if self._reader.frozen:
            alike = self._reader.frozen_run + 1
            warnings.append(f"the last {alike} frames are identical: shutter closed, or the camera hangs")
        errors = [text for text in (self._failure, self._input.incompatible if self._input else "") if text]
        state = "active" if active else "inactive" if self._pipeline is not None else "unconfigured"
        report = Report(state, self._input.topic if self._input else "", self._facts(), tuple(errors), tuple(warnings))
        name = f"{self.get_fully_qualified_name().lstrip('/')}: perception"
        self._diagnostics.publish(diagnostics_message(self.get_clock().now().to_msg(), name, report, snapshot))

    def _facts(self) -> dict[str, str]:
        facts = {"input mode": self._reader.mode or "not known yet", "input": self._reader.description,
                 "transport": self._input.transport if self._input else "",
                 "frozen frames": str(self._reader.frozen_total),
                 "shutter events": str(self._reader.shutter_events),
                 "lost on the way": str(self._input.lost if self._input else 0)}
        if self._pipeline is not None:
            facts |= {"backend": self._pipeline.describe(), "classes": ", ".join(self._pipeline.class_names),
                      "landmark layout": self._pipeline.layout.name if self._pipeline.layout else "none"}
        return facts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit code."""
    return run_node(PerceptionNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
