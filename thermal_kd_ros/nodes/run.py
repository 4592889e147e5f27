"""How a node of this package is started and stopped."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from ..config import ConfigError
from ..dds import dds_environment

_REQUESTS = (signal.SIGINT, signal.SIGTERM)
_LISTEN_S = 0.2
"""A signal that arrives while the middleware waits is noticed after so long."""


class Stopped(BaseException):
    """The process was asked to end.

    Not KeyboardInterrupt: where that passes through exec, as in many imports, Python ends by SIGINT though somebody
    caught it.
    """


class StopRequest:
    """Turns SIGINT and SIGTERM into Stopped in the main thread, once.

    rclpy's own handlers end the context at once, and everything that still runs fails with an error; here the node
    stops in order, with its context alive.
    """

    def __init__(self) -> None:
        self.made = False
        for request in _REQUESTS:
            signal.signal(request, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.made:
            self.made = True
            raise Stopped

    def done(self) -> None:
        """Nothing is left to be stopped.

        The terminal, ros2 launch and systemd may ask several times. As Python ends it would give signals back their
        default, which kills, but leaves alone those that are ignored.
        """
        for request in _REQUESTS:
            signal.signal(request, signal.SIG_IGN)


def reason_of(error: Exception) -> str:
    """What ROS finds wrong, in one line, without where in its own source that was found."""
    return str(error).partition("\n")[0].partition(", at ")[0].rstrip(":")


def start_ros(arguments: Sequence[str] | None, context: rclpy.Context | None = None) -> None:
    """Start ROS in this process; raises ConfigError for arguments or an environment that ROS cannot use.

    ``context`` is one of the caller's own, where the process may use ROS for something else.
    """
    try:
        rclpy.init(args=None if arguments is None else list(arguments), context=context,
                   signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise ConfigError(reason_of(error)) from None


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises ConfigError for arguments, after the program's name, that are not ROS's: the node has none of its own."""
    left = remove_ros_args(list(arguments))[1:]
    if left:
        raise ConfigError(f"{' '.join(left)}: the node takes only arguments of ROS, which come after --ros-args, as in "
                          "--ros-args -r image:=/camera/image -p name:=value")


def run_node(create: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Run a node until SIGINT or SIGTERM; the exit code: 1 if its arguments or parameters cannot be used, else 0."""
    # Before the middleware starts: a node started by itself shall not lose large images either.
    os.environ.update(dds_environment(os.environ))
    node: Node | None = None
    stop: StopRequest | None = None
    try:
        stop = StopRequest()
        start_ros(arguments)
        check_arguments(sys.argv if arguments is None else arguments)
        node = create()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        # The flag too, because an exception raised inside a destructor is lost.
        while rclpy.ok() and not stop.made:
            executor.spin_once(timeout_sec=_LISTEN_S)
    except Stopped:
        return 0
    except ConfigError as error:
        get_logger("thermal_kd_ros").error(f"{error}. Correct that and start the node again")
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        if stop is not None:
            stop.done()
    return 0
