"""A ROS node in the background of a program that plays images to other nodes and listens to them."""

from __future__ import annotations

import threading

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from .run import start_ros

CAMERA_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
"""As camera drivers publish."""


class Client:
    """A node with a context of its own, since the caller may use ROS for itself.

    Make publishers and subscriptions of ``node``, then ``start``; ``close`` when done. Raises ConfigError where ROS
    cannot start.
    """

    def __init__(self, name: str, namespace: str) -> None:
        self._context = rclpy.Context()
        start_ros([], self._context)
        self.node = rclpy.create_node(name, namespace=namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)

    def start(self) -> None:
        """Listen."""
        self._executor.add_node(self.node)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and leave ROS."""
        self._executor.shutdown()
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
