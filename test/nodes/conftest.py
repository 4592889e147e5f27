"""A perception node in its own process, real middleware between it and the test, and small real networks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from thermal_kd_ros.dds import dds_environment

PATIENCE_S = 30.0
"""No answer should take so long, however busy the machine is."""


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
    """The first true value of ``condition``; fails naming ``what`` was waited for."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(0.01)
    return value


@pytest.fixture
def own_node() -> Iterator[Callable[..., Any]]:
    """Makes a node, by name and ROS arguments such as ``-r a:=b``, in this process and in a context of its own."""
    import rclpy

    from thermal_kd_ros.nodes.run import start_ros

    with ExitStack() as made:
        def make(name: str, *arguments: str) -> Any:
            context = rclpy.Context()
            start_ros(["--ros-args", *arguments], context)
            made.callback(rclpy.try_shutdown, context=context)
            node = rclpy.create_node(name, context=context)
            made.callback(node.destroy_node)
            return node

        yield make


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """``wait_for``, for what the graph knows: who is there is told to one after the other."""
    return wait_for


@pytest.fixture(scope="session")
def models(untrained_models: Callable[..., dict[str, str]]) -> dict[str, str]:
    """Parameters naming a detector, a face detector and a landmark model."""
    return untrained_models(height=256, width=320, seed=1)


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """A ROS node of the tests, spinning in a thread."""
    pytest.importorskip("rclpy")
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    os.environ.update(dds_environment(os.environ))
    rclpy.init()
    node = rclpy.create_node("test_client")
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    rclpy.try_shutdown()
    thread.join()


@dataclass
class Process:
    """A module of the package run as a program, its output in a file."""

    module: str
    arguments: list[str]
    output: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **self.environment}
        with self.output.open("w") as out:
            self.popen = subprocess.Popen([sys.executable, "-m", self.module, *self.arguments], stdout=out,
                                          stderr=subprocess.STDOUT, env=environment)

    def log(self) -> str:
        """Everything that it has written so far."""
        return self.output.read_text()

    def wait_log(self, text: str) -> str:
        """Wait until it has written ``text``; the whole log."""
        def seen() -> bool:
            assert text in self.log() or self.popen.poll() is None, f"the process ended:\n{self.log()}"
            return text in self.log()

        wait_for(seen, f"'{text}' in the log")
        return self.log()

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        """End it by a signal; its exit code."""
        self.popen.send_signal(by)
        return self.popen.wait(PATIENCE_S)


