"""Temperatures of objects from what a camera measures: emissivity, reflection, air and a window in between.

A camera receives what the object emits, what it reflects, and what the air and a protective window add:

    U = w * (t * (e * U_object + (1 - e) * U_reflected) + (1 - t) * U_air) + (1 - w) * U_window

with emissivity e, transmission t of the air and w of the window, and every U the signal that a black body of that
temperature would give. This is the measurement formula in the manuals of FLIR's cameras ("Thermographic measurement
techniques" and "The measurement formula"), with their external window in front. Signals follow Planck's law with
constants from each camera's calibration:

    U = R1 / (R2 * (exp(B / T) - F)) - O        T in kelvin

Temperatures are degrees Celsius. What no temperature can explain, such as an object that would have to emit less than
nothing, becomes NaN. All functions take numbers or arrays of any shape and give float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

KELVIN = 273.15
LONG_WAVE_B = 14387.77 / 10.0
"""Kelvin: the second radiation constant (14387.77 um K, CODATA 2018) over 10 um, the middle of the 8 to 14 um band."""


@dataclass(frozen=True)
class Planck:
    """Calibration of a radiometric camera, as FLIR files carry it."""

    r1: float
    b: float
    """Kelvin."""
    f: float
    o: float
    """Counts; mostly negative."""
    r2: float = 1.0

    def counts(self, celsius: ArrayLike) -> np.ndarray:
        """Signal of a black body."""
        kelvin = np.asarray(celsius, np.float64) + KELVIN
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            counts = self.r1 / (self.r2 * (np.exp(self.b / kelvin) - self.f)) - self.o
        return np.where(kelvin > 0.0, counts, np.nan)

    def celsius(self, counts: ArrayLike) -> np.ndarray:
        """Temperature of the black body that gives a signal."""
        signal = np.asarray(counts, np.float64) + self.o
        with np.errstate(divide="ignore", invalid="ignore"):
            kelvin = self.b / np.log(self.r1 / (self.r2 * signal) + self.f)
        return np.where((signal > 0.0) & (kelvin > 0.0), kelvin - KELVIN, np.nan)


LONG_WAVE = Planck(1.0, LONG_WAVE_B, 1.0, 0.0)
"""A camera for 8 to 14 um whose constants are not known. Scale and offset of the signal cancel in a correction."""


@dataclass(frozen=True)
class Surroundings:
    """What lies between and around object and camera."""

    emissivity: float
    """Of the object, above 0 up to 1."""
    reflected_c: float
    """Apparent temperature of what the object reflects."""
    air_c: float = 20.0
    air_transmission: float = 1.0
    """Above 0 up to 1, see ``air_transmission``."""
    window_c: float = 20.0
    window_transmission: float = 1.0


def object_from_counts(counts: ArrayLike, planck: Planck, around: Surroundings) -> np.ndarray:
    """Temperature of the object from raw counts, degrees Celsius; NaN where there is none."""
    inside, share = _added(planck, around)
    return planck.celsius((np.asarray(counts, np.float64) - inside) / share)


def counts_from_object(celsius: ArrayLike, planck: Planck, around: Surroundings) -> np.ndarray:
    """Raw counts of an object of that temperature: the inverse of ``object_from_counts``."""
    inside, share = _added(planck, around)
    return planck.counts(celsius) * share + inside


def object_temperature(apparent_c: ArrayLike, emissivity: float, reflected_c: float) -> np.ndarray:
    """Temperature of an object from a camera that gives temperatures and assumes an emissivity of 1.

    The simplified formula of short distances, U = e * U_object + (1 - e) * U_reflected, with Planck's law at 10 um. The
    effective wavelength matters little: between 9 and 11 um the result for skin changes by less than 0.02 K.
    """
    return object_from_counts(LONG_WAVE.counts(apparent_c), LONG_WAVE, Surroundings(emissivity, reflected_c))


def apparent_temperature(object_c: ArrayLike, emissivity: float, reflected_c: float) -> np.ndarray:
    """What a camera that assumes an emissivity of 1 shows of an object: the inverse of ``object_temperature``."""
    return LONG_WAVE.celsius(counts_from_object(object_c, LONG_WAVE, Surroundings(emissivity, reflected_c)))


def air_transmission(distance_m: float, air_c: float, relative_humidity: float, alpha: tuple[float, float],
                     beta: tuple[float, float], x: float) -> float:
    """Transmission of air by FLIR's model, with the constants (alpha 1 and 2, beta 1 and 2, X) that its files carry.

    ``relative_humidity`` from 0 to 1. With w the water in the air, from a cubic fit of the saturation pressure:
    t = X exp(-sqrt(d) (alpha1 + beta1 sqrt(w))) + (1 - X) exp(-sqrt(d) (alpha2 + beta2 sqrt(w))).
    """
    water = relative_humidity * math.exp(1.5587 + 6.939e-2 * air_c - 2.7816e-4 * air_c**2 + 6.8455e-7 * air_c**3)
    ways = (math.exp(-math.sqrt(distance_m) * (a + b * math.sqrt(water))) for a, b in zip(alpha, beta, strict=True))
    first, second = ways
    return x * first + (1.0 - x) * second


def _added(planck: Planck, around: Surroundings) -> tuple[float, float]:
    """Signal that does not come from the object, and the share of the object's signal that arrives.

    Counts carry the offset O, which belongs to every part: the shares sum to one, so it may stay in all of them.
    """
    air, window = around.air_transmission, around.window_transmission
    parts = ((window * air * (1.0 - around.emissivity), around.reflected_c),
             (window * (1.0 - air), around.air_c),
             (1.0 - window, around.window_c))
    return sum(share * float(planck.counts(celsius)) for share, celsius in parts), window * air * around.emissivity
