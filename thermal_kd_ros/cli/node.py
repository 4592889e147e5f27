"""Start perception_node; everything after ``node`` goes to ROS, e.g. ``node --ros-args -r image:=/thermal/image``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

HELP = "start the ROS 2 node"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only for the help text: the arguments belong to ROS."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments of ROS")


def run(args: argparse.Namespace) -> int:
    """Start the node."""
    return start(args.arguments)


def start(arguments: Sequence[str]) -> int:
    """Run the node with ROS arguments until it is stopped; its exit code, or 1 where ROS is missing."""
    try:
        import rclpy  # noqa: F401
        import vision_msgs.msg  # noqa: F401
    except ImportError as error:
        print(missing_ros(error), file=sys.stderr)
        return 1
    from ..nodes import perception

    # rclpy takes the whole command line, whose first word is the program.
    return perception.main([sys.argv[0], *arguments])


def missing_ros(error: ImportError) -> str:
    """What to do where ROS cannot be imported."""
    return (f"error: ROS 2 cannot be imported ({error}). Source a distribution (source /opt/ros/<name>/setup.bash) and "
            "install ros-<name>-vision-msgs, or run 'make setup' in the checkout and use .venv/bin/python")
