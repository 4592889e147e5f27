"""Ground, sky and the far horizon of outdoor scenes, painted per pixel in temperature and colour together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.noise import WorldTexture, value_noise
from training.data.pair_scenes.ambience import Ambience
from training.data.pair_scenes.canvas import Canvas
from training.data.pair_scenes.materials import linear


@dataclass(frozen=True)
class Surface:
    """A kind of ground: mean °C, kelvin of mottle, linear albedo (3,), relative mottle of the albedo."""

    celsius: float
    rough: float
    rgb: np.ndarray
    mottle: float


@dataclass(frozen=True)
class Band:
    """An endless band: its direction (radians against +z), offset and half width in metres, and what it is made of."""

    angle: float
    offset: float
    half_width: float
    surface: Surface
    dash: float = 0.0
    """Metres of line and gap of a painted line; 0 for a solid band."""


@dataclass(frozen=True)
class Spot:
    """An ellipse or rectangle on the ground: puddle, manhole, bed, trace of a car."""

    x: float
    z: float
    half: tuple[float, float]
    angle: float
    kelvin: float
    darken: float
    round: bool


@dataclass(frozen=True)
class Terrain:
    """All of the ground."""

    base: Surface
    bands: tuple[Band, ...]
    spots: tuple[Spot, ...]
    dapple: float
    """Share of the ground in the shade of something out of the picture; 0 for none."""


def surfaces(rng: np.random.Generator, climate: Climate) -> dict[str, Surface]:
    """Kinds of ground in the weather."""
    green = linear(0.25, 0.38, 0.14) * rng.uniform(0.6, 1.6)
    grey = rng.uniform(0.25, 0.5)
    return {
        "grass": Surface(climate.grass, rng.uniform(0.3, 1.3), green, 0.35),
        "road": Surface(climate.road, rng.uniform(0.1, 0.5), linear(grey, grey, grey), 0.12),
        "pavement": Surface(climate.pavement, rng.uniform(0.1, 0.6), linear(grey + 0.2, grey + 0.18, grey + 0.15), 0.1),
        "soil": Surface(0.5 * (climate.grass + climate.road), rng.uniform(0.3, 1.5), linear(0.42, 0.33, 0.24), 0.3),
        "paint": Surface(climate.road - climate.sun * rng.uniform(0, 5), 0.2, linear(0.85, 0.85, 0.82), 0.1),
    }


def paint_outdoors(canvas: Canvas, climate: Climate, terrain: Terrain, sky_rgb: np.ndarray, clouds: float,
                   rng: np.random.Generator) -> None:
    """Fill the canvas with ground below the horizon and sky above it. ``clouds`` 0 (clear) to 1 (overcast)."""
    view = canvas.view
    rays = view.rays() @ view.rotation.astype(np.float32)
    length = np.sqrt(np.einsum("ijk,ijk->ij", rays, rays))
    down = rays[..., 1]
    below = down > 2e-3
    _sky(canvas, rays / length[..., None], ~below, climate, sky_rgb, clouds, rng)
    rows = np.flatnonzero(below.any(axis=1))
    if not len(rows):
        return
    window = slice(rows[0], rows[-1] + 1)
    height = float(-view.position[1])
    scale = height / np.maximum(down[window], 2e-3)
    x, z = rays[window, :, 0] * scale, rays[window, :, 2] * scale
    far = scale * length[window]
    footprint = far * far / float(height * view.k[0, 0])
    celsius, albedo, shade = _ground(x, z, footprint, terrain, climate, rng)
    haze = np.exp(-far / 900.0)
    celsius = float(climate.air - 0.5) + haze * (celsius - float(climate.air - 0.5))
    solid = below[window]
    canvas.celsius[window] = np.where(solid, celsius, canvas.celsius[window])
    canvas.albedo[window] = np.where(solid[..., None], albedo, canvas.albedo[window])
    canvas.emission[window] *= ~solid[..., None]
    canvas.distance[window] = np.where(solid, far, np.inf)
    canvas.ground[window] = solid
    canvas.shade[window] = np.where(solid, shade, 0)


def _sky(canvas: Canvas, direction: np.ndarray, above: np.ndarray, climate: Climate, sky_rgb: np.ndarray,
         clouds: float, rng: np.random.Generator) -> None:
    if not above.any():
        return
    rows = np.flatnonzero(above.any(axis=1))
    window = slice(rows[0], rows[-1] + 1)
    direction = direction[window]
    elevation = np.maximum(-direction[..., 1], 0.0)
    clear = Ambience(climate.air, climate.sky, climate.road).clear_sky(elevation)
    flat = direction / np.maximum(elevation + 0.12, 0.12)[..., None]
    texture = WorldTexture(rng, 8.0, 4).sample(flat[..., 0], flat[..., 2])
    cover = np.clip(texture * 0.5 + float(2.2 * clouds - 0.9), 0, 1)
    celsius = clear + cover * 0.75 * (float(climate.air - 4) - clear)
    blue = sky_rgb * (0.7 + 0.8 * np.exp(-elevation / 0.25))[..., None]
    white = sky_rgb.mean() * np.array([1.3, 1.3, 1.3], np.float32)
    emission = blue + cover[..., None] * (white - blue)
    # The far horizon: a jagged line of trees and houses.
    kind = rng.choice(["trees", "houses", "none"], p=[0.5, 0.3, 0.2])
    if kind != "none":
        width = canvas.view.width
        cell = rng.uniform(0.03, 0.2) * width
        profile = value_noise(rng, 1, width, max(cell, 4.0), 4, 0.6)[0]
        if kind == "houses":
            profile = np.round(profile * 2) / 2
        top = np.clip(rng.uniform(0.0, 0.16) + rng.uniform(0.01, 0.05) * profile, 0, 0.5)
        wood = elevation < top[None]
        mottle = value_noise(rng, elevation.shape[0], elevation.shape[1], 6.0, 3)
        air = climate.tree if kind == "trees" else climate.wall
        celsius = np.where(wood, air + rng.normal(0, 0.8) + rng.uniform(0.2, 0.9) * mottle, celsius)
        rgb = linear(0.16, 0.24, 0.12) if kind == "trees" else linear(0.4, 0.36, 0.33)
        emission = np.where(wood[..., None], (sky_rgb.mean() * 2 * rgb) * np.maximum(1 + 0.25 * mottle, 0.0)[..., None],
                            emission)
    canvas.celsius[window] = celsius
    canvas.emission[window] = emission
    canvas.albedo[window] = 0.0


def _ground(x: np.ndarray, z: np.ndarray, footprint: np.ndarray, terrain: Terrain, climate: Climate,
            rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """°C (H, W), albedo (H, W, 3) and shade (H, W) of ground points."""
    large, fine = WorldTexture(rng, 40.0, 8, octaves=3), WorldTexture(rng, 3.0, 16)
    slow = large.sample(x, z) / (1 + (footprint / 3.0) ** 2)
    quick = fine.sample(x, z) / (1 + (footprint / 0.12) ** 2)
    base = terrain.base
    celsius = float(base.celsius) + float(base.rough) * (0.7 * slow + 0.45 * quick)
    bright = 1 + base.mottle * (0.5 * slow + 0.6 * quick)
    albedo = base.rgb * bright[..., None]
    for band in terrain.bands:
        cosine, sine = float(np.cos(band.angle)), float(np.sin(band.angle))
        across = x * cosine - z * sine - float(band.offset)
        soft = 0.02 + 0.5 * np.minimum(footprint, 3.0)
        cover = np.clip((band.half_width - np.abs(across)) / soft + 0.5, 0, 1)
        if band.dash:
            cover = cover * (np.mod(x * sine + z * cosine, 2 * band.dash) < band.dash)
        own = band.surface
        celsius = celsius + cover * (float(own.celsius) + own.rough * (0.4 * slow + 0.3 * quick) - celsius)
        bright = 1 + own.mottle * (0.5 * slow + 0.6 * quick)
        albedo = albedo + cover[..., None] * (own.rgb * bright[..., None] - albedo)
    for spot in terrain.spots:
        dx, dz = x - spot.x, z - spot.z
        cosine, sine = float(np.cos(spot.angle)), float(np.sin(spot.angle))
        u, v = (dx * cosine - dz * sine) / spot.half[0], (dx * sine + dz * cosine) / spot.half[1]
        outside = np.hypot(u, v) if spot.round else np.maximum(np.abs(u), np.abs(v))
        cover = np.clip(0.5 - (outside - 1) * min(spot.half) / 0.15, 0, 1)
        celsius = celsius + spot.kelvin * cover
        albedo = albedo * (1 - spot.darken * cover)[..., None]
    shade = np.zeros_like(celsius)
    if terrain.dapple > 0:
        wide = WorldTexture(rng, 30.0, 8, octaves=3).sample(x, z)
        shade = np.clip((wide - float(np.quantile(wide[::4, ::4], 1 - terrain.dapple))) * 4 + 0.5, 0, 1)
        celsius = celsius - climate.sun * 6.0 * shade
    return celsius.astype(np.float32), np.clip(albedo, 0.005, 1).astype(np.float32), shade.astype(np.float32)
