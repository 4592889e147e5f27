"""Parameters that nobody takes are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy")

from thermal_kd_ros.config import NodeConfig, PerceptionConfig  # noqa: E402
from thermal_kd_ros.nodes import parameters  # noqa: E402
from thermal_kd_ros.nodes.overrides import complaints  # noqa: E402


@pytest.fixture
def told(own_node: Callable[..., Any]) -> Callable[..., list[str]]:
    """Complaints of a node that was started with these arguments."""
    def start(*arguments: str) -> list[str]:
        node = own_node("perception_node", *arguments)
        parameters.declare(node, NodeConfig(), PerceptionConfig())
        return complaints(node, arguments)

    return start


def test_what_the_node_takes_is_not_complained_about(told, repository: Path) -> None:
    shipped = str(repository / "config" / "perception.yaml")
    assert told() == [] and told("--params-file", shipped) == []
    assert told("-p", "face.enabled:=false", "-p", "use_sim_time:=true",
                "-p", "qos_overrides./clock.subscription.depth:=3") == []


def test_who_overrides_a_quality_of_service_is_told_how_it_is_set(told) -> None:
    (complaint,) = told("-p", "qos_overrides./image.subscription.reliability:=reliable")
    assert "changes nothing: reliable_input" in complaint


def test_an_empty_list_of_parameters_is_none_too_few(told, tmp_path: Path) -> None:
    """Launch files write it where no argument changes anything."""
    file = tmp_path / "launch.yaml"
    file.write_text("/perception_node:\n  ros__parameters: {}\n")
    assert told("--params-file", str(file)) == []


def test_lists_as_launch_files_write_them_are_parameters(told, tmp_path: Path) -> None:
    file = tmp_path / "launch.yaml"
    file.write_text("/perception_node:\n  ros__parameters:\n    cameras: !!python/tuple\n    - front\n    - rear\n")
    assert told("--params-file", str(file)) == []


@pytest.mark.parametrize("given", ["correction.stripes:=off", "engine.device_path:=off", "engine.device_path:=on"])
def test_a_switch_in_words_starts_the_node(own_node: Callable[..., Any], tmp_path: Path, given: str) -> None:
    name, _, word = given.partition(":=")
    group, _, leaf = name.partition(".")
    file = tmp_path / "words.yaml"
    file.write_text(f"/**:\n  ros__parameters:\n    {group}:\n      {leaf}: {word}\n")
    for arguments in (("-p", given), ("--params-file", str(file))):
        node = own_node("perception_node", *arguments)
        _, config = parameters.declare(node, NodeConfig(), PerceptionConfig())
        assert getattr(getattr(config, group), leaf) == word


def test_a_misspelt_parameter_is_told_with_the_one_that_is_meant(told, tmp_path: Path) -> None:
    (complaint,) = told("-p", "detector.score_treshold:=0.9")
    assert "detector.score_treshold" in complaint and "is detector.score_threshold meant?" in complaint
    (complaint,) = told("-p", "zzz:=1")
    assert complaint == "parameter zzz is none of this node and changes nothing"
    file = tmp_path / "shared.yaml"
    file.write_text("/**:\n  ros__parameters:\n    face: {enable: false}\n    max_rate_hz: 5.0\n")
    (complaint,) = told("--params-file", str(file))
    assert "face.enable " in complaint and "is face.enabled meant?" in complaint


@pytest.mark.parametrize("text", ["perception:\n  ros__parameters:\n    max_rate_hz: 5.0\n",
                                  "/robot:\n  perception_node:\n    ros__parameters:\n      max_rate_hz: 5.0\n"])
def test_a_file_for_other_nodes_alone_is_told(told, tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    (complaint,) = told("--params-file", str(file))
    assert str(file) in complaint and "/perception_node:" in complaint
    # Parameters from elsewhere do not hide it.
    assert len(told("--params-file", str(file), "-p", "face.enabled:=false")) == 1
