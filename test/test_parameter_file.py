"""Parameter files of a robot, read without ROS."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from thermal_kd_ros.config import ConfigError, PerceptionConfig, parameters, with_values
from thermal_kd_ros.parameter_file import read_parameters


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "robot.yaml"


def test_the_shipped_file_holds_every_default(repository: Path) -> None:
    read = read_parameters(repository / "config" / "perception.yaml")
    assert read == {name: value for name, value, _ in parameters(PerceptionConfig())}


@pytest.mark.parametrize("section", ["/**:", "perception_node:", "/front/perception_node:", "/front/*:",
                                     "/**/perception_node:"])
def test_sections_of_the_node_count(file: Path, section: str) -> None:
    file.write_text(f"{section}\n  ros__parameters:\n    detector: {{score_threshold: 1}}\n    max_age_s: 2\n")
    read = read_parameters(file)
    assert read == {"detector.score_threshold": 1.0} and isinstance(read["detector.score_threshold"], float)


def test_names_may_be_nested_or_dotted_and_later_sections_win(file: Path) -> None:
    file.write_text(yaml.safe_dump({
        "/**": {"ros__parameters": {"detector.score_threshold": 0.4, "engine": {"device_path": False},
                                    "use_sim_time": True, "frame_rate": 9}},
        "front": {"perception_node": {"ros__parameters": {"detector": {"score_threshold": 0.5,
                                                                       "class_thresholds": ["dog=1.0"]}}}},
        "camera_driver": {"ros__parameters": {"gain": 3}}}, sort_keys=False))
    assert read_parameters(file) == {"detector.score_threshold": 0.5, "detector.class_thresholds": ("dog=1.0",),
                                     "engine.device_path": "off"}
    with_values(PerceptionConfig(), read_parameters(file))


@pytest.mark.parametrize(("text", "words"), [
    ("/**:\n  ros__parameters:\n    detector: {score_treshold: 0.4}\n", "is detector.score_threshold meant"),
    ("/**:\n  ros__parameters:\n    detector: {score_threshold: 4.0}\n", "must lie in"),
    ("/**:\n  ros__parameters:\n    max_age_s: soon\n", "max_age_s"),
    ("/**:\n  ros__parameters:\n    detector: {model: 5}\n", "must be of type str"),
    ("detector: {score_threshold: 0.4}\n", "no parameters under"),
    ("camera_driver:\n  ros__parameters:\n    gain: 3\n", "no parameters under"),
    ("[1, 2\n", "is no YAML"), ("", "no parameters under"), ("!!python/object:os.system {}", "is no YAML"),
])
def test_what_cannot_be_used_is_named(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as error:
        read_parameters(file)
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("absent", "binary", "."):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_parameters(tmp_path / name)
