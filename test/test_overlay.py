"""Results drawn over images."""

from __future__ import annotations

import numpy as np
import pytest

from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.overlay import annotate, box_temperatures, caption
from thermal_kd_ros.results import Detections, FaceLandmarks, PerceptionResult


def celsius_frame() -> ThermalFrame:
    values = np.full((60, 80), 20.0, np.float32)
    values[10:30, 20:40] = 36.5
    values[15, 25] = np.nan
    return ThermalFrame.from_array(values, ThermalConfig(input_mode="celsius"))


def test_box_temperature_is_that_of_the_warm_part() -> None:
    boxes = np.array([[18, 8, 42, 32], [50, 40, 70, 55], [-30, -30, -5, -5], [25.2, 15.1, 25.8, 15.9]], np.float32)
    found = box_temperatures(celsius_frame(), boxes)
    np.testing.assert_allclose(found[:2], [36.5, 20.0])
    assert np.isnan(found[2:]).all()  # outside the image; one dead pixel


def test_box_temperature_is_unknown_without_radiometry() -> None:
    frame = ThermalFrame.from_array(np.zeros((60, 80), np.uint8), ThermalConfig())
    assert np.isnan(box_temperatures(frame, np.array([[0, 0, 9, 9]], np.float32))).all()


def test_caption_leaves_out_what_is_not_known() -> None:
    assert caption("person", 0.914, 3, 36.24) == "person 3 0.91 36.2 C"
    assert caption("car", 0.5, -1, float("nan")) == "car 0.50"


@pytest.mark.parametrize("shape", [(1, 1), (60, 80), (512, 640)])
def test_annotated_image_keeps_the_size_and_the_frame(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).integers(29000, 31000, shape).astype(np.uint16)
    before = values.copy()
    frame = ThermalFrame.from_array(values, ThermalConfig())
    box = np.array([[-5, -5, shape[1] + 5, shape[0] / 2]], np.float32)
    points = np.random.default_rng(1).uniform(-9, 90, (1, 54, 2)).astype(np.float32)
    one = np.array([0.9], np.float32)
    faces = FaceLandmarks(box, one, points, np.full((1, 54), 0.5, np.float32), np.full((1, 54), np.nan, np.float32), "")
    picture = annotate(frame, PerceptionResult(Detections(box, one, np.zeros(1, np.int64), ("person",)), faces, {}))
    assert picture.shape == (*shape, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(values, before)
