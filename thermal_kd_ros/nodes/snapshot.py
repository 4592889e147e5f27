"""One image of a live topic, for looking at what a camera sends."""

from __future__ import annotations

import os
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from ..dds import remedy
from .run import start_ros

_TYPES: dict[str, type[Image | CompressedImage]] = {"sensor_msgs/msg/Image": Image,
                                                    "sensor_msgs/msg/CompressedImage": CompressedImage}

_DISCOVERY_S = 1.0


class TopicError(RuntimeError):
    """No image came; the message names the topic, what is there instead and what to do."""


def image_of(topic: str, timeout_s: float, index: int = 0) -> Image | CompressedImage:
    """The ``index``-th image, counted from 0, that arrives on ``topic``.

    Raises TopicError after ``timeout_s``, and ConfigError where ROS cannot start.
    """
    # A context of its own: the caller may use ROS for itself.
    context = rclpy.Context()
    start_ros([], context)
    executor = SingleThreadedExecutor(context=context)
    try:
        node = rclpy.create_node("thermal_inspect", context=context)
        executor.add_node(node)
        return _wait(node, executor, node.resolve_topic_name(topic), timeout_s, index)
    finally:
        executor.shutdown()
        rclpy.try_shutdown(context=context)


def _wait(node: Node, executor: SingleThreadedExecutor, topic: str, timeout_s: float, index: int
          ) -> Image | CompressedImage:
    deadline = time.monotonic() + timeout_s
    arrived: list[Image | CompressedImage] = []
    listening = False
    while len(arrived) <= index:
        types = dict(node.get_topic_names_and_types()).get(topic, [])
        kind = next((_TYPES[name] for name in types if name in _TYPES), None)
        if kind is not None and not listening:
            listening = True
            node.create_subscription(kind, topic, arrived.append, qos_profile_sensor_data)
        if types and kind is None:
            # A little later: the topics to offer instead may be discovered after this one.
            deadline = min(deadline, time.monotonic() + _DISCOVERY_S)
        if time.monotonic() > deadline:
            if types and kind is None:
                raise TopicError(f"{topic} carries {', '.join(types)}, which is no image; {_offers(node, topic)}")
            raise TopicError(_complaint(node, topic, timeout_s, len(arrived)))
        executor.spin_once(timeout_sec=0.05)
    return arrived[index]


def _complaint(node: Node, topic: str, timeout_s: float, count: int) -> str:
    publishers = node.count_publishers(topic)
    if count:
        return f"{topic}: only {count} images came within {timeout_s:g} s; choose a smaller --frame or a longer wait"
    if publishers:
        return (f"{topic}: no image came within {timeout_s:g} s, though {publishers} publish it: the camera hangs, or "
                f"its images are lost on the way. {remedy(os.environ)}")
    return f"nobody publishes {topic}, after {timeout_s:g} s; {_offers(node, topic)}"


def _offers(node: Node, topic: str) -> str:
    images = sorted(name for name, types in node.get_topic_names_and_types()
                    if name != topic and any(kind in _TYPES for kind in types) and node.count_publishers(name))
    return f"image topics here: {', '.join(images)}" if images else (
        "there is no image topic here: is the camera running, with the same ROS_DOMAIN_ID?")
