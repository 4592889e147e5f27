"""The configuration dataclasses: validation, dotted names, class thresholds."""

import dataclasses

import pytest

from thermal_kd_ros.config import (
    ConfigError,
    DetectorConfig,
    NodeConfig,
    PerceptionConfig,
    class_thresholds,
    parameters,
    with_values,
)


@pytest.mark.parametrize("config", [PerceptionConfig(), NodeConfig()])
def test_every_parameter_is_documented_and_its_default_is_valid(config):
    names = [name for name, _, _ in parameters(config)]
    assert len(names) == len(set(names)) > 5
    for name, value, item in parameters(config):
        assert item.metadata["doc"].endswith("."), name
        assert value == item.default


def test_with_values_replaces_only_what_is_named():
    changed = with_values(PerceptionConfig(), {"detector.score_threshold": 0.5, "contrast.headroom": 0.0})
    before = {name: value for name, value, _ in parameters(PerceptionConfig())}
    after = {name: value for name, value, _ in parameters(changed)}
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {"detector.score_threshold", "contrast.headroom"}


@pytest.mark.parametrize(
    "values, words",
    [
        ({"detector.score_threshold": 1.5}, ["detector.score_threshold", "1.5", "[0, 1]"]),
        ({"detector.score_threshold": float("nan")}, ["score_threshold"]),
        ({"thermal.input_mode": "warm"}, ["thermal.input_mode", "warm", "centikelvin"]),
        ({"detector.max_detections": 2.5}, ["max_detections", "int"]),
        ({"face.enabled": 1}, ["face.enabled", "bool"]),
        ({"detector.nothing": 1}, ["nothing", "score_threshold"]),
        ({"detector.class_thresholds": ("person=2",)}, ["person=2", "person=0.25"]),
        ({"contrast.low_percentile": 30.0, "contrast.high_percentile": 20.0}, ["high_percentile"]),
    ],
)
def test_bad_values_are_refused_with_name_value_and_remedy(values, words):
    with pytest.raises(ConfigError) as caught:
        with_values(PerceptionConfig(), values)
    for word in words:
        assert word in str(caught.value)


def test_class_thresholds():
    parsed = class_thresholds(DetectorConfig(class_thresholds=("person=0.25", "car = 0.5")))
    assert parsed == {"person": 0.25, "car": 0.5}


def test_configurations_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PerceptionConfig().detector.score_threshold = 0.1  # type: ignore[misc]
