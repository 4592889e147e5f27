"""Temperatures at points."""

import numpy as np

from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.temperature import point_temperatures


def test_median_of_the_neighbourhood_of_the_right_pixel():
    rng = np.random.default_rng(0)
    celsius = rng.normal(25.0, 5.0, (20, 30)).astype(np.float32)
    frame = ThermalFrame.from_array(celsius, ThermalConfig())
    points = np.array([[[10.2, 5.9], [1.5, 1.5], [29.9, 19.9]]], np.float32)
    found = point_temperatures(frame, points)
    assert found[0, 0] == np.median(celsius[4:7, 9:12])
    assert found[0, 1] == np.median(celsius[0:3, 0:3])
    # At the border the neighbourhood repeats the border.
    padded = np.pad(celsius, 1, mode="edge")
    assert found[0, 2] == np.median(padded[19:22, 29:32])


def test_centikelvin_and_celsius_agree():
    celsius = np.random.default_rng(0).normal(25.0, 5.0, (20, 30)).astype(np.float32)
    counts = np.round((celsius + 273.15) * 100).astype(np.uint16)
    points = np.random.default_rng(1).uniform(1, 19, (2, 54, 2)).astype(np.float32)
    a = point_temperatures(ThermalFrame.from_array(celsius, ThermalConfig()), points)
    b = point_temperatures(ThermalFrame.from_array(counts, ThermalConfig()), points)
    np.testing.assert_allclose(a, b, atol=0.011)


def test_outside_and_unknown_are_nan():
    frame = ThermalFrame.from_array(np.full((20, 30), 25.0, np.float32), ThermalConfig())
    points = np.array([[[-0.1, 5], [30.0, 5], [5, 20.0], [np.nan, 5], [29.99, 0.0]]], np.float32)
    assert np.isnan(point_temperatures(frame, points)).tolist() == [[True, True, True, True, False]]
    display = ThermalFrame.from_array(np.full((20, 30), 25, np.uint8), ThermalConfig())
    assert np.isnan(point_temperatures(display, points)).all()
    assert point_temperatures(frame, np.zeros((0, 54, 2), np.float32)).shape == (0, 54)


def test_pixels_that_are_not_finite_have_no_temperature():
    celsius = np.full((20, 30), 25.0, np.float32)
    celsius[:, 20:] = np.inf
    found = point_temperatures(ThermalFrame.from_array(celsius, ThermalConfig()), np.array([[[5.0, 5.0], [25.0, 5.0]]]))
    np.testing.assert_array_equal(found, np.array([[25.0, np.nan]], np.float32))
