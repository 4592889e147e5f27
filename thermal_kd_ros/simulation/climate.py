"""The weather and the hour: the temperatures that a scene starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Climate:
    """°C of the air, the zenith sky, and the surfaces; ``sun`` is 0 (night) to 1 (clear noon)."""

    air: float
    sky: float
    road: float
    pavement: float
    grass: float
    tree: float
    wall: float
    roof: float
    sun: float
    wet: bool = False


def random_climate(rng: np.random.Generator, hour: str) -> Climate:
    """A climate for 'day', 'dusk', 'night' or 'indoor'.

    Asphalt and walls store the sun's heat into the night; grass, roofs and car paint, which see the cold sky and store
    little, fall below the air. At dusk both happen at once, and parked cars show dark on a warm road.
    """
    if hour == "indoor":
        air = rng.uniform(19.0, 27.0)
        return Climate(air, air, air, air, air, air, air + rng.uniform(-0.5, 1.0), air, 0.0)
    if hour == "day":
        air, sun = rng.uniform(4.0, 33.0), rng.uniform(0.15, 1.0)
        return Climate(
            air,
            air - rng.uniform(12, 45),
            air + sun * rng.uniform(3, 18),
            air + sun * rng.uniform(3, 16),
            air + sun * rng.uniform(0, 9),
            air + sun * rng.uniform(-2, 2),
            air + sun * rng.uniform(0, 12),
            air + sun * rng.uniform(4, 22),
            sun,
        )
    air = rng.uniform(-6.0, 24.0)
    stored = rng.uniform(2.0, 7.0) if hour == "dusk" else rng.uniform(0.0, 3.5)
    wet = bool(rng.random() < 0.15)
    stored *= 0.3 if wet else 1.0
    return Climate(
        air,
        air - rng.uniform(8, 42),
        air + stored,
        air + stored * rng.uniform(0.5, 1.0),
        air - rng.uniform(-1, 3),
        air + rng.uniform(-0.8, 1.5),
        air + rng.uniform(0, 5),
        air - rng.uniform(1, 6),
        0.0,
        wet,
    )
