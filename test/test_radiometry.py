"""Object temperatures: inverses, limits, and the cameras' own figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermal_kd_ros.config import ThermalConfig
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.radiometry import (
    LONG_WAVE,
    Planck,
    Surroundings,
    air_transmission,
    apparent_temperature,
    counts_from_object,
    object_from_counts,
    object_temperature,
)

E40 = Planck(14866.514, 1395.7, 1.0, -5859.0, 0.011086479)
FLIR_AIR = ((0.006569, 0.01262), (-0.002276, -0.00667), 1.9)
degrees = st.floats(-60.0, 600.0)
shares = st.floats(0.2, 1.0)


@given(degrees)
def test_counts_and_black_body_temperatures_are_inverse(celsius: float) -> None:
    for planck in (E40, LONG_WAVE):
        assert planck.celsius(planck.counts(celsius)) == pytest.approx(celsius, abs=1e-6)


@given(degrees, shares, st.floats(-60, 100), st.floats(-30, 50), shares, st.floats(-30, 60), shares)
def test_objects_and_counts_are_inverse(celsius: float, emissivity: float, reflected: float, air: float,
                                        air_share: float, window: float, window_share: float) -> None:
    around = Surroundings(emissivity, reflected, air, air_share, window, window_share)
    counts = counts_from_object(celsius, E40, around)
    assert object_from_counts(counts, E40, around) == pytest.approx(celsius, abs=1e-5)


@given(degrees, shares, st.floats(-60, 100))
def test_apparent_and_true_temperatures_are_inverse(celsius: float, emissivity: float, reflected: float) -> None:
    apparent = apparent_temperature(celsius, emissivity, reflected)
    assert object_temperature(apparent, emissivity, reflected) == pytest.approx(celsius, abs=1e-6)
    low, high = sorted((celsius, reflected))
    assert low - 1e-6 <= apparent <= high + 1e-6


@given(degrees, shares)
def test_an_object_as_warm_as_its_surroundings_looks_so_whatever_it_is(celsius: float, emissivity: float) -> None:
    around = Surroundings(emissivity, celsius, celsius, 0.7, celsius, 0.9)
    assert E40.celsius(counts_from_object(celsius, E40, around)) == pytest.approx(celsius, abs=1e-6)


def test_skin_at_the_emissivity_of_the_literature() -> None:
    """By hand: with e = 0.98, 20 degrees around and 34 shown, the object is warmer by 0.02 of the difference or so."""
    assert object_temperature(34.0, 0.98, 20.0) == pytest.approx(34.27, abs=0.02)
    for wavelength in (9.0, 11.0):
        other = Planck(1.0, 14387.77 / wavelength, 1.0, 0.0)
        shown = object_from_counts(other.counts(34.0), other, Surroundings(0.98, 20.0))
        assert shown == pytest.approx(float(object_temperature(34.0, 0.98, 20.0)), abs=0.02)


def test_what_cannot_be_is_nan() -> None:
    assert np.isnan(object_temperature([-80.0, np.nan, -300.0], 0.2, 100.0)).all()
    assert np.isnan(E40.celsius([0.0, 5859.0, np.nan])).all()


def test_air_takes_more_over_longer_and_wetter_ways() -> None:
    assert air_transmission(0.0, 20.0, 0.5, *FLIR_AIR) == pytest.approx(1.0)
    way = [air_transmission(d, 20.0, 0.5, *FLIR_AIR) for d in (1.0, 10.0, 100.0)]
    assert 1.0 > way[0] > way[1] > way[2] > 0.7
    assert air_transmission(50.0, 30.0, 0.9, *FLIR_AIR) < air_transmission(50.0, 30.0, 0.1, *FLIR_AIR)


def test_frames_correct_for_the_emissivity_only_if_asked_to() -> None:
    celsius = np.array([[10.0, 34.0], [60.0, np.nan]], np.float32)
    counts = ((np.nan_to_num(celsius) + 273.15) * 100).round().astype(np.uint16)
    plain = ThermalFrame.from_array(celsius, ThermalConfig())
    np.testing.assert_array_equal(plain.celsius(celsius), celsius)
    config = ThermalConfig(emissivity=0.95, reflected_c=22.0)
    for values, known in ((celsius, np.isfinite(celsius)), (counts, np.isfinite(celsius))):
        frame = ThermalFrame.from_array(values, config)
        wanted = object_temperature(celsius, 0.95, 22.0)
        assert frame.celsius(values).dtype == np.float32
        np.testing.assert_allclose(frame.celsius(values)[known], wanted[known], atol=0.01)
    display = ThermalFrame.from_array(celsius[:1].astype(np.uint8), config)
    assert np.isnan(display.celsius(display.values)).all()
