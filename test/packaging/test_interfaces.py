"""The vision_msgs in use speak the same wire format as those on other robots."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

# The first eight bytes of each type hash (RIHS01) of vision_msgs 4.1.1.
HASHES = {
    "Point2D": "eab0e83f44ab4de9",
    "Pose2D": "b0b5d1d7b4c20dd4",
    "BoundingBox2D": "008eacbb0cf8f26e",
    "ObjectHypothesis": "51da43cec11c0195",
    "ObjectHypothesisWithPose": "41c12344c0396c48",
    "Detection2D": "0d12b69df5c593b3",
    "Detection2DArray": "214274120007f4a6",
    "VisionClass": "1e4a11f0fed50b56",
    "LabelInfo": "3d37df4015cdf660",
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
    message = getattr(importlib.import_module("vision_msgs.msg"), name)
    topic = f"type_hash_of_{name}"
    publisher = node.create_publisher(message, topic, 1)
    deadline = time.monotonic() + 20.0
    while not (found := node.get_publishers_info_by_topic(topic)) and time.monotonic() < deadline:
        time.sleep(0.05)
    node.destroy_publisher(publisher)
    assert found, f"the publisher of {name} did not appear in the graph"
    if not hasattr(found[0], "topic_type_hash"):
        pytest.skip("this ROS distribution has no type hashes")
    assert found[0].topic_type == f"vision_msgs/msg/{name}"
    assert bytes(found[0].topic_type_hash.value).hex().startswith(HASHES[name])


def test_generated_descriptions_have_the_same_hashes() -> None:
    """The description files next to the generated code agree with what is announced."""
    folder = Path(sys.prefix, "share", "vision_msgs", "msg")
    if not folder.is_dir():
        pytest.skip(f"vision_msgs was not generated into this environment ({folder})")
    for name, prefix in HASHES.items():
        description = json.loads((folder / f"{name}.json").read_text())
        hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
        assert hashes[f"vision_msgs/msg/{name}"].startswith(f"RIHS01_{prefix}"), name


def test_definitions_are_complete(repository: Path) -> None:
    """Every checked message has a definition, and there is no definition that nothing checks."""
    assert {path.stem for path in (repository / "tools" / "vision_msgs" / "msg").glob("*.msg")} == set(HASHES)
