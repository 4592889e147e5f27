"""Where a face is warm and where it is cool.

Values follow the pattern that thermography of resting faces agrees on: inner canthi warmest, then orbits, forehead,
neck and lips; cheeks and chin cooler; nose tip and ears coolest and the most dependent on the surroundings. Hair,
cloth and glass sit between the skin below and the air.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thermal_kd_ros.simulation.head import Template, bump, smoothstep
from thermal_kd_ros.simulation.noise import point_noise

REFERENCE_AMBIENT = 22.0
"""Air temperature, °C, at which the regional temperatures below hold."""

# x (mirrored if not 0), y, sigma x, sigma y (m); kelvin against the forehead at 22 °C; kelvin per kelvin of air
_REGIONS = (
    (0.043, 0.036, 0.019, 0.018, -1.10, 0.06),  # cheeks
    (0.0, 0.012, 0.009, 0.014, -0.40, 0.03),  # nose bridge
    (0.0, 0.036, 0.013, 0.014, -2.40, 0.20),  # nose tip
    (0.0145, 0.043, 0.006, 0.006, -1.30, 0.10),  # nose wings
    (0.0, 0.094, 0.022, 0.013, -0.80, 0.06),  # chin
    (0.031, 0.001, 0.017, 0.010, 0.70, -0.03),  # orbits
    (0.033, 0.000, 0.009, 0.0045, -0.75, 0.03),  # the eyes themselves
    (0.0, 0.067, 0.020, 0.008, 0.35, -0.01),  # lips
    (0.034, -0.0235, 0.017, 0.0035, -0.30, 0.02),  # brows
    (0.062, -0.028, 0.012, 0.014, 0.25, -0.01),  # temples
    (0.0, -0.018, 0.008, 0.012, 0.30, 0.0),  # between the brows
)
_CANTHI = (0.0170, 0.0030, 0.0050, 0.0045)
_FOREHEAD, _FOREHEAD_SLOPE = 34.2, 0.09
_CORE, _CORE_SLOPE = 35.7, 0.035


@dataclass(frozen=True)
class Skin:
    """A person's skin: offsets in kelvin against the mean, and the seed of its individual pattern."""

    offset: float = 0.0
    nose: float = 0.0
    cheeks: float = 0.0
    vessels: float = 0.25
    sweat: float = 0.0
    seed: int = 0


def skin_temperature(template: Template, skin: Skin, ambient: float) -> np.ndarray:
    """(V,) float32 °C of the bare head at the air temperature ``ambient`` °C, mouth closed, between two breaths."""
    x, y, z = template.vertices.T.astype(np.float64)
    rng = np.random.default_rng(skin.seed)
    away = ambient - REFERENCE_AMBIENT
    front = smoothstep(z, -0.015, -0.055)
    heat = np.full(x.shape, _FOREHEAD + _FOREHEAD_SLOPE * away + skin.offset)
    for index, (cx, cy, sx, sy, kelvin, slope) in enumerate(_REGIONS):
        own = {0: skin.cheeks, 2: skin.nose}.get(index, 0.0)
        heat += front * bump(x, y, cx, cy, sx, sy) * (kelvin + own + slope * away)
    heat += smoothstep(y, 0.108, 0.125) * smoothstep(z, -0.075, -0.05) * (0.5 - 0.02 * away)  # neck
    heat += smoothstep(np.abs(template.azimuth), 1.1, 1.7) * (-0.5 + 0.04 * away) * (y < 0.11)  # sides of the jaw
    # Vessels: the ridges of a smooth field, strongest on forehead and cheeks; and a slow left-right imbalance.
    ridges = np.exp(-0.5 * (point_noise(rng, template.vertices, 0.07) / 0.22) ** 2)
    heat += skin.vessels * (ridges - 0.3) + 0.25 * point_noise(rng, template.vertices, 0.12)
    patches = smoothstep(point_noise(rng, template.vertices, 0.06), 0.8, 1.6)
    heat -= skin.sweat * patches * np.maximum(bump(x, y, 0.0, -0.045, 0.05, 0.02), bump(x, y, 0.0, 0.057, 0.02, 0.006))
    # No skin is warmer than the blood below the inner canthi.
    core = _CORE + _CORE_SLOPE * away + skin.offset
    heat = np.minimum(heat, core - 0.5)
    canthi = bump(x, y, *_CANTHI) * front
    return (heat + canthi * (core - heat)).astype(np.float32)


def breath_weight(template: Template) -> np.ndarray:
    """(V,) in [0, 1]: how much the breath warms and cools each vertex (nostrils and upper lip)."""
    x, y, z = template.vertices.T.astype(np.float64)
    return (smoothstep(z, -0.05, -0.08) * bump(x, y, 0.006, 0.0495, 0.006, 0.004)).astype(np.float32)


def between(surface: Any, ambient: float, coupling: Any) -> Any:
    """Temperature (scalar or array) of a layer over skin: ``coupling`` 0 is the air, 1 the skin."""
    return ambient + (surface - ambient) * coupling
