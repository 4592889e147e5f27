"""Rooms: walls, windows, radiators, lamps, screens and furniture, warm and cold clutter behind people."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.mesh import box, grid_faces, tube
from thermal_kd_ros.simulation.noise import point_noise
from training.data.pair_scenes.materials import Look, Material, linear, random_colour
from training.data.pair_scenes.model import Model, part
from training.data.pair_scenes.things import Thing, chair, hot_thing

Placed = tuple[Thing, np.ndarray]
"""A thing and its position (3,)."""


def _sheet(rng: np.random.Generator, corner: np.ndarray, u: np.ndarray, v: np.ndarray, material: Material,
           rough: float) -> Model:
    """A rectangle corner + s u + t v with mottled warmth."""
    steps = np.linspace(0, 1, 13)
    s, t = np.meshgrid(steps, steps)
    points = corner + s.reshape(-1, 1) * u + t.reshape(-1, 1) * v
    warmth = rough * (point_noise(rng, points, 3.0) + 0.5 * point_noise(rng, points, 0.7))
    return Model(points.astype(np.float32), grid_faces(13, 13), np.full(2 * 12 * 12, material, np.uint8),
                 warmth.astype(np.float32))


def room(rng: np.random.Generator, air: float, outside: float, day: bool) -> tuple[list[Placed], list[float]]:
    """The shell and furniture of a room around a camera at (0, -h, 0); returns things, and its (left, right, depth).

    The back wall stands at z = depth; x runs from -left to right; the wall behind the camera is left out.
    """
    left, right, depth = rng.uniform(1.2, 5), rng.uniform(1.2, 5), float(np.exp(rng.uniform(np.log(2.5), np.log(12))))
    high = rng.uniform(2.3, 3.4)
    rough = float(rng.choice([0.05, 0.15, 0.4]))
    wall, floor = random_colour(rng, 0.8) * 0.5 + 0.35, random_colour(rng, 0.5) * 0.6 + 0.08
    corner = np.array([-left, -high, depth])
    across, deep, up = np.array([left + right, 0, 0]), np.array([0, 0, depth + 1.0]), np.array([0, high, 0])
    look = Look().set(Material.WALL, air + rng.normal(0, 0.6), wall)
    look.set(Material.WOOD, air + rng.normal(-0.5, 0.8), floor)
    look.set(Material.ROOF, air + rng.uniform(0, 1.5), linear(0.9, 0.9, 0.88))
    walls = [_sheet(rng, corner, across, up, Material.WALL, rough),
             _sheet(rng, corner - deep, deep, up, Material.WALL, rough),
             _sheet(rng, corner + across, -deep, up, Material.WALL, rough),
             _sheet(rng, corner - deep, across, deep, Material.ROOF, rough),
             _sheet(rng, corner - deep + up, across, deep, Material.WOOD, rough)]
    here = np.zeros(3)
    things: list[Placed] = [((sheet, look), here) for sheet in walls]

    def on_wall(width: float, height: float, y: float, material: Material, own: Look, thick: float = 0.03) -> None:
        mesh = box((-width / 2, -height / 2, -thick), (width / 2, height / 2, 0.0), 0.0, 4)
        mesh = mesh.heated(0.3 * point_noise(rng, mesh.vertices, 0.6))
        side = int(rng.integers(3))
        if side == 0:
            place = np.array([rng.uniform(-left, right), -y, depth - 0.01])
            vertices = mesh.vertices
        else:
            place = np.array([-left + 0.01 if side == 1 else right - 0.01, -y, rng.uniform(0.8, depth)])
            turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32) * (1 if side == 2 else -1)
            turn[1, 1] = 1
            vertices = mesh.vertices @ turn.T
        model = part(mesh, material)
        model.vertices = vertices.astype(np.float32)
        things.append(((model, own), place))

    for _ in range(int(rng.integers(0, 3))):  # windows
        pane = air + rng.uniform(0.2, 0.6) * (outside - air) + (rng.uniform(0, 6) if day else 0)
        on_wall(rng.uniform(0.6, 2.2), rng.uniform(0.8, 1.6), rng.uniform(1.2, 1.8), Material.GLASS,
                Look().set(Material.GLASS, pane, linear(0.7, 0.8, 0.9), 1.0, 2.5 if day else 0.02))
    if rng.random() < 0.6:
        on_wall(rng.uniform(0.5, 1.6), 0.6, 0.45, Material.HOT,
                Look().set(Material.HOT, air + rng.uniform(2, 30), linear(0.9, 0.9, 0.88), 2.0), 0.1)
    if rng.random() < 0.6:  # a door
        on_wall(0.9, 2.0, 1.0, Material.WOOD, Look().set(Material.WOOD, air + rng.normal(0, 0.8), random_colour(rng)))
    for _ in range(int(rng.integers(0, 4))):  # pictures, cupboards, screens
        screen = rng.random() < 0.35
        on_wall(rng.uniform(0.3, 1.3), rng.uniform(0.25, 0.9), rng.uniform(1.0, 2.0), Material.PAINT,
                Look().set(Material.PAINT, air + (rng.uniform(2, 15) if screen else rng.normal(0, 0.3)),
                           random_colour(rng), 1.0, 1.5 if screen else 0.0))
    for _ in range(int(rng.integers(1, 4))):  # lamps
        lamp = tube(np.array([[0, 0, 0], [0, 0.12, 0]]), np.array([0.05, 0.18]), 0.0, 12)
        own = Look().set(Material.LIGHT, air + rng.uniform(3, 35), linear(1, 0.95, 0.85), 1.0, 5.0)
        place = np.array([rng.uniform(-left, right), -high * rng.uniform(0.75, 0.98), rng.uniform(1.5, depth)])
        things.append(((part(lamp, Material.LIGHT), own), place))
    for _ in range(int(rng.integers(1, 7))):  # furniture
        place = np.array([rng.uniform(-left, right), 0.0, rng.uniform(1.8, depth)])
        size = rng.uniform((0.2, 0.3, 0.2), (0.9, 1.9, 0.5))
        mesh = box(-size * (1, 1, 1), size * (1, 0, 1), 0.0, 4)
        mesh = mesh.heated(0.3 * point_noise(rng, mesh.vertices, 0.8))
        own = Look().set(Material.WOOD, air + rng.normal(0, 0.8), random_colour(rng, 0.5))
        things.append(((part(mesh, Material.WOOD), own), place))
    for _ in range(int(rng.integers(0, 4))):
        place = np.array([rng.uniform(-left, right), 0.0, rng.uniform(1.0, depth)])
        things.append((chair(rng, air, rng.uniform(0.4, 0.55)), place))
    for _ in range(int(rng.integers(0, 4))):
        place = np.array([rng.uniform(-left, right), -rng.choice([0.0, 0.75, 1.2]), rng.uniform(1.0, depth)])
        things.append((hot_thing(rng, air), place))
    return things, [left, right, depth]
