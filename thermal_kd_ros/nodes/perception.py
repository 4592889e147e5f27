"""perception_node: thermal images in, detections and facial landmarks out.

Thin by intention: messages become ThermalFrames, ThermalPerception does the work, results become messages. Callbacks
run in one thread and return at once; a worker thread takes the newest frames, one of each camera, and answers them.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
import traceback
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import NameValidationException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.timer import Timer

from ..config import ConfigError, NodeConfig, PerceptionConfig
from ..engines.base import EngineError
from ..models.card import ModelError
from ..networks import lowest_score
from ..pipeline import ThermalPerception
from . import parameters
from .camera import Arrival, Camera, Job
from .diagnostics import Report, diagnostic_status, diagnostics_message
from .overrides import warn_of_overrides
from .ros4hri import HumanFaces, without_ros4hri
from .run import reason_of, run_node
from .slot import Worker
from .statistics import StreamStatistics
from .transforms import without_transforms


def unexpected(error: Exception) -> str:
    """An error that nobody foresaw, in words, with where it comes from."""
    return f"{type(error).__name__}: {error}\n{''.join(traceback.format_exception(error))}"


class PerceptionNode(LifecycleNode):
    """The lifecycle node; its topics and parameters are listed in the README.

    Pixel coordinates that it publishes are continuous: the centre of the top-left pixel is (0.5, 0.5).
    """

    def __init__(self, name: str = "perception_node") -> None:
        super().__init__(name)
        # First of all what destroy_node looks at, which also comes when a parameter is refused.
        self._pipeline: ThermalPerception | None = None
        self._cameras: tuple[Camera, ...] = ()
        self._worker: Worker[Camera, Arrival] | None = None
        self._humans = HumanFaces(self)
        # Held while the pipeline works or changes, so that a frame never sees half of a change.
        self._pipeline_lock = threading.Lock()
        self._options, self._config = NodeConfig(), PerceptionConfig()
        self._options, self._config = parameters.declare(self, self._options, self._config)
        warn_of_overrides(self)
        self._failure = ""
        self._told_without: dict[str, str] = {}
        self._state_without_cameras = "unconfigured"
        self.add_on_set_parameters_callback(self._on_parameters)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._reporter = self._report_every(self._options.diagnostics_period_s)
        self._change_state = self._service_change_state.callback
        self._service_change_state.callback = self._on_change_state
        if self._options.auto_start:
            # As a timer, so that it runs once somebody spins the node, wherever that is.
            self._starter: Timer = self.create_timer(0.0, self._start, clock=self._steady)

    def _start(self) -> None:
        self.destroy_timer(self._starter)
        # Nothing if a lifecycle manager was quicker.
        with contextlib.suppress(RuntimeError):
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()

    def destroy_node(self) -> None:
        """Stop the worker, before the topics go that its frame in work is published on, and free the models."""
        self._release()
        super().destroy_node()

    # Lifecycle -------------------------------------------------------------------------------------------------------

    def _on_change_state(self, request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        """Answer ~/change_state; rclpy of Humble and Jazzy lets what cannot be done now end the node."""
        try:
            return self._change_state(request, response)
        except RuntimeError as error:
            asked = request.transition.label or f"number {request.transition.id}"
            self.get_logger().error(f"the transition {asked} is none of the present state: {reason_of(error)}")
            response.success = False
            return response

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the models, then open the topics. A failure leaves the node unconfigured and alive."""
        began = time.monotonic()
        self.get_logger().info("loading the models")
        # Refused outside the handlers, which hold on to the memory of what failed.
        if reason := self._load():
            return self._refuse_to_configure(reason)
        assert self._pipeline is not None
        self._failure = ""
        # What is there by now stays: no collection of garbage has to look through it between two frames any more.
        gc.collect()
        gc.freeze()
        self.destroy_timer(self._reporter)
        self._reporter = self._report_every(self._options.diagnostics_period_s)
        self.get_logger().info(f"configured in {time.monotonic() - began:.1f} s: {self._pipeline.describe()}; "
                               f"reads {', '.join(camera.topic for camera in self._cameras)}")
        for text in self._pipeline.warnings:
            self.get_logger().warning(text)
        self._warn_of_empty_topics(self._pipeline)
        return super().on_configure(state)

    def _load(self) -> str:
        """Load the models and open the topics; why that cannot be, or an empty text."""
        try:
            if len(self._options.cameras) > 1 and self._config.correction.bad_pixel_map:
                raise ConfigError("correction.bad_pixel_map is the map of one camera, and there are "
                                  f"{', '.join(self._options.cameras)}: start a node for each camera that has one, or "
                                  "set correction.find_bad_pixels")
            self._pipeline = ThermalPerception(self._config)
            self._pipeline.warm_up(self._most(self._pipeline, self._options))
            self._open_topics()
        except (ModelError, EngineError, ConfigError) as error:
            return str(error)
        except Exception as error:  # rclpy would turn it into a silent ERROR
            return unexpected(error)
        return ""

    def _warn_of_empty_topics(self, pipeline: ThermalPerception) -> None:
        options, config = self._options, self._config
        reasons = {"publish_tf": without_transforms(config, pipeline.networks.layout) if options.publish_tf else "",
                   "publish_ros4hri": without_ros4hri(config) if options.publish_ros4hri else ""}
        for name, reason in reasons.items():
            if reason and reason != self._told_without.get(name):
                self.get_logger().warning(f"{name} publishes nothing while {reason}")
        self._told_without = reasons

    def _open_topics(self) -> None:
        for name in self._options.cameras or ("",):
            try:
                # One by one, so that those that there are can be released if the next one fails.
                self._cameras = *self._cameras, Camera(self, name, self._options, self._config, self._humans, self._put)
            except (NameValidationException, RuntimeError) as error:
                raise ConfigError(f"the topics of camera {name!r} cannot be opened: {reason_of(error)}") from None
        self._publish_labels(self._config)

    def _publish_labels(self, config: PerceptionConfig) -> None:
        assert self._pipeline is not None
        for camera in self._cameras:
            camera.publish_labels(self._pipeline.class_names, lowest_score(config, self._pipeline.networks))

    def _refuse_to_configure(self, reason: str) -> TransitionCallbackReturn:
        self._release()
        self._failure = f"cannot be configured: {reason.rstrip('.')}"
        name = self.get_fully_qualified_name()
        self.get_logger().error(f"{self._failure}. When that is put right (a parameter by ros2 param set {name} ...): "
                                f"ros2 lifecycle set {name} configure, then ros2 lifecycle set {name} activate")
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Answer frames from now on."""
        result = super().on_activate(state)
        self._worker = Worker(self._answer, "perception", len(self._cameras), self._limits)
        self.get_logger().info("active")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the frame in work and answer no more."""
        self._stop_worker()
        for camera in self._cameras:
            camera.pause()
        if self._pipeline is not None:
            self._pipeline.forget_tracks()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the topics and free the models."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        self._release()
        self._state_without_cameras = "finalized"
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, from where another try is possible."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _stop_worker(self) -> None:
        worker, self._worker = self._worker, None
        for camera, _ in worker.stop() if worker is not None else ():
            camera.statistics.drop("inactive")
        self._humans.forget()

    def _release(self) -> None:
        self._stop_worker()
        for camera in self._cameras:
            camera.destroy()
        self._cameras, self._pipeline = (), None
        gc.unfreeze()
        gc.collect()
        if "torch" in sys.modules:
            # Else torch keeps the memory of the GPU for itself, though nothing uses it any more. A lost GPU refuses.
            with contextlib.suppress(RuntimeError):
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
            if self._pipeline is not None and (options, config) != configs:
                self._reconfigure(self._pipeline, options, config)
        except (ConfigError, ModelError, EngineError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        except Exception as error:  # networks were run: what libraries raise must not end the node
            return SetParametersResult(successful=False, reason=unexpected(error))
        self._options, self._config = options, config
        for camera in self._cameras:
            camera.set_options(options)
        if self._pipeline is not None:
            self._warn_of_empty_topics(self._pipeline)
        return SetParametersResult(successful=True)

    def _reconfigure(self, pipeline: ThermalPerception, options: NodeConfig, config: PerceptionConfig) -> None:
        # Before the lock, so that the frame in work is not held up; those that come meanwhile wait for this thread.
        networks = pipeline.prepare(config, self._most(pipeline, options), self._pipeline_lock)
        if config == self._config:
            return
        with self._pipeline_lock:
            pipeline.reconfigure(config, networks)
        if lowest_score(config, networks) != lowest_score(self._config, networks):
            self._publish_labels(config)

    # Frames ----------------------------------------------------------------------------------------------------------

    def _put(self, camera: Camera, arrival: Arrival) -> Arrival | None:
        worker = self._worker
        if worker is None:
            raise LookupError("the node is not active")
        return worker.put(camera, arrival)

    def _limits(self) -> tuple[int, float]:
        assert self._pipeline is not None
        return self._most(self._pipeline, self._options), 1e-3 * self._options.batch_window_ms

    @staticmethod
    def _most(pipeline: ThermalPerception, options: NodeConfig) -> int:
        """Most frames in a batch."""
        cameras = max(1, len(options.cameras))
        return min(cameras, options.max_batch or (1 if pipeline.networks.detector.on_cpu else cameras))

    def _answer(self, arrivals: Sequence[tuple[Camera, Arrival]]) -> None:
        """Answer one frame of each of some cameras, or count why not; runs in the worker thread and survives them."""
        options, config = self._options, self._config
        jobs = [(camera, job) for camera, arrival in arrivals if (job := camera.read(arrival, options, config))]
        if jobs:
            self._process(jobs)

    def _process(self, jobs: Sequence[tuple[Camera, Job]]) -> None:
        pipeline = self._pipeline
        assert pipeline is not None
        try:
            with self._pipeline_lock:
                results = pipeline.process([job.frame for _, job in jobs])
                contrast = pipeline.contrast
        except Exception as error:
            if len(jobs) == 1:
                jobs[0][0].fail(error)
                return
        else:
            for (camera, job), result in zip(jobs, results, strict=True):
                camera.answer(job, result, contrast)
            return
        # One camera's frame must not take the others with it; and alone each needs less memory. Outside the handler, so
        # that nothing holds on to the memory of what failed.
        for one in jobs:
            self._process([one])

    # Diagnostics -----------------------------------------------------------------------------------------------------

    def _report_every(self, period_s: float) -> Timer:
        # By the steady clock: a simulation that stands still is worth reporting.
        return self.create_timer(period_s, self._report, clock=self._steady)

    def _report(self) -> None:
        self._humans.expire()
        name = f"{self.get_fully_qualified_name().lstrip('/')}: perception"
        facts, active = self._facts(), self._worker is not None
        warnings = self._pipeline.warnings if self._pipeline is not None else ()
        statuses = []
        for camera in self._cameras:
            mine = {"bad pixels": str(self._pipeline.bad_pixels(camera.name))} if self._pipeline is not None else {}
            report = camera.report(active, self._options, facts | mine, self._failure, warnings)
            snapshot = camera.statistics.snapshot()
            statuses.append(diagnostic_status(f"{name} {camera.name}".rstrip(), report, snapshot))
        if not self._cameras:
            report = Report(self._state_without_cameras, "", facts, (self._failure,) if self._failure else ())
            statuses.append(diagnostic_status(name, report, StreamStatistics().snapshot()))
        self._diagnostics.publish(diagnostics_message(self.get_clock().now().to_msg(), statuses))

    def _facts(self) -> dict[str, str]:
        if self._pipeline is None:
            return {}
        layout = self._pipeline.networks.layout
        return {"backend": self._pipeline.describe(), "classes": ", ".join(self._pipeline.class_names),
                "contrast": self._pipeline.contrast.method,
                "landmark layout": layout.name if layout else "none"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit code."""
    return run_node(PerceptionNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
