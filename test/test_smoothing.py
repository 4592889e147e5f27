"""Smoothing of landmarks in time."""

import dataclasses
import math

import numpy as np
import pytest

from thermal_kd_ros.config import SmoothingConfig
from thermal_kd_ros.results import FaceLandmarks
from thermal_kd_ros.smoothing import LandmarkSmoother, OneEuro

ON = SmoothingConfig(enabled=True)


def face_at(points, track=3, side=50.0):
    points = np.asarray(points, np.float32).reshape(1, -1, 2)
    ones = np.ones(points.shape[:2], np.float32)
    return FaceLandmarks(np.array([[0, 0, 0.8 * side, side]], np.float32), ones[:, 0], points, ones, ones, "sf_tl54",
                         np.array([track]))


def one_euro_by_hand(values, stamps, config, size):
    """The filter as its paper's appendix writes it, one number at a time."""
    def alpha(cutoff, elapsed):
        tau = 1.0 / (2 * math.pi * cutoff)
        return 1.0 / (1.0 + tau / elapsed)

    out, speed = [values[0]], 0.0
    for i in range(1, len(values)):
        elapsed = stamps[i] - stamps[i - 1]
        raw = (values[i] - out[-1]) / elapsed
        a = alpha(config.derivative_cutoff_hz, elapsed)
        speed = a * raw + (1 - a) * speed
        a = alpha(config.min_cutoff_hz + config.speed_gain * abs(speed) / size, elapsed)
        out.append(a * values[i] + (1 - a) * out[-1])
    return out


def test_every_coordinate_is_filtered_as_the_paper_says():
    rng = np.random.default_rng(0)
    stamps = 100.0 + np.cumsum(rng.uniform(0.01, 0.2, 40))
    values = np.cumsum(rng.normal(0, 3, (40, 5, 2)), axis=0)
    config = SmoothingConfig(True, 0.8, 4.0, 1.7)
    smoother = LandmarkSmoother(config, 1.0)
    found = np.array([smoother.update(face_at(v), t).points[0] for v, t in zip(values, stamps, strict=True)])
    for k in range(5):
        for axis in (0, 1):
            by_hand = one_euro_by_hand(values[:, k, axis].astype(np.float32), stamps, config, 50.0)
            np.testing.assert_allclose(found[:, k, axis], by_hand, rtol=1e-4, atol=1e-3)


def test_what_stands_still_stays_and_noise_shrinks():
    rng = np.random.default_rng(1)
    still = np.full((54, 2), 80.0)
    smoother = LandmarkSmoother(ON, 1.0)
    for i in range(10):
        np.testing.assert_allclose(smoother.update(face_at(still), i / 30).points[0], still)
    noisy = [still + rng.normal(0, 0.5, still.shape) for _ in range(90)]
    smooth = [smoother.update(face_at(p), 1.0 + i / 30).points[0] for i, p in enumerate(noisy)]
    assert np.std(smooth[20:]) < 0.75 * np.std(noisy[20:])


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_near_and_far_faces_are_treated_alike(factor):
    rng = np.random.default_rng(2)
    path = np.cumsum(rng.normal(0, 2, (30, 6, 2)), axis=0)
    near, far = LandmarkSmoother(ON, 1.0), LandmarkSmoother(ON, 1.0)
    for i, points in enumerate(path):
        a = near.update(face_at(points, side=100.0), i / 30).points
        b = far.update(face_at(factor * points, side=100.0 * factor), i / 30).points
    np.testing.assert_allclose(b, factor * a, rtol=1e-3, atol=1e-2)


def test_fast_motion_is_followed_more_closely_with_a_higher_gain():
    def behind(gain):
        smoother = LandmarkSmoother(SmoothingConfig(True, 1.0, gain, 1.0), 1.0)
        for i in range(60):
            points = np.full((4, 2), 2.0 * i)
            found = smoother.update(face_at(points), i / 30).points[0]
        return float(points[0, 0] - found[0, 0])

    lags = [behind(gain) for gain in (0.0, 2.0, 10.0)]
    assert lags[0] > lags[1] > lags[2] > 0


def test_tracks_do_not_mix_and_lost_ones_start_anew():
    smoother = LandmarkSmoother(ON, 0.5)
    here, there = np.zeros((4, 2)), np.full((4, 2), 100.0)
    smoother.update(face_at(here, 1), 0.0)
    np.testing.assert_array_equal(smoother.update(face_at(there, 2), 0.1).points[0], there)
    # Seen again in time: pulled towards where it was. Missed beyond the limit: as if new.
    assert smoother.update(face_at(there, 1), 0.2).points.max() < 100.0
    smoother.update(face_at(there, 2), 0.3)
    np.testing.assert_array_equal(smoother.update(face_at(here, 1), 0.8).points[0], here)
    # Time that jumps back, e.g. a bag that starts again.
    np.testing.assert_array_equal(smoother.update(face_at(there, 1), 0.1).points[0], there)
    # Faces without a track are never smoothed.
    for i in range(3):
        np.testing.assert_array_equal(smoother.update(face_at(here + i, -1), 1.0 + i).points[0], here + i)


@pytest.mark.parametrize(("step", "forget_s"), [(1.01, 1.0), (0.1, 0.0)])
def test_frames_that_come_slowly_are_smoothed_too(step, forget_s):
    smoother = LandmarkSmoother(SmoothingConfig(True, 0.1, 0.0, 1.0), forget_s)
    smoother.update(face_at(np.zeros((4, 2))), 0.0)
    assert 0.0 < smoother.update(face_at(np.full((4, 2), 9.0)), step).points.max() < 9.0


def test_off_changes_nothing_and_forgets():
    smoother = LandmarkSmoother(ON, 1.0)
    smoother.update(face_at(np.zeros((4, 2))), 0.0)
    smoother.config = dataclasses.replace(ON, enabled=False)
    moved = face_at(np.full((4, 2), 9.0))
    assert smoother.update(moved, 0.1) is moved
    smoother.config = ON
    np.testing.assert_array_equal(smoother.update(moved, 0.2).points, moved.points)


def test_faces_move_on_where_stamps_stand_still():
    smoother = LandmarkSmoother(ON, 1.0)
    for i in range(5):
        points = np.full((4, 2), 10.0 * i)
        np.testing.assert_array_equal(smoother.update(face_at(points), 7.0).points[0], points)
    # Time goes on, and with it the smoothing.
    smoothed = smoother.update(face_at(np.full((4, 2), 50.0)), 7.1).points
    assert 0.0 < smoothed.min() and smoothed.max() < 50.0


def test_a_repeated_stamp_changes_nothing():
    one = OneEuro(np.zeros(3), 5.0)
    one.update(np.ones(3), 5.1, ON)
    before = one.value.copy()
    np.testing.assert_array_equal(one.update(np.full(3, 9.0), 5.1, ON), before)
