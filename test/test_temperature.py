"""Temperatures at points."""

import numpy as np

from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.results import FaceLandmarks
from thermal_kd_ros.temperature import box_temperatures, inner_canthus_temperatures, point_temperatures


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


def test_boxes_have_a_warm_end_and_a_mean_that_wrong_pixels_do_not_change():
    celsius = np.random.default_rng(0).normal(25.0, 0.5, (40, 50)).astype(np.float32)
    boxes = np.array([[5, 5, 25, 35], [40, 30, 90, 90], [60, 5, 70, 9], [3, 3, 3, np.nan]], np.float32)
    before = box_temperatures(ThermalFrame.from_array(celsius, ThermalConfig()), boxes)
    inside = celsius[5:35, 5:25]
    np.testing.assert_allclose(before.maximum[0], np.percentile(inside, 98), atol=1e-4)
    np.testing.assert_allclose(before.mean[:2], [inside.mean(), celsius[30:, 40:].mean()], atol=0.02)
    assert np.isnan(before.maximum[2:]).all() and np.isnan(before.mean[2:]).all()
    celsius[10, 10], celsius[11, 11], celsius[12, 12] = 900.0, -200.0, np.nan
    after = box_temperatures(ThermalFrame.from_array(celsius, ThermalConfig()), boxes)
    np.testing.assert_allclose(after.maximum[0], before.maximum[0], atol=0.1)
    np.testing.assert_allclose(after.mean[0], before.mean[0], atol=0.02)
    display = ThermalFrame.from_array(np.full((40, 50), 25, np.uint8), ThermalConfig())
    assert np.isnan(box_temperatures(display, boxes)).all()


def test_boxes_of_a_pixel_or_two_have_a_mean():
    frame = ThermalFrame.from_array(np.array([[20.0, 30.0, np.nan]], np.float32), ThermalConfig())
    found = box_temperatures(frame, np.array([[0, 0, 2, 1], [1, 0, 3, 1], [2, 0, 3, 1]], np.float32))
    np.testing.assert_array_equal(found.mean, np.array([25.0, 30.0, np.nan], np.float32))


def face_with_eyes(inner_right: tuple[float, float], inner_left: tuple[float, float]) -> FaceLandmarks:
    points = np.full((1, 54, 2), 50.0, np.float32)
    points[0, [36, 39, 42, 45]] = (30.0, 40.0), inner_right, inner_left, (90.0, 40.0)
    ones = np.ones((1, 54), np.float32)
    return FaceLandmarks(np.array([[20, 20, 100, 100]], np.float32), ones[:, 0], points, ones, ones, "sf_tl54")


def test_the_warmer_inner_eye_corner_counts():
    celsius = np.full((120, 140), 33.0, np.float32)
    celsius[37:43, 47:54], celsius[37:43, 67:74] = 35.0, 36.0
    celsius[40, 70] = 500.0
    frame = ThermalFrame.from_array(celsius, ThermalConfig())
    assert inner_canthus_temperatures(frame, face_with_eyes((50, 40), (70, 40)))[0] == np.float32(36.0)
    # One corner outside of the image, then both.
    assert inner_canthus_temperatures(frame, face_with_eyes((50, 40), (170, 40)))[0] == np.float32(35.0)
    assert np.isnan(inner_canthus_temperatures(frame, face_with_eyes((-5, 40), (np.nan, 40)))).all()
    display = ThermalFrame.from_array(np.full((120, 140), 25, np.uint8), ThermalConfig())
    assert np.isnan(inner_canthus_temperatures(display, face_with_eyes((50, 40), (70, 40)))).all()
    assert inner_canthus_temperatures(frame, FaceLandmarks.empty("", 0)).shape == (0,)
