"""Smooth random fields: the mottle of soil, walls, foliage, cloth and skin."""

from __future__ import annotations

import cv2
import numpy as np


def value_noise(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 3, persistence: float = 0.5
) -> np.ndarray:
    """(height, width) float32 value noise of zero mean and unit standard deviation.

    Args:
        cell: period of the coarsest octave, pixels; each further octave halves it.
        persistence: amplitude ratio of an octave to the one before.
    """
    total = np.zeros((height, width), np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        rows, columns = max(2, int(np.ceil(height / cell)) + 1), max(2, int(np.ceil(width / cell)) + 1)
        lattice = rng.standard_normal((rows, columns), dtype=np.float32)
        total += amplitude * cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)
        amplitude *= persistence
        cell = max(cell / 2, 1.0)
    total -= total.mean()
    return total / max(float(total.std()), 1e-6)


def point_noise(rng: np.random.Generator, points: np.ndarray, period: float, waves: int = 10) -> np.ndarray:
    """(N,) float32 smooth noise at 3-D points, about unit standard deviation: a sum of random plane waves.

    Args:
        points: (N, 3) metres.
        period: typical wavelength, metres.
    """
    direction = rng.standard_normal((3, waves))
    direction *= (2 * np.pi / period) * rng.uniform(0.6, 1.6, waves) / np.linalg.norm(direction, axis=0)
    phase = rng.uniform(0, 2 * np.pi, waves)
    angle = (np.asarray(points, np.float32) @ direction.astype(np.float32)) + phase.astype(np.float32)
    return np.sin(angle).sum(axis=1) * np.float32(np.sqrt(2.0 / waves))


class WorldTexture:
    """A square noise tile repeated over the ground (or any plane), sampled at metric coordinates."""

    def __init__(self, rng: np.random.Generator, metres: float, cells: int, size: int = 256, octaves: int = 4) -> None:
        """A tile of side ``metres`` with ``cells`` (a power of two) coarsest cells across its ``size`` pixels."""
        tile = np.zeros((size, size), np.float32)
        for octave in range(octaves):
            count = min(cells * 2**octave, size // 2)
            lattice = np.pad(rng.standard_normal((count, count), dtype=np.float32), 2, mode="wrap")
            # Enlarged with wrapped margins, so that the tile continues itself.
            margin = 2 * size // count
            wide = cv2.resize(lattice, (size + 2 * margin, size + 2 * margin), interpolation=cv2.INTER_CUBIC)
            tile += 0.65**octave * wide[margin : margin + size, margin : margin + size]
        self._tile = (tile - tile.mean()) / tile.std()
        self._scale = size / metres

    def sample(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Noise at the metric coordinates, float32 of the shape of ``u`` (2-D)."""
        side = float(self._tile.shape[0])
        x = np.mod(u * self._scale, side).astype(np.float32)
        y = np.mod(v * self._scale, side).astype(np.float32)
        return cv2.remap(self._tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
