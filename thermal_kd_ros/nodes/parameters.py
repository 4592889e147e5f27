"""ROS parameters made from the configuration dataclasses: declarations, changes, the YAML file and the README's table.

``python3 -m thermal_kd_ros.nodes.parameters > config/perception.yaml`` writes the file,
``python3 -m thermal_kd_ros.nodes.parameters --markdown`` prints the table.
"""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .. import config as configuration
from ..config import ConfigError, NodeConfig, PerceptionConfig

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor
    from rclpy.node import Node
    from rclpy.parameter import Parameter

AT_START = ("auto_start",)
"""Parameters that are read once, when the node starts; ROS itself refuses to change them later."""

_SWITCH = {"on", "off"}
"""Texts that YAML, and with it all of ROS's tools, take for true and false."""

Configs = tuple[Any, ...]
"""Frozen configuration dataclasses whose parameter names do not overlap."""


def leaves(configs: Configs) -> Iterator[tuple[str, Any, dataclasses.Field[Any]]]:
    """All parameters of several configurations as (name, value, field)."""
    for config in configs:
        yield from configuration.parameters(config)


def when(name: str, item: dataclasses.Field[Any]) -> str:
    """When a parameter may be changed, in words."""
    if item.metadata["live"]:
        return "any time"
    return "at start" if name in AT_START else "while unconfigured"


def allowed(item: dataclasses.Field[Any]) -> str:
    """The allowed values in words; empty if any value of the type is."""
    bounds, choices = item.metadata["bounds"], item.metadata["choices"]
    if choices:
        return ", ".join(map(str, choices))
    return f"{bounds[0]:g} to {bounds[1]:g}" if bounds else ""


def descriptor(name: str, item: dataclasses.Field[Any]) -> ParameterDescriptor:
    """What ROS tools show of a parameter and what rclpy itself checks."""
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType

    kinds = {bool: ParameterType.PARAMETER_BOOL, int: ParameterType.PARAMETER_INTEGER,
             float: ParameterType.PARAMETER_DOUBLE, str: ParameterType.PARAMETER_STRING,
             tuple: ParameterType.PARAMETER_STRING_ARRAY}
    kind, bounds = type(item.default), item.metadata["bounds"]
    constraints = [f"change: {when(name, item)}"]
    if item.metadata["choices"]:
        constraints.insert(0, f"one of: {allowed(item)}")
    made = ParameterDescriptor(name=name, type=kinds[kind], description=item.metadata["doc"],
                               additional_constraints="; ".join(constraints), read_only=name in AT_START)
    # Else rclpy takes 1 for a float, [] for a list of strings, and YAML's off for a text to be of another type, and the
    # node does not start. The types are checked with the values, in `changes` and `merged`.
    made.dynamic_typing = kind in (float, tuple) or not _SWITCH.isdisjoint(item.metadata["choices"] or ())
    if bounds is not None and kind is float:
        made.floating_point_range = [FloatingPointRange(from_value=float(bounds[0]), to_value=float(bounds[1]))]
    elif bounds is not None and kind is int:
        made.integer_range = [IntegerRange(from_value=int(bounds[0]), to_value=int(bounds[1]), step=1)]
    return made


def declare(node: Node, *configs: Any) -> Configs:
    """Declare all parameters; the configurations with the values that were given on start. Raises ConfigError."""
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

    values: dict[str, Any] = {}
    for name, default, item in leaves(configs):
        try:
            declared = node.declare_parameter(name, _to_ros(default), descriptor(name, item))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ConfigError(f"parameter {name}: {error}") from None
        values[name] = declared.value
    return merged(configs, values)


def changes(configs: Configs, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The new values among ``parameters`` that belong to these configurations and differ from theirs.

    Raises ConfigError for one that is deleted, or switched where it takes a number.
    """
    known = {name: value for name, value, _ in leaves(configs)}
    asked = {}
    for parameter in parameters:
        name, value = parameter.name, parameter.value
        if name not in known:
            continue
        if parameter.type_ == parameter.Type.NOT_SET:
            raise ConfigError(f"{name} cannot be deleted: give it a value")
        # For Python True is 1, and would be taken for a number that has not changed.
        if isinstance(known[name], float) and isinstance(value, bool):
            raise ConfigError(f"{name}: must be a number, not {str(value).lower()}")
        asked[name] = _from_ros(value, known[name])
    return {name: value for name, value in asked.items() if value != known[name]}


def merged(configs: Configs, values: dict[str, Any]) -> Configs:
    """The configurations with new values by dotted name; raises ConfigError naming what is wrong."""
    result = []
    for config in configs:
        mine = {name: _from_ros(values[name], old) for name, old, _ in configuration.parameters(config)
                if name in values}
        result.append(configuration.with_values(config, mine))
    return tuple(result)


def fixed(configs: Configs, values: dict[str, Any]) -> list[str]:
    """Those of the names that cannot be changed while the node is configured."""
    return [name for name, _, item in leaves(configs) if name in values and not item.metadata["live"]]


def _to_ros(value: Any) -> Any:
    """ROS has no empty list of a type: one empty string stands for it."""
    return (list(value) or [""]) if isinstance(value, tuple) else value


def _from_ros(value: Any, like: Any) -> Any:
    if isinstance(like, tuple):
        # An empty list in a YAML file arrives as no value at all.
        entries = [] if value is None else value
        return tuple(v for v in entries if v != "") if not isinstance(entries, (str, int, float)) else entries
    if isinstance(like, str) and isinstance(value, bool):
        return "on" if value else "off"  # as YAML reads these words where they stand without quotes
    return float(value) if isinstance(like, float) and type(value) is int else value


def yaml_text(*configs: Any) -> str:
    """The parameter file with every default and what it means."""
    lines = ["# Every parameter of perception_node with its default. Generated from the dataclasses in config.py:",
             "#   python3 -m thermal_kd_ros.nodes.parameters > config/perception.yaml",
             "/**:", "  ros__parameters:"]
    group = ""
    for name, value, item in leaves(configs):
        head, _, leaf = name.rpartition(".")
        if head != group:
            group = head
            lines += [f"    {head}:"] if head else []
        indent = "      " if head else "    "
        limits = f" Allowed: {allowed(item)}." if allowed(item) else ""
        text = f"{item.metadata['doc']}{limits} Change: {when(name, item)}."
        lines += _wrapped(text, f"{indent}# ")
        lines.append(f"{indent}{leaf}: {_yaml_value(value)}")
    return "\n".join(lines) + "\n"


def _wrapped(text: str, prefix: str, width: int = 110) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=prefix, subsequent_indent=prefix)


def _yaml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{entry}"' for entry in _to_ros(value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def markdown_table(*configs: Any) -> str:
    """The parameters as the README shows them."""
    lines = ["| parameter | default | allowed | change | meaning |", "|---|---|---|---|---|"]
    for name, value, item in leaves(configs):
        default = _yaml_value(value)
        lines.append(f"| `{name}` | `{default}` | {allowed(item)} | {when(name, item)} | {item.metadata['doc']} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Print the parameter file, or the table."""
    parser = argparse.ArgumentParser(prog="python3 -m thermal_kd_ros.nodes.parameters",
                                     description="Print config/perception.yaml.")
    parser.add_argument("--markdown", action="store_true", help="print the README's table instead of the YAML file")
    make = markdown_table if parser.parse_args(arguments).markdown else yaml_text
    print(make(NodeConfig(), PerceptionConfig()), end="")


if __name__ == "__main__":
    main()
