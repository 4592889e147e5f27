"""What surfaces are made of, and how warm and how coloured each material is on one individual in one scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np


class Material(IntEnum):
    """Materials of every kind of thing; a thing uses a few of them."""

    SKIN = 0
    FACE = 1
    HAND = 2
    HAIR = 3
    EYE = 4
    TOP = 5
    BOTTOM = 6
    SHOE = 7
    HAT = 8
    BAG = 9
    FUR = 10
    MUZZLE = 11
    SPOT = 12
    PAINT = 13
    HOOD = 14
    GLASS = 15
    TYRE = 16
    METAL = 17
    HOT = 18
    WALL = 19
    ROOF = 20
    LEAF = 21
    WOOD = 22
    LIGHT = 23
    BUMPER = 24
    LAMP = 25
    PLATE = 26
    LENS = 27


COUNT = len(Material)
GLOSS = np.full(COUNT, 0.15, np.float32)
"""How much of the surroundings' radiation a material mirrors at grazing angles, by material."""
GLOSS[[Material.GLASS, Material.PAINT, Material.HOOD, Material.METAL]] = 0.7, 0.5, 0.5, 0.5
GLOSS[[Material.LAMP, Material.PLATE]] = 0.6, 0.6
MIRROR = np.zeros(COUNT, np.float32)
"""The same seen straight on. Glass and paint mirror a tenth of thermal radiation there, bare metal more."""
MIRROR[[Material.GLASS, Material.PAINT, Material.HOOD, Material.METAL, Material.LAMP, Material.PLATE]] = (
    0.14, 0.08, 0.08, 0.3, 0.08, 0.45)
GRAIN = np.full(COUNT, 0.05, np.float32)
"""Kelvin of fine mottle, by material."""
GRAIN[[Material.LEAF, Material.FUR, Material.SPOT, Material.HAIR, Material.WALL, Material.TOP, Material.BOTTOM]] = (
    0.7, 0.5, 0.5, 0.3, 0.15, 0.15, 0.15)
THIN = np.full(COUNT, -np.inf, np.float32)
"""Where the grain lies below this, one sees through the material: gaps in foliage."""
THIN[Material.LEAF] = -0.9


@dataclass
class Look:
    """The materials of one individual.

    celsius: (COUNT,) float32, own temperature. gain: (COUNT,) float32, kelvin for a vertex warmth of 1. rgb: (COUNT, 3)
    float32 linear albedo. emission: (COUNT,) float32, light given off, in units of the albedo lit by 1. stripes:
    material to (period in metres, axis, second albedo): a printed pattern, which only the visible camera sees.
    """

    celsius: np.ndarray = field(default_factory=lambda: np.full(COUNT, 20.0, np.float32))
    gain: np.ndarray = field(default_factory=lambda: np.ones(COUNT, np.float32))
    rgb: np.ndarray = field(default_factory=lambda: np.full((COUNT, 3), 0.3, np.float32))
    emission: np.ndarray = field(default_factory=lambda: np.zeros(COUNT, np.float32))
    stripes: dict[Material, tuple[float, int, np.ndarray]] = field(default_factory=dict)

    def set(self, material: Material, celsius: float, rgb: np.ndarray, gain: float = 1.0, emission: float = 0.0
            ) -> Look:
        """Set one material; returns itself."""
        self.celsius[material], self.rgb[material] = celsius, rgb
        self.gain[material], self.emission[material] = gain, emission
        return self


def linear(r: float, g: float, b: float) -> np.ndarray:
    """Linear albedo (3,) of an sRGB colour given in [0, 1]."""
    return np.array([r, g, b], np.float32) ** np.float32(2.2)


def random_colour(rng: np.random.Generator, grey: float = 0.45) -> np.ndarray:
    """A linear albedo (3,) as clothes and paint have them: with probability ``grey`` black, grey or white."""
    if rng.random() < grey:
        value = rng.choice([rng.uniform(0.08, 0.25), rng.uniform(0.3, 0.7), rng.uniform(0.75, 0.95)])
        return linear(*np.clip(value + rng.normal(0, 0.02, 3), 0, 1))
    hue, dim = rng.uniform(0, 6), rng.uniform(0.25, 0.9)
    pure = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return linear(*(dim * (1 - rng.uniform(0.3, 0.95) * (1 - pure))))


