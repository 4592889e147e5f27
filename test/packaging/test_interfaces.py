"""The messages in use speak the same wire format as those on other robots."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

# The first eight bytes of each type hash (RIHS01) of vision_msgs 4.1.1, hri_msgs 2.0.0 and tf2_msgs.
HASHES = {
    "vision_msgs/Point2D": "eab0e83f44ab4de9",
    "vision_msgs/Pose2D": "b0b5d1d7b4c20dd4",
    "vision_msgs/BoundingBox2D": "008eacbb0cf8f26e",
    "vision_msgs/ObjectHypothesis": "51da43cec11c0195",
    "vision_msgs/ObjectHypothesisWithPose": "41c12344c0396c48",
    "vision_msgs/Detection2D": "0d12b69df5c593b3",
    "vision_msgs/Detection2DArray": "214274120007f4a6",
    "vision_msgs/VisionClass": "1e4a11f0fed50b56",
    "vision_msgs/LabelInfo": "3d37df4015cdf660",
    "hri_msgs/IdsList": "7e0812d1ac945c98",
    "hri_msgs/NormalizedRegionOfInterest2D": "2e50c93f1ca166ee",
    "hri_msgs/NormalizedPointOfInterest2D": "cc1d2f720c82afeb",
    "hri_msgs/FacialLandmarks": "f1d6b0ba159f4d6b",
    "tf2_msgs/TFMessage": "e369d0f05a23ae52",
}


@pytest.fixture(scope="module")
def node():
    """A node to publish from."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("interface_test", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("name", HASHES)
def test_announced_type_hash(node, name: str) -> None:
    """The hash with which a real publisher announces itself, as other nodes see it in the graph."""
    package, _, kind = name.partition("/")
    message = getattr(pytest.importorskip(f"{package}.msg"), kind)
    topic = f"type_hash_of_{kind}"
    publisher = node.create_publisher(message, topic, 1)
    deadline = time.monotonic() + 20.0
    while not (found := node.get_publishers_info_by_topic(topic)) and time.monotonic() < deadline:
        time.sleep(0.05)
    node.destroy_publisher(publisher)
    assert found, f"the publisher of {name} did not appear in the graph"
    if not hasattr(found[0], "topic_type_hash"):
        pytest.skip("this ROS distribution has no type hashes")
    assert found[0].topic_type == f"{package}/msg/{kind}"
    assert bytes(found[0].topic_type_hash.value).hex().startswith(HASHES[name])


@pytest.mark.parametrize("name", HASHES)
def test_generated_descriptions_have_the_same_hashes(name: str) -> None:
    """The description files next to the generated code agree with what is announced."""
    package, _, kind = name.partition("/")
    file = Path(sys.prefix, "share", package, "msg", f"{kind}.json")
    if not file.parent.is_dir():
        pytest.skip(f"{package} was not generated into this environment ({file.parent})")
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(file.read_text())["type_hashes"]}
    assert hashes[f"{package}/msg/{kind}"].startswith(f"RIHS01_{HASHES[name]}")


def test_definitions_are_complete(repository: Path) -> None:
    """Every checked message has a definition, and there is no definition that nothing checks."""
    found = {f"{path.parts[-3]}/{path.stem}" for path in (repository / "tools").glob("*/msg/*.msg")}
    assert found == set(HASHES)
