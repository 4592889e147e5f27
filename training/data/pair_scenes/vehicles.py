"""Vehicles out of the vehicle archive, and what engine, wheels, exhaust, paint and glass are like in the weather.

Where heat shows follows what thermal pictures of traffic show: the bonnet and grille over a running engine, tyres and
brakes after driving, the exhaust at the rear, and glass that mirrors the cold sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.mesh import ellipsoid
from training.data.pair_scenes.assets import AXES, read_archive
from training.data.pair_scenes.materials import Look, Material, linear, random_colour
from training.data.pair_scenes.model import Model, faceted, joined, part

LABELS = {"bus": "other_vehicle", "ambulance": "other_vehicle", "fire_truck": "other_vehicle",
          "motorcycle_lowpoly": "bicycle", "bicycle_generated": "bicycle"}
"""Labels of the archive's vehicles that are not a ``car``. Motorcycles count as bicycles, as HIT-UAV labels them."""
_PARTS = {"body": Material.PAINT, "hood": Material.HOOD, "glass_side": Material.GLASS, "wheel": Material.TYRE,
          "interior": Material.GLASS}
"""No pane lets heat through: where the archive has an open cabin, a thermal camera would see glass."""


@dataclass(frozen=True)
class Vehicle:
    """A vehicle's model, label, and saddle (3,) in its own frame if someone can ride on it."""

    model: Model
    label: str
    saddle: np.ndarray | None = None


def load_vehicles(folder: Path) -> list[Vehicle]:
    """Every vehicle of the archive. Raises DataError for a missing or strange archive."""
    arrays = read_archive(folder, "vehicles.npz", ("vehicle_names", "part_names"))
    material = np.array([_PARTS.get(name, Material.PAINT) for name in arrays["part_names"].tolist()], np.uint8)
    found = []
    for name in arrays["vehicle_names"].tolist():
        label = LABELS.get(name, "car")
        points = arrays[f"{name}_vertices"] * AXES
        materials = material[arrays[f"{name}_part"]]
        brightness = arrays[f"{name}_color"].astype(np.float32).mean(1)
        if label == "bicycle":
            model, saddle = _two_wheeler(points, arrays[f"{name}_faces"], materials, "bicycle" in name)
        else:
            # Windows painted into the texture show as dark faces above the belt line of the body.
            centre = points[arrays[f"{name}_faces"]].mean(1)
            windows = (materials == Material.PAINT) & (brightness < 45) & (centre[:, 1] < 0.55 * points[:, 1].min())
            materials[windows | _screens(points, arrays[f"{name}_faces"])] = Material.GLASS
            vertices, split = faceted(points.astype(np.float32), arrays[f"{name}_faces"])
            body = Model(vertices, split, materials, np.zeros(len(vertices), np.float32))
            model, saddle = engined(body, 1 if len(points) % 2 else -1), None
        found.append(Vehicle(model, label, saddle))
    return found


def _screens(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) bool, the faces high up that look ahead or back: windscreens and rear windows, which some bodies paint."""
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.abs(normal) / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    up = corners[:, :, 1].mean(1) / points[:, 1].min()
    return (up > 0.68) & (up < 0.93) & (normal[:, 2] > 0.35) & (normal[:, 0] < 0.7)


def engined(body: Model, side: int) -> Model:
    """A body of four wheels or more with what an engine warms, and an exhaust on the left (-1) or right (1).

    Warmth 1 is the engine's: over the front axle, at the grille, less around the wheel arches.
    """
    length, height = np.ptp(body.vertices[:, 2]), body.height
    front = (body.vertices[:, 2] + length / 2) / length
    up = -body.vertices[:, 1] / height
    engine = np.exp(-((front - 0.10) / 0.13) ** 2) * np.exp(-((up - 0.45) / 0.35) ** 2)
    under = 0.5 * np.exp(-((up - 0.08) / 0.1) ** 2) * (front < 0.9)
    warmth = engine + under
    panes = np.unique(body.faces[body.material == Material.GLASS])
    warmth[panes] = 0.15 * engine[panes]
    pipe = part(ellipsoid((0.3 * side * np.ptp(body.vertices[:, 0]), -0.14 * height - 0.06, length / 2 - 0.06),
                          (0.06, 0.05, 0.10), 0.0, 8, 6), Material.HOT)
    return joined([Model(body.vertices, body.faces, body.material, warmth.astype(np.float32)), pipe])


def _two_wheeler(points: np.ndarray, faces: np.ndarray, materials: np.ndarray, bicycle: bool
                 ) -> tuple[Model, np.ndarray]:
    vertices, split = faceted(points.astype(np.float32), faces)
    warmth = np.zeros(len(vertices), np.float32)
    if bicycle:
        return Model(vertices, split, materials, warmth), np.array([0, -0.97, 0.27], np.float32)
    engine = np.exp(-(((vertices[:, 2] - 0.05) / 0.25) ** 2 + ((vertices[:, 1] + 0.42) / 0.18) ** 2))
    warmth += 1.2 * engine.astype(np.float32)
    pipe = part(ellipsoid((0.17, -0.32, 0.55), (0.05, 0.05, 0.25), 0.0, 8, 6), Material.HOT)
    return joined([Model(vertices, split, materials, warmth), pipe]), np.array([0, -0.78, 0.30], np.float32)


def vehicle_look(rng: np.random.Generator, climate: Climate, running: bool) -> Look:
    """Paint, glass, tyres and engine of a vehicle that drives, or stands since minutes or since hours."""
    loss = (climate.air - climate.sky) * rng.uniform(0.03, 0.15)
    sunlit = climate.sun * rng.uniform(0, 22)
    heat = rng.uniform(8, 30) if running else rng.choice([0.0, rng.uniform(2, 12)], p=[0.6, 0.4])
    rolling = rng.uniform(4, 18) if running else rng.uniform(-0.5, 4) * (heat > 0)
    paint = climate.air + 0.6 * sunlit - 0.5 * loss
    if running and rng.random() < 0.5:  # driven for long, heated inside
        paint += rng.uniform(1, 7)
    rgb = random_colour(rng, 0.65)
    look = Look()
    look.set(Material.PAINT, paint, rgb, 0.45 * heat)
    look.set(Material.HOOD, paint + 0.3 * sunlit, rgb, 0.9 * heat)
    look.set(Material.GLASS, climate.air + 0.2 * sunlit - rng.uniform(0.8, 1.6) * loss + (2.0 if running else 0.0),
             linear(0.10, 0.12, 0.14), heat)
    rubber = climate.air + rng.uniform(0.2, 0.8) * sunlit + rolling
    look.set(Material.TYRE, rubber, linear(0.12, 0.12, 0.12), 0.5 * heat)
    look.set(Material.BUMPER, paint + rng.uniform(-0.1, 0.4) * sunlit + rng.uniform(0, 0.5) * loss, rgb, 0.3 * heat)
    look.set(Material.LAMP, climate.air + 0.4 * sunlit + (rng.uniform(0, 6) if running else 0.0),
             linear(0.5, 0.2, 0.2) if rng.random() < 0.5 else linear(0.7, 0.7, 0.7), heat)
    look.set(Material.PLATE, climate.air + 0.4 * sunlit, linear(0.85, 0.85, 0.8), 0.0)
    look.set(Material.METAL, climate.air + 0.3 * sunlit, linear(0.2, 0.2, 0.2), 0.2 * heat)
    exhaust = climate.air + (rng.uniform(15, 70) if running else heat)
    look.set(Material.HOT, exhaust, linear(0.25, 0.25, 0.25), 0.0)
    return look