SKIN_TONES = np.array([linear(*c) for c in
                       ((0.95, 0.80, 0.70), (0.88, 0.69, 0.57), (0.76, 0.56, 0.43), (0.60, 0.42, 0.30),
                        (0.42, 0.28, 0.20), (0.28, 0.19, 0.14))])
"""Linear albedo of skin, light to dark."""
HAIR_TONES = np.array([linear(*c) for c in
                       ((0.07, 0.06, 0.05), (0.20, 0.13, 0.09), (0.38, 0.25, 0.15), (0.72, 0.57, 0.36),
                        (0.62, 0.60, 0.58), (0.45, 0.20, 0.10))])
"""Linear albedo of hair."""


def person_look(rng: np.random.Generator, air: float, sun: float) -> Look:
    """A person in the weather: skin near 33 °C, clothes between skin and air, the thicker the colder the day."""
    skin = 32.8 + 0.14 * (air - 22) + rng.normal(0, 0.5)
    warm = float(np.clip((air - 2) / 26, 0, 1))
    span = skin - air

    def worn(mean: float, least: float = 0.06) -> float:
        return air + float(np.clip(rng.normal(mean, 0.11), least, 0.92)) * span + sun * rng.uniform(0, 5)

    look = Look()
    tone = SKIN_TONES[rng.integers(len(SKIN_TONES))] * rng.uniform(0.85, 1.1)
    hair = HAIR_TONES[rng.integers(len(HAIR_TONES))]
    top = random_colour(rng)
    bottom = top if rng.random() < 0.2 else random_colour(rng, 0.65)
    gain = 0.55 * span
    look.set(Material.SKIN, air + rng.uniform(0.8, 0.95) * span, tone, gain)
    look.set(Material.FACE, skin + rng.normal(0.4, 0.4), tone, 0.5 * abs(span) + 2.0)
    look.set(Material.HAND, air + rng.uniform(0.35 + 0.4 * warm, 1.0) * span, tone, gain)
    look.set(Material.HAIR, air + rng.uniform(0.2, 0.65) * span + sun * rng.uniform(0, 8), hair, gain)
    look.set(Material.EYE, skin + 0.3, linear(0.2, 0.15, 0.12), 0.0)
    look.set(Material.TOP, worn(0.22 + 0.45 * warm), top, gain)
    look.set(Material.BOTTOM, worn(0.30 + 0.36 * warm), bottom, gain)
    look.set(Material.SHOE, worn(0.18), random_colour(rng, 0.7), 0.5 * gain)
    look.set(Material.HAT, worn(0.25), random_colour(rng), gain)
    # Glass is opaque to thermal radiation, and spectacles stand off the face.
    look.set(Material.LENS, air + rng.uniform(0.1, 0.75) * span, linear(0.5, 0.5, 0.5) * rng.uniform(0.1, 1.0), 0.5)
    look.set(Material.BAG, air + sun * rng.uniform(0, 6) + 0.1 * span, random_colour(rng), 0.3 * gain)
    if rng.random() < 0.3:
        look.stripes[Material.TOP] = (rng.uniform(0.03, 0.15), int(rng.integers(2)), random_colour(rng))
    return look


def animal_look(rng: np.random.Generator, air: float, sun: float, spotted: bool) -> Look:
    """A coat between air and body, bare parts (muzzle, eyes, legs, belly) near the body's temperature."""
    span = 36.0 - air
    coat = air + rng.uniform(0.3, 0.8) * span + sun * rng.uniform(0, 6)
    rgb = linear(0.80, 0.63, 0.38) if spotted else HAIR_TONES[rng.integers(len(HAIR_TONES))] + rng.uniform(0, 0.3)
    look = Look()
    look.set(Material.FUR, coat, rgb, 0.5 * span)
    look.set(Material.SPOT, coat + (sun * rng.uniform(0, 4) if spotted else rng.normal(0, 0.5)), 0.25 * rgb, 0.5 * span)
    look.set(Material.MUZZLE, air + rng.uniform(0.75, 0.98) * span, 0.6 * rgb, 0.4 * span)
    look.set(Material.EYE, air + 0.95 * span, linear(0.1, 0.08, 0.05), 0.0)
    return look