class Perception(Process):
    """A perception node with everything that one can say to it and hear from it."""

    def __init__(self, client: Any, namespace: str, parameters: dict[str, Any], folder: Path) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import Image, PointCloud2
        from vision_msgs.msg import Detection2DArray

        self.client, self.namespace = client, namespace
        file = folder / f"{namespace}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        self.detections: dict[tuple[int, int], Any] = {}
        self.landmarks: dict[tuple[int, int], Any] = {}
        self.diagnostics: list[dict[str, str]] = []
        self._stamp = 0
        self._publisher = client.create_publisher(Image, f"/{namespace}/image", qos_profile_sensor_data)
        self._entities = [
            client.create_subscription(Detection2DArray, f"/{namespace}/detections",
                                       lambda m: self._keep(self.detections, m), 100),
            client.create_subscription(PointCloud2, f"/{namespace}/landmarks",
                                       lambda m: self._keep(self.landmarks, m), 100),
            client.create_subscription(DiagnosticArray, "/diagnostics", self._keep_diagnostics, 100)]
        super().__init__("thermal_kd_ros.nodes.perception",
                         ["--ros-args", "-r", f"__ns:=/{namespace}", "--params-file", str(file)],
                         folder / f"{namespace}.log")

    @staticmethod
    def _keep(where: dict[tuple[int, int], Any], message: Any) -> None:
        where[message.header.stamp.sec, message.header.stamp.nanosec] = message

    def _keep_diagnostics(self, message: Any) -> None:
        from thermal_kd_ros.nodes.diagnostics import values_from_message

        values = values_from_message(message, f"{self.namespace}/perception_node")
        if values is not None:
            self.diagnostics.append(values)

    def image(self, pixels: np.ndarray, encoding: str = "mono16", age_s: float = 0.0) -> Any:
        """A message with a stamp of its own."""
        from rclpy.duration import Duration
        from std_msgs.msg import Header

        from thermal_kd_ros.nodes.messages import image_message

        stamp = (self.client.get_clock().now() - Duration(nanoseconds=int(age_s * 1e9))).to_msg()
        return image_message(Header(stamp=stamp, frame_id="thermal_optical"), pixels, encoding)

    def wait_answering(self, message: Any) -> None:
        """Wait until it is active and answers; a best-effort frame is lost while publisher and node still meet."""
        self.wait_log("]: active")
        deadline = time.monotonic() + PATIENCE_S
        while not self.answered(message):
            assert time.monotonic() < deadline, f"the node does not answer:\n{self.log()}"
            self.publish(message)
            time.sleep(0.3)

    def publish(self, message: Any) -> None:
        """Send it once the node listens."""
        wait_for(self._publisher.get_subscription_count, "the node's subscription")
        self._publisher.publish(message)

    def ask(self, message: Any) -> tuple[Any, Any]:
        """Publish an image; the detections and landmarks with its stamp."""
        key = message.header.stamp.sec, message.header.stamp.nanosec
        self.publish(message)
        deadline = time.monotonic() + PATIENCE_S
        while not (key in self.detections and key in self.landmarks):
            if time.monotonic() > deadline:
                pytest.fail(f"no answer to a frame; {self.diagnostics[-1]}\n{self.log()[-3000:]}")
            time.sleep(0.005)
        return self.detections[key], self.landmarks[key]

    def answered(self, message: Any) -> bool:
        """Whether the image was answered so far."""
        return (message.header.stamp.sec, message.header.stamp.nanosec) in self.detections

    def report(self, condition: Callable[[dict[str, str]], bool] = lambda values: True) -> dict[str, str]:
        """The next diagnostics for which ``condition`` holds."""
        seen = len(self.diagnostics)
        return wait_for(lambda: next((d for d in self.diagnostics[seen:] if condition(d)), None), "diagnostics")

    def call(self, kind: type, name: str, request: Any) -> Any:
        """The answer of one of the node's services."""
        service = self.client.create_client(kind, f"/{self.namespace}/perception_node/{name}")
        try:
            assert service.wait_for_service(PATIENCE_S), f"no service {name}:\n{self.log()}"
            future = service.call_async(request)
            wait_for(future.done, f"the answer of {name}")
            return future.result()
        finally:
            self.client.destroy_client(service)

    def set(self, **values: Any) -> list[Any]:
        """Set parameters, dots written as double underscores; the results."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        given = [Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()]
        return self.call(SetParameters, "set_parameters", SetParameters.Request(parameters=given)).results

    def set_ok(self, **values: Any) -> None:
        """Set parameters, all of which must be accepted."""
        for result in self.set(**values):
            assert result.successful, result.reason

    def change_state(self, label: str) -> bool:
        """Ask for a lifecycle transition; whether it succeeded."""
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request(transition=Transition(label=label))
        return self.call(ChangeState, "change_state", request).success

    def state(self) -> str:
        """The lifecycle state."""
        from lifecycle_msgs.srv import GetState

        return self.call(GetState, "get_state", GetState.Request()).current_state.label

    def close(self) -> None:
        """End the process, if it still runs, and stop listening."""
        if self.popen.poll() is None:
            self.stop()
        self.client.destroy_publisher(self._publisher)
        for entity in self._entities:
            self.client.destroy_subscription(entity)


@pytest.fixture(scope="module")
def start(client: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Starts perception nodes; they end with the module."""
    started: list[Perception] = []
    folder = tmp_path_factory.mktemp("nodes")

    def start_node(parameters: dict[str, Any]) -> Perception:
        stem = Path(request.node.name).stem
        started.append(Perception(client, f"{stem}_{len(started)}", parameters, folder))
        return started[-1]

    yield start_node
    for node in started:
        node.close()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Process]]:
    """Starts other programs of the package."""
    started: list[Process] = []
    folder = tmp_path_factory.mktemp("programs")

    def start_program(module: str, *arguments: str) -> Process:
        started.append(Process(module, list(arguments), folder / f"{len(started)}.log"))
        return started[-1]

    yield start_program
    for process in started:
        if process.popen.poll() is None:
            process.stop()


def thermal_image(shape: tuple[int, int] = (256, 320), seed: int = 0) -> np.ndarray:
    """A radiometric image, centikelvin, with warm blobs in a cool room."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    kelvin = 293 + 0.05 * rng.standard_normal(shape)
    for _ in range(4):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        kelvin += 14 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * (shape[0] / 12) ** 2))
    return np.rint(100 * kelvin).astype(np.uint16)


@pytest.fixture(scope="session")
def scene() -> Callable[..., np.ndarray]:
    """Makes radiometric images, see thermal_image."""
    return thermal_image
