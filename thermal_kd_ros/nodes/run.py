"""How a node of this package is started and stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node

from ..config import ConfigError
from ..dds import dds_environment


class Closeable(Protocol):
    """A node that has threads of its own to stop."""

    def close(self) -> None:
        """Stop them; called once, before the node is destroyed."""
        ...


def run_node(create: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Run a node until SIGINT or SIGTERM; the process's exit code: 1 if its parameters cannot be used, else 0."""
    # Before the middleware starts: a node started by itself shall not lose large images either.
    os.environ.update(dds_environment(os.environ))
    node: Node | None = None
    try:
        rclpy.init(args=None if arguments is None else list(arguments))
        node = create()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        # The two ways in which rclpy reports the request to stop.
        return 0
    except ConfigError as error:
        get_logger("thermal_kd_ros").error(f"{error}. Correct the parameter and start the node again")
        return 1
    finally:
        if node is not None:
            if hasattr(node, "close"):
                node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
