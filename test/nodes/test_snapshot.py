"""``inspect`` of live topics, over real middleware."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest

from thermal_kd_ros import __main__

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy")


@contextmanager
def published(client: Any, topic: str, message: Any, qos: Any) -> Iterator[None]:
    """Somebody publishes the message on the topic ten times a second."""
    publisher = client.create_publisher(type(message), topic, qos)
    done = threading.Event()

    def publish() -> None:
        while not done.wait(0.1):
            publisher.publish(message)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        client.destroy_publisher(publisher)


def inspect(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = __main__.main(["inspect", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out + said.err


def refused(capsys: pytest.CaptureFixture[str], topic: str, *, until: str) -> str:
    """What ``inspect`` says of a topic without images. How long a new participant takes to discover the others depends
    on the machine's load: shorter patience first, longer while ``until`` is not said.
    """
    for patience_s in ("3", "10", "30"):
        code, said = inspect(capsys, topic, "--timeout", patience_s)
        assert code == 1
        if until in said:
            break
    return said


def test_raw_and_compressed_topics_are_described(client: Any, scene: Callable[..., np.ndarray],
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage
    from std_msgs.msg import Header

    from thermal_kd_ros.nodes.messages import image_message

    raw = image_message(Header(), scene(), "mono16")
    with published(client, "/inspected/image", raw, qos_profile_sensor_data):
        code, said = inspect(capsys, "/inspected/image", "--timeout", "30", "--frame", "2")
    assert code == 0 and "320 x 256, mono16" in said and "centikelvin" in said and "median 2" in said
    packed = CompressedImage(format="16UC1; png compressed 16UC1")
    packed.data = array.array("B", cv2.imencode(".png", scene())[1].tobytes())
    # A reliable publisher, and a name relative to the root.
    with published(client, "/inspected/image/compressed", packed, 5):
        code, said = inspect(capsys, "inspected/image/compressed", "--timeout", "30")
    assert code == 0 and "320 x 256, 16UC1" in said and "centikelvin" in said


def test_a_topic_without_images_is_told_with_those_that_have_some(client: Any, scene: Callable[..., np.ndarray],
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import Header, String

    from thermal_kd_ros.nodes.messages import image_message

    raw = image_message(Header(), scene(), "mono16")
    silent = client.create_publisher(type(raw), "/inspected/silent", qos_profile_sensor_data)
    with published(client, "/inspected/there", raw, qos_profile_sensor_data), \
            published(client, "/inspected/words", String(data="no image"), 1):
        said = refused(capsys, "/inspected/absent", until="/inspected/there")
        assert "nobody publishes /inspected/absent" in said and "/inspected/there" in said and "no such file" in said
        said = refused(capsys, "/inspected/words", until="/inspected/there")
        assert "std_msgs/msg/String" in said and "/inspected/there" in said
        assert "no image came" in refused(capsys, "/inspected/silent", until="no image came")
    client.destroy_publisher(silent)


def test_an_image_that_is_no_thermal_one_is_named(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import Header

    from thermal_kd_ros.nodes.messages import image_message

    bayer = image_message(Header(), np.zeros((8, 8), np.uint8), "bayer_rggb8")
    with published(client, "/inspected/bayer", bayer, qos_profile_sensor_data):
        code, said = inspect(capsys, "/inspected/bayer", "--timeout", "30")
    assert code == 1 and "bayer_rggb8" in said and "mono16" in said


@pytest.mark.parametrize("door", ["inspect", "client"])
def test_a_domain_that_is_no_number_is_told_in_a_sentence(door: str, monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    from thermal_kd_ros.config import ConfigError
    from thermal_kd_ros.nodes.client import Client

    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    said = "ROS_DOMAIN_ID is not an integral number"
    if door == "inspect":
        code, words = inspect(capsys, "/nowhere/image")
        assert code == 1 and said in words and words.count("\n") == 1 and "domain_id.c" not in words
    else:
        with pytest.raises(ConfigError, match=said):
            Client("nobody", "/nowhere")
