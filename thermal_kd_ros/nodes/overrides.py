"""Parameters that were given on start and that no node takes: ROS passes over them without a word."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own
from rclpy.node import Node

from ..spelling import meant

FILE_OPTION = "--params-file"
"""How ROS is given a file of parameters, also by launch files."""
OTHERS = ("use_sim_time", "start_type_description_service", "qos_overrides./parameter_events.", "qos_overrides./clock.",
          "qos_overrides./rosout.")
"""Beginnings of the names that ROS itself takes, on some distributions without declaring them."""


def warn_of_overrides(node: Node) -> None:
    """Log ``complaints`` of a node."""
    for complaint in complaints(node):
        node.get_logger().warning(complaint)


def complaints(node: Node, arguments: Sequence[str] | None = None) -> list[str]:
    """What was given on start and has no effect, a sentence each; to be called when all parameters are declared.

    Names of other nodes may stand in a file that several share (``/**``), so this is told, not refused.

    Args:
        node: with its parameters declared.
        arguments: of the process; None: ``sys.argv``.
    """
    given: Mapping[str, Any] = getattr(node, "_parameter_overrides", {})  # rclpy shows them nowhere else
    known = sorted(node.get_parameters_by_prefix(""))
    said = []
    for name in given:
        if name not in known and not name.startswith(OTHERS):
            near = meant(name, known)
            hint = f": is {near} meant?" if near else ""
            if name.startswith("qos_overrides."):
                hint = ": reliable_input says how images are subscribed" if "reliable_input" in known else ""
            said.append(f"parameter {name} is none of this node and changes nothing{hint}")
    for path in _files(sys.argv if arguments is None else arguments):
        names = _names(path)
        if names is None or names and not given.keys() & names:
            said.append(f"parameter file {path} changes nothing here: it needs parameters under "
                        f"/**: or {node.get_fully_qualified_name()}:, then ros__parameters:")
    return said


def _files(arguments: Sequence[str]) -> list[Path]:
    return [Path(path) for option, path in zip(arguments, arguments[1:], strict=False) if option == FILE_OPTION]


def _names(path: Path) -> set[str] | None:
    """All dotted parameter names in a file, whatever nodes they are for; None of one that holds no parameters at all.

    Empty for an empty list of parameters, as launch files write it where there is nothing to give.
    """
    try:
        # Names alone matter, and launch_ros writes lists as tuples of Python, which the safe loader refuses; this one
        # makes texts of everything.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    if not isinstance(content, dict):
        return None
    return set(_leaves(content)) or (set() if _begins(content) else None)


def _begins(tree: Mapping[Any, Any]) -> bool:
    """Whether some level begins parameters."""
    return any(key == "ros__parameters" or isinstance(value, dict) and _begins(value) for key, value in tree.items())


def _leaves(tree: Mapping[Any, Any], inside: bool = False, prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if not inside:
            # Names of nodes and namespaces, up to the level that begins the parameters.
            if isinstance(value, dict):
                yield from _leaves(value, key == "ros__parameters")
        elif isinstance(value, dict):
            yield from _leaves(value, True, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
