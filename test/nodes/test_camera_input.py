"""Which topics a camera reads, after remapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("vision_msgs")

import rclpy  # noqa: E402
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from thermal_kd_ros.config import NodeConfig  # noqa: E402
from thermal_kd_ros.nodes.camera_input import CameraInput  # noqa: E402


@pytest.fixture
def node_with(own_node: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a node with remappings."""
    return lambda *rules: own_node("remapped", *(part for rule in rules for part in ("-r", rule)))


def subscribed(node: Any) -> set[str]:
    """The topics that the node itself reads."""
    return {subscription.topic_name for subscription in node.subscriptions} - {"/parameter_events"}


def test_swapped_topics_are_swapped_once(node_with: Callable[..., Any]) -> None:
    swap = [f"{one}/{topic}:={other}/{topic}" for one, other in (("front", "rear"), ("rear", "front"))
            for topic in ("image", "camera_info")]
    node = node_with(*swap)
    camera = CameraInput(node, NodeConfig(transport="raw"), lambda message: None, "front/")
    assert subscribed(node) == {"/rear/image", "/rear/camera_info"}
    assert camera.topic == "/rear/image"
    camera.destroy()
    assert subscribed(node) == set()


@pytest.mark.parametrize(("rules", "topic"), [
    ((), "/image/compressed"),
    (("image:=/camera/image_raw",), "/camera/image_raw/compressed"),
    (("image:=/camera/image_raw", "image/compressed:=/camera/small"), "/camera/small"),
])
def test_compressed_images_follow_the_raw_ones_unless_remapped_by_themselves(
        node_with: Callable[..., Any], rules: tuple[str, ...], topic: str) -> None:
    node = node_with(*rules)
    camera = CameraInput(node, NodeConfig(transport="compressed"), lambda message: None)
    assert camera.topic == topic and topic in subscribed(node)
    camera.destroy()


def test_raw_images_that_cannot_come_take_no_place(node_with: Callable[..., Any], own_node: Callable[..., Any],
                                                   eventually: Callable[..., Any]) -> None:
    node = node_with()
    driver = rclpy.create_node("driver", context=node.context)
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    driver.create_publisher(CompressedImage, "image/compressed", 1)
    camera = CameraInput(node, NodeConfig(transport="auto", reliable_input=True), lambda message: None)
    eventually(lambda: node.count_publishers("/image/compressed"), "the compressed images")
    for _ in range(3):
        camera._choose()
    assert camera.transport == "compressed"
    driver.create_publisher(Image, "image", best_effort)
    eventually(lambda: node.count_publishers("/image"), "the raw images")
    camera._choose()
    assert camera.transport == "compressed"
    event = type("Event", (), {"last_policy_kind": QoSPolicyKind.RELIABILITY})()
    camera._on_incompatible(Image, event)
    assert camera.incompatible == ""  # they are not what is read
    camera._on_incompatible(CompressedImage, event)
    assert camera.incompatible.startswith("/image/compressed: ")
    camera._on_image(CompressedImage())
    assert camera.incompatible == ""
    driver.create_publisher(Image, "image", 1)
    eventually(lambda: node.count_publishers("/image") == 2, "reliable raw images")
    camera._choose()
    assert camera.transport == "raw" and camera.incompatible.startswith("/image: ")
    camera.destroy()
    driver.destroy_node()


@pytest.mark.parametrize(("rule", "kind", "said"), [
    ("image:=/cam/image/compressed", CompressedImage, "remap to /cam/image,"),
    ("image:=/cam/info", CameraInfo, "remap to a topic of images"),
])
def test_a_topic_of_another_type_is_told(node_with: Callable[..., Any], own_node: Callable[..., Any],
                                         eventually: Callable[..., Any], rule: str, kind: type, said: str) -> None:
    node = node_with(rule)
    topic = rule.partition(":=")[2]
    camera = CameraInput(node, NodeConfig(), lambda message: None)
    assert camera.check(0.0, NodeConfig()) is None
    own_node("driver").create_publisher(kind, topic, 1)
    complaint = eventually(lambda: camera.check(0.0, NodeConfig()), "a complaint")
    assert complaint.kind == "foreign" and complaint.nothing_came
    assert complaint.text.startswith(f"{topic} carries sensor_msgs/msg/{kind.__name__}, not sensor_msgs/msg/Image")
    assert said in complaint.text
    # With images beside it nothing is wrong.
    own_node("camera").create_publisher(Image, topic, 1)
    eventually(lambda: camera.check(0.0, NodeConfig()) is None, "no complaint")
    camera.destroy()


def test_what_cannot_be_opened_leaves_nothing_open(node_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
                                                   ) -> None:
    node = node_with()
    create = node.create_subscription

    def refuse_info(kind: type, *given: Any, **more: Any) -> Any:
        if kind is CameraInfo:
            raise RuntimeError("no more memory")
        return create(kind, *given, **more)

    monkeypatch.setattr(node, "create_subscription", refuse_info)
    with pytest.raises(RuntimeError, match="no more memory"):
        CameraInput(node, NodeConfig(transport="auto"), lambda message: None)
    assert subscribed(node) == set() and not list(node.timers)
