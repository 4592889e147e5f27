"""The robot's parameter file for doors without ROS: what is measured then is what the robot runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .config import ConfigError, NodeConfig, PerceptionConfig, parameters
from .nodes.parameters import merged
from .spelling import meant

_NODE = "perception_node"
_BEGIN = "ros__parameters"


def read_parameters(path: Path) -> dict[str, Any]:
    """The pipeline's parameters {dotted name: value} in a ROS parameter file, for the node of this package.

    Sections of the node, in whatever namespace, and of all nodes (``/**``) count, those further down more; the
    node's own values (topics, rates) are checked and left out, and what resembles no parameter is passed over. Raises
    ConfigError.
    """
    values = values_in(path)
    configs = NodeConfig(), PerceptionConfig()
    known = [name for config in configs for name, _, _ in parameters(config)]
    for name in values.keys() - set(known):
        # What resembles none is another node's, with which the file is shared, or ROS's own.
        if near := meant(name, known):
            raise ConfigError(f"{path}: there is no parameter {name}: is {near} meant?")
    try:
        _, perception = merged(configs, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return {name: value for name, value, _ in parameters(perception) if name in values}


def values_in(path: Path) -> dict[str, Any]:
    """What a ROS parameter file says for the node {dotted name: value}, unchecked; raises ConfigError."""
    import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); give a file of ROS "
                          "parameters") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no YAML ({' '.join(str(error).split())}); mend it") from None
    sections = list(_sections(content)) if isinstance(content, dict) else []
    if not sections:
        raise ConfigError(f"{path}: has no parameters under /**: or {_NODE}:, then {_BEGIN}:; config/perception.yaml "
                          "shows how")
    values: dict[str, Any] = {}
    for section in sections:
        values |= dict(_leaves(section, ""))
    return values


def _sections(tree: Mapping[Any, Any], name: str = "") -> Iterator[Mapping[Any, Any]]:
    """The parameters of the node below names of nodes and namespaces."""
    for key, value in tree.items():
        if not isinstance(value, dict):
            continue
        if key == _BEGIN:
            if name.rpartition("/")[2] in ("**", "*", _NODE):
                yield value
        else:
            yield from _sections(value, f"{name}/{key}")


def _leaves(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
