"""Parameters made from the configuration, and the files that show them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from thermal_kd_ros.config import ConfigError, NodeConfig, PerceptionConfig
from thermal_kd_ros.nodes.parameters import AT_START, changes, fixed, leaves, markdown_table, merged, yaml_text

CONFIGS = (NodeConfig(), PerceptionConfig())


def test_names_do_not_overlap() -> None:
    names = [name for name, _, _ in leaves(CONFIGS)]
    assert len(names) == len(set(names))
    assert set(AT_START) <= set(names)


def test_the_shipped_file_is_what_the_generator_writes(repository: Path) -> None:
    text = (repository / "config" / "perception.yaml").read_text()
    assert text == yaml_text(*CONFIGS), "run: python3 -m thermal_kd_ros.nodes.parameters > config/perception.yaml"


def test_the_shipped_file_holds_the_defaults(repository: Path) -> None:
    tree = yaml.safe_load((repository / "config" / "perception.yaml").read_text())["/**"]["ros__parameters"]
    flat: dict[str, object] = {}
    for name, value in tree.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    assert flat.keys() == {name for name, _, _ in leaves(CONFIGS)}
    assert merged(CONFIGS, flat) == CONFIGS
    for name, default, _ in leaves(CONFIGS):
        if not isinstance(default, tuple):
            assert type(flat[name]) is type(default), f"ROS would take {name} for another type"


def test_the_readme_shows_the_table(repository: Path) -> None:
    readme = repository / "README.md"
    if not readme.is_file() or "| parameter | default |" not in readme.read_text():
        pytest.skip("README.md has no parameter table")
    assert markdown_table(*CONFIGS) in readme.read_text()


def test_whole_numbers_and_missing_lists_are_understood() -> None:
    options, config = merged(CONFIGS, {"max_age_s": 1, "detector.class_thresholds": None, "face.max_faces": 3})
    assert options.max_age_s == 1.0 and isinstance(options.max_age_s, float)
    assert config.detector.class_thresholds == () and config.face.max_faces == 3
    _, config = merged(CONFIGS, {"detector.class_thresholds": ["person=0.3", ""]})
    assert config.detector.class_thresholds == ("person=0.3",)


@pytest.mark.parametrize(("name", "value"), [
    ("max_age_s", -1), ("max_age_s", True), ("max_age_s", "1"), ("face.max_faces", 2.5), ("auto_start", 1),
    ("detector.class_thresholds", "person=0.3"), ("detector.class_thresholds", [1]), ("thermal.input_mode", "hot"),
    ("contrast.low_percentile", None),
])
def test_impossible_values_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name.rpartition(".")[2]):
        merged(CONFIGS, {name: value})


def test_what_cannot_change_while_configured_is_known() -> None:
    values = {"thermal.input_mode": "celsius", "detector.nms_iou": 0.5, "reliable_input": True}
    assert fixed(CONFIGS, values) == ["reliable_input", "thermal.input_mode"]


@pytest.mark.ros
def test_only_changed_values_count() -> None:
    from rclpy.parameter import Parameter

    given = [Parameter("max_age_s", value=0.5), Parameter("max_rate_hz", value=5),
             Parameter("use_sim_time", value=True), Parameter("detector.class_thresholds", value=[""])]
    assert changes(CONFIGS, given) == {"max_rate_hz": 5.0}


@pytest.mark.ros
def test_words_that_yaml_takes_for_switches_are_texts_again() -> None:
    from rclpy.parameter import Parameter

    _, config = merged(CONFIGS, {"correction.stripes": False, "engine.device_path": True})
    assert config.correction.stripes == "off" and config.engine.device_path == "on"
    given = [Parameter("engine.device_path", value=False), Parameter("correction.stripes", value=False)]
    assert changes(CONFIGS, given) == {"engine.device_path": "off"}  # stripes are off by default
    with pytest.raises(ConfigError, match="stripes"):
        merged(CONFIGS, {"correction.stripes": True})
    with pytest.raises(ConfigError, match="model"):
        merged(CONFIGS, {"detector.model": 3})


@pytest.mark.ros
@pytest.mark.parametrize(("name", "value", "said"), [
    ("detector.class_thresholds", None, "cannot be deleted"), ("cameras", None, "cannot be deleted"),
    ("contrast.time_constant_s", True, "must be a number, not true"),
    ("max_age_s", False, "must be a number, not false"),
])
def test_a_parameter_is_neither_deleted_nor_switched_for_a_number(name: str, value: object, said: str) -> None:
    from rclpy.parameter import Parameter

    with pytest.raises(ConfigError, match=f"{name}.*{said}"):
        changes(CONFIGS, [Parameter(name, value=value)])


def test_the_foxglove_layout_names_topics_of_the_node(repository: Path) -> None:
    layout = json.loads((repository / "config" / "foxglove_layout.json").read_text())
    placed = json.dumps(layout["layout"])
    assert all(panel in placed for panel in layout["configById"])
    for topic in ("/image_annotated", "/markers", "/landmarks", "/diagnostics", "/detections"):
        assert topic in json.dumps(layout["configById"])


def test_the_rviz_file_names_topics_of_the_node(repository: Path) -> None:
    tree = yaml.safe_load((repository / "config" / "perception.rviz").read_text())
    topics = [display["Topic"]["Value"] for display in tree["Visualization Manager"]["Displays"]]
    assert topics == ["/image_annotated", "/markers", "/landmarks"]


@pytest.mark.ros
def test_the_rviz_file_asks_for_pictures_as_the_node_sends_them(repository: Path) -> None:
    from thermal_kd_ros.nodes.outputs import _PICTURES

    tree = yaml.safe_load((repository / "config" / "perception.rviz").read_text())
    topic = next(display["Topic"] for display in tree["Visualization Manager"]["Displays"]
                 if display["Topic"]["Value"] == "/image_annotated")
    # Best effort would lose the large ones.
    assert topic["Reliability Policy"].upper() == _PICTURES.reliability.name
    assert topic["Depth"] == _PICTURES.depth
