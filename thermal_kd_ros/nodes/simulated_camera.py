"""simulated_camera: a node that publishes the simulated thermal camera, for everyone who has none at hand."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import textwrap
import time
from collections.abc import Sequence

import numpy as np
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ..config import ConfigError
from ..simulation.camera import SimulatedCamera
from ..simulation.config import SimulationConfig
from .messages import image_message
from .overrides import warn_of_overrides
from .run import run_node


class SimulatedCameraNode(Node):
    """Publishes ``image`` and ``camera_info``; its parameters are the fields of SimulationConfig.

    Where the machine is too slow for the rate, frames are left out, so that the scene keeps its pace.
    """

    def __init__(self, name: str = "simulated_camera") -> None:
        super().__init__(name)
        self._config = self._declare_config()
        self._frame_id: str = self._declare("frame_id", "thermal_camera_optical_frame", "Frame of the images' headers.")
        reliable: bool = self._declare("reliable", False, "Publish reliably instead of best effort (sensor data).")
        warn_of_overrides(self)
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=reliability)
        self._images = self.create_publisher(Image, "image", qos)
        self._infos = self.create_publisher(CameraInfo, "camera_info", qos)
        self._camera = SimulatedCamera(self._config)
        self._began = time.monotonic()
        self._index = -1
        self._skipped = 0
        self.create_timer(1.0 / self._config.rate_hz, self._publish)
        self.get_logger().info(f"scene '{self._config.scene}', {self._config.width} x {self._config.height}, "
                               f"{self._config.unit}, {self._config.rate_hz:g} Hz on {self._images.topic_name}")

    def _declare(self, name: str, default, doc: str):  # type: ignore[no-untyped-def]  # any ROS type in and out
        # A whole number is a good value for a real one; the values are checked together, by SimulationConfig.
        read_only = ParameterDescriptor(description=doc, read_only=True, dynamic_typing=isinstance(default, float))
        try:
            value = self.declare_parameter(name, default, read_only).value
        except InvalidParameterTypeException as error:
            raise ConfigError(f"parameter {name}: {error}") from None
        value = float(value) if isinstance(default, float) and type(value) is int else value
        if type(value) is not type(default):
            raise ConfigError(f"parameter {name} = {value!r}: must be of type {type(default).__name__}")
        return value

    def _declare_config(self) -> SimulationConfig:
        docs = field_docs(SimulationConfig)
        values = {item.name: self._declare(item.name, item.default, docs.get(item.name, ""))
                  for item in dataclasses.fields(SimulationConfig)}
        try:
            return SimulationConfig(**values)
        except ValueError as error:
            raise ConfigError(f"simulated camera: {error}") from None

    def _publish(self) -> None:
        due = int((time.monotonic() - self._began) * self._config.rate_hz)
        self._skipped += max(0, due - self._index - 1)
        self._index = max(due, self._index + 1)
        frame = self._camera.frame(self._index)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._images.publish(image_message(header, frame.image, frame.encoding))
        self._infos.publish(camera_info_message(header, frame.k, *frame.image.shape))
        if self._skipped > self._index // 2 > 50:
            self.get_logger().warning("this machine draws fewer than half of the frames; a lower rate_hz or a smaller "
                                      "image would be even", once=True)


def camera_info_message(header: Header, k: np.ndarray, height: int, width: int) -> CameraInfo:
    """An undistorted pinhole camera from its matrix (3, 3) for continuous pixels."""
    # ROS counts from the centre of the top-left pixel, not from its corner.
    matrix = k.copy()
    matrix[:2, 2] -= 0.5
    info = CameraInfo(header=header, height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = matrix.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.column_stack([matrix, np.zeros(3)]).ravel()
    return info


def field_docs(config: type) -> dict[str, str]:
    """The string below each field of a dataclass."""
    body = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for item, below in zip(body.body, body.body[1:], strict=False):
        if (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)):
            docs[item.target.id] = " ".join(below.value.value.split())
    return docs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit code."""
    return run_node(SimulatedCameraNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
