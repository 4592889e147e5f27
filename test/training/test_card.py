"""Measured figures in a model's card."""

import numpy as np

from thermal_kd_ros.models.card import ModelCard
from thermal_kd_ros.models.checkpoint import read, write
from training.card import as_json, record


def test_figures_replace_those_on_the_same_data_only(tmp_path):
    path = tmp_path / "m.safetensors"
    write(path, ModelCard("m", "detection", {}, 64, 64, ("person",)), {"a": np.arange(3.0)})
    record(path, "set one", {"map50": 0.51234, "map": 0.3}, "first")
    record(path, "set two", {"map50": 0.2}, "second")
    record(path, "set one", {"map50": 0.6}, "third")
    card, weights = read(path)
    assert [(m["on"], m["metric"], m["value"], m["command"]) for m in card.metrics] == [
        ("set two", "map50", 0.2, "second"), ("set one", "map50", 0.6, "third")]
    np.testing.assert_array_equal(weights["a"], np.arange(3.0))


def test_a_figure_of_nothing_is_left_out(tmp_path):
    path = tmp_path / "m.safetensors"
    write(path, ModelCard("m", "detection", {}, 64, 64, ("person",)), {"a": np.arange(3.0)})
    record(path, "large things", {"map50": 0.5, "ap_small": float("nan"), "x": float("inf")}, "c")
    assert [(m["metric"], m["value"]) for m in read(path)[0].metrics] == [("map50", 0.5)]
    assert as_json({"a": 0.12345, "b": float("nan")}) == {"a": 0.123, "b": None}
