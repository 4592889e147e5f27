"""Ground and sky, painted per pixel from the ray of each pixel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.noise import WorldTexture
from thermal_kd_ros.simulation.render import Canvas, View


@dataclass(frozen=True)
class Strip:
    """An endless band on the ground: road, path, pavement, painted line.

    angle: of its direction against +z (world), radians; offset: of its middle line, metres; kelvin: against the grass,
    or if ``painted``, against what lies below. dash: metres of line and gap, 0 for a solid band.
    """

    angle: float
    offset: float
    half_width: float
    kelvin: float
    rough: float = 0.4
    painted: bool = False
    dash: float = 0.0


@dataclass(frozen=True)
class Patch:
    """A soft-edged rectangle or ellipse on the ground: shadow, trace of a parked car, puddle, flower bed, manhole."""

    x: float
    z: float
    half_length: float
    half_width: float
    angle: float
    kelvin: float
    round: bool = False
    soft: float = 0.3


@dataclass(frozen=True)
class Terrain:
    """The ground plane y = 0 of a scene."""

    base: float
    rough: float
    strips: tuple[Strip, ...] = ()
    patches: tuple[Patch, ...] = ()
    curve: float = 0.0
    """1 / metres; bends the strips."""
    seed: int = 0
    size: float = field(default=40.0)
    """Metres over which the texture repeats."""


def paint_outdoors(view: View, climate: Climate, terrain: Terrain, clouds: float) -> Canvas:
    """A canvas with ground below the horizon and sky above it. ``clouds`` 0 (clear) to 1 (overcast)."""
    rays = view.rays() @ view.rotation.astype(np.float32)
    length = np.sqrt(np.einsum("ijk,ijk->ij", rays, rays))
    height = float(-view.position[1])
    down = rays[..., 1]
    rng = np.random.default_rng(terrain.seed)
    celsius = np.zeros(down.shape, np.float32)
    distance = np.full(celsius.shape, np.inf, np.float32)
    above = np.flatnonzero((down <= 1e-4).any(axis=1))
    if len(above):
        window = slice(above[0], above[-1] + 1)
        celsius[window] = _sky(rays[window] / length[window][..., None], climate, clouds, rng)
    rows = np.flatnonzero((down > 1e-4).any(axis=1))
    if len(rows):
        window = slice(rows[0], rows[-1] + 1)
        below = down[window] > 1e-4
        scale = height / np.where(below, down[window], 1.0)
        x = rays[window, :, 0] * scale + np.float32(view.position[0])
        z = rays[window, :, 2] * scale + np.float32(view.position[2])
        far = scale * length[window]
        # One pixel of a grazing ray covers this many metres of ground; texture finer than that is averaged away.
        footprint = far * far / float(height * view.k[0, 0])
        ground = _ground(x, z, footprint, terrain, rng)
        haze = np.exp(-far / 1500.0)
        ground = float(climate.air - 0.5) + haze * (ground - float(climate.air - 0.5))
        celsius[window] = np.where(below, ground, celsius[window])
        distance[window] = np.where(below, far, np.inf)
    return Canvas(celsius.astype(np.float32), distance.astype(np.float32))


def _sky(direction: np.ndarray, climate: Climate, clouds: float, rng: np.random.Generator) -> np.ndarray:
    elevation = np.maximum(-direction[..., 1], 0.0)
    clear = float(climate.sky) + float(climate.air - 1.5 - climate.sky) * np.exp(-elevation / 0.16)
    texture = WorldTexture(rng, 8.0, 4)
    flat = direction / np.maximum(elevation + 0.12, 0.12)[..., None]
    cover = np.clip(texture.sample(flat[..., 0], flat[..., 2]) * 0.5 + float(2.2 * clouds - 0.9), 0, 1)
    return (clear + cover * 0.75 * (float(climate.air - 4) - clear)).astype(np.float32)


def _ground(
    x: np.ndarray, z: np.ndarray, footprint: np.ndarray, terrain: Terrain, rng: np.random.Generator
) -> np.ndarray:
    large, fine = WorldTexture(rng, terrain.size, 8, octaves=3), WorldTexture(rng, terrain.size / 8, 16)
    slow = large.sample(x, z) / (1 + (footprint / 3.0) ** 2)
    quick = fine.sample(x, z) / (1 + (footprint / 0.25) ** 2)
    celsius = float(terrain.base) + float(terrain.rough) * (slow + 0.35 * quick)
    for strip in terrain.strips:
        cosine, sine = float(np.cos(strip.angle)), float(np.sin(strip.angle))
        across = x * cosine - z * sine - float(strip.offset)
        along = x * sine + z * cosine
        if terrain.curve:
            across = across - float(terrain.curve) * along * along
        soft = 0.02 + 0.5 * np.minimum(footprint, 3.0)
        cover = np.clip((strip.half_width - np.abs(across)) / soft + 0.5, 0, 1)
        if strip.dash:
            cover = cover * (np.mod(along, 2 * strip.dash) < strip.dash)
        if strip.painted:
            celsius = celsius + cover * float(strip.kelvin)
        else:
            # Wheels polish and warm two tracks of each lane.
            tracks = 0.25 * strip.rough * np.cos(across * float(2 * np.pi / max(strip.half_width, 0.5)))
            own = float(terrain.base + strip.kelvin) + strip.rough * (0.5 * slow + 0.3 * quick) + tracks
            celsius = celsius + cover * (own - celsius)
    for patch in terrain.patches:
        reach = 1.5 * (np.hypot(patch.half_length, patch.half_width) + patch.soft)
        near = (np.abs(x - patch.x) < reach) & (np.abs(z - patch.z) < reach)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if not len(rows):
            continue
        window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        dx, dz = x[window] - patch.x, z[window] - patch.z
        cosine, sine = float(np.cos(patch.angle)), float(np.sin(patch.angle))
        u = (dx * cosine - dz * sine) / patch.half_width
        v = (dx * sine + dz * cosine) / patch.half_length
        outside = np.hypot(u, v) if patch.round else np.maximum(np.abs(u), np.abs(v))
        edge = (outside - 1) * min(patch.half_length, patch.half_width) / patch.soft
        celsius[window] += patch.kelvin * np.clip(0.5 - edge, 0, 1)
    return celsius.astype(np.float32)
