"""A camera that publishes compressed images, over real middleware."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

EVERYTHING = {"detector.score_threshold": 0.0, "detector.max_detections": 5, "face.score_threshold": 0.0,
              "face.max_faces": 3, "face.min_size_px": 1.0, "face.min_landmark_confidence": 0.0}


def compressed(node: Any, pixels: np.ndarray, suffix: str, format: str) -> Any:
    """A compressed message with a stamp of its own."""
    from sensor_msgs.msg import CompressedImage

    message = CompressedImage(header=node.image(pixels).header, format=format)
    message.data = array.array("B", cv2.imencode(suffix, pixels)[1].tobytes())
    return message


@pytest.fixture(scope="module")
def node(start: Callable[[dict[str, Any]], Any], models: dict[str, str], scene: Callable[..., np.ndarray], client: Any
         ) -> Any:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage

    node = start({**models, **EVERYTHING, "max_age_s": 0, "diagnostics_period_s": 0.2})
    client.destroy_publisher(node._publisher)  # only compressed images, from the beginning
    node._publisher = client.create_publisher(CompressedImage, f"/{node.namespace}/image/compressed",
                                              qos_profile_sensor_data)
    node.wait_answering(compressed(node, scene(), ".png", "mono16; png compressed"))
    return node


def test_compressed_images_alone_are_read_with_the_same_contract(node: Any, scene: Callable[..., np.ndarray]) -> None:
    from thermal_kd_ros.reading import landmark_points

    message = compressed(node, scene(seed=2), ".png", "mono16; png compressed mono16")
    detections, landmarks = node.ask(message)
    assert detections.header == landmarks.header == message.header and detections.detections
    assert np.isfinite(landmark_points(landmarks)["temperature"]).any()
    values = node.report()
    assert (values["transport"], values["input"]) == ("compressed", "320 x 256 mono16")
    assert node.log().count("image/compressed is read") == 1


def test_damaged_and_crushed_images_are_dropped_counted_and_named(node: Any, scene: Callable[..., np.ndarray]) -> None:
    before = int(node.report()["dropped bad"])
    cut = compressed(node, scene(), ".png", "png")
    cut.data = cut.data[:1000]
    crushed = compressed(node, (scene() // 256).astype(np.uint8), ".jpg", "mono16; jpeg compressed mono8")
    for i, (message, said) in enumerate([(cut, "ends too early"), (crushed, "JPEG has 8 bits")]):
        node.publish(message)
        node.report(lambda d, n=before + i + 1: int(d["dropped bad"]) == n)
        assert said in node.log()
    assert f"/{node.namespace}/image/compressed: a frame is dropped" in node.log()
    node.ask(compressed(node, scene(), ".png", "mono16; png compressed"))


def test_raw_images_win_and_that_is_said_once(node: Any, client: Any, scene: Callable[..., np.ndarray]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    compressed_publisher = node._publisher
    node._publisher = client.create_publisher(Image, f"/{node.namespace}/image", qos_profile_sensor_data)
    node.report(lambda d: d["transport"] == "raw")
    node.ask(node.image(scene(seed=3)))
    assert compressed_publisher.get_subscription_count() == 0
    assert node.log().count("raw images are better") == 1
    client.destroy_publisher(node._publisher)
    node._publisher = compressed_publisher
    node.report(lambda d: d["transport"] == "compressed")
    node.ask(compressed(node, scene(seed=4), ".png", "mono16; png compressed"))


def test_compressed_can_be_asked_for(node: Any, client: Any, scene: Callable[..., np.ndarray]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    raw = client.create_publisher(Image, f"/{node.namespace}/image", qos_profile_sensor_data)
    try:
        assert node.change_state("deactivate") and node.change_state("cleanup")
        node.set_ok(transport="compressed")
        assert node.change_state("configure") and node.change_state("activate")
        node.wait_answering(compressed(node, scene(), ".png", "mono16; png compressed"))
        assert raw.get_subscription_count() == 0
        assert node.report()["transport"] == "compressed"
    finally:
        client.destroy_publisher(raw)


def test_a_missing_camera_info_is_told_once(node: Any, scene: Callable[..., np.ndarray]) -> None:
    for i in range(35):
        node.ask(compressed(node, scene(seed=i % 2), ".png", "mono16; png compressed"))
    assert node.log().count(f"no camera_info came on /{node.namespace}/camera_info") == 1
