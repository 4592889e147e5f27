"""The simulated camera as a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy")


def test_it_publishes_images_with_their_calibration(program: Callable[..., Any], client: Any) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, Image

    from thermal_kd_ros.config import ThermalConfig
    from thermal_kd_ros.nodes.messages import seconds
    from thermal_kd_ros.stream import FrameReader

    images: list[Any] = []
    infos: list[Any] = []
    subscriptions = [client.create_subscription(Image, "/sim/image", images.append, qos_profile_sensor_data),
                     client.create_subscription(CameraInfo, "/sim/camera_info", infos.append, qos_profile_sensor_data)]
    parameters = {"scene": "yard", "width": 160, "height": 128, "rate_hz": 20, "unit": "centikelvin", "frame_id": "cam"}
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    process = program("thermal_kd_ros.nodes.simulated_camera", "--ros-args", "-r", "__ns:=/sim", *given)
    try:
        process.wait_log("scene 'yard', 160 x 128")
        import time

        deadline = time.monotonic() + 30
        while not (len(images) > 5 and len(infos) > 5) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(images) > 5
        stamps = {(i.header.stamp.sec, i.header.stamp.nanosec) for i in infos}
        image = next(i for i in images if (i.header.stamp.sec, i.header.stamp.nanosec) in stamps)
        assert (image.height, image.width, image.encoding, image.header.frame_id) == (128, 160, "mono16", "cam")
        info = infos[0]
        assert (info.height, info.width) == (128, 160) and info.k[0] > 0
        assert abs(info.k[2] - 79.5) < 3 and abs(info.k[5] - 63.5) < 3
        frame = FrameReader(ThermalConfig()).read(image.data, image.height, image.width, image.encoding, image.step,
                                                  bool(image.is_bigendian), seconds(image.header))
        assert frame.mode == "centikelvin"
        assert -60 < float(np.median(frame.celsius(frame.values))) < 60
    finally:
        for subscription in subscriptions:
            client.destroy_subscription(subscription)
    assert process.stop() == 0
    assert "Traceback" not in process.log()


def test_its_parameters_carry_the_fields_documentation() -> None:
    import dataclasses

    from thermal_kd_ros.nodes.simulated_camera import field_docs
    from thermal_kd_ros.simulation.config import SimulationConfig

    docs = field_docs(SimulationConfig)
    assert docs["rate_hz"] == "Frames per second."
    undocumented = {f.name for f in dataclasses.fields(SimulationConfig)} - set(docs)
    assert undocumented <= {"seed"}


@pytest.mark.parametrize(("arguments", "said"), [
    (("-p", "scene:=moon"), "unknown scene 'moon'"),
    (("-p", "seed:=-1"), "seed -1"),
    (("-p", "width:=640.5"), "parameter width"),
    (("-p", "netd_k:=.nan"), "netd_k nan"),
    (("-p", "width"), "'-p width'"),
    (("--params-file", "/nowhere/file.yaml"), "/nowhere/file.yaml"),
])
def test_a_wrong_value_is_refused_in_one_sentence(program: Callable[..., Any], arguments: tuple[str, str], said: str
                                                  ) -> None:
    process = program("thermal_kd_ros.nodes.simulated_camera", "--ros-args", *arguments)
    assert process.popen.wait(60) == 1
    assert said in process.log() and "Traceback" not in process.log()
