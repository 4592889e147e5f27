"""The thermal surroundings that glossy surfaces mirror."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ambience:
    """°C of the air, of the zenith sky, and of the ground around."""

    air: float
    sky: float
    ground: float

    def clear_sky(self, elevation: np.ndarray) -> np.ndarray:
        """Apparent °C of a clear sky at sines of elevation above the horizon, where the air itself is what shines."""
        return np.float32(self.sky) + np.float32(self.air - 1.5 - self.sky) * np.exp(-elevation / np.float32(0.16))

    def celsius(self, elevation: np.ndarray) -> np.ndarray:
        """Apparent °C at sines of elevation (-1 below, 1 above): sky, ground, and around the horizon a mixture."""
        above = np.clip(elevation / np.float32(0.2) + np.float32(0.5), 0, 1)
        return above * self.clear_sky(np.maximum(elevation, 0)) + (1 - above) * np.float32(self.ground)
