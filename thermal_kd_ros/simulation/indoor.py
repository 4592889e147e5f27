"""Scenes in a room, with faces close to the camera."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.actors import Actor, Behaviour, Path, PersonActor
from thermal_kd_ros.simulation.climate import Climate, random_climate
from thermal_kd_ros.simulation.mesh import Mesh, box, ellipsoid, grid_faces, merge, quad
from thermal_kd_ros.simulation.noise import point_noise
from thermal_kd_ros.simulation.people import Person
from thermal_kd_ros.simulation.render import Canvas, View, looking
from thermal_kd_ros.simulation.scene import SceneSpec


def indoor(rng: np.random.Generator, view: View) -> SceneSpec:
    """A room with one to three people near the camera."""
    climate = random_climate(rng, "indoor")
    width, depth, tall = rng.uniform(3.0, 6.5), rng.uniform(3.2, 7.5), rng.uniform(2.4, 3.1)
    count = int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15]))
    actors: list[Actor] = []
    focal = view.k[0, 0] / 772.0  # distances are meant for a lens of 45 degrees on 640 pixels
    half_width, half_height = 0.5 * view.width / view.k[0, 0], 0.5 * view.height / view.k[1, 1]
    eye, nearest = 1.45, 0.4
    for index in range(count):
        sits = bool(rng.random() < 0.4)
        person = Person(rng, climate.air)
        # Seated eyes are lower by about a thigh.
        own_eye = person.height - 0.12 - (0.42 * person.height / 1.71 if sits else 0.0)
        if index == 0:
            z = float(np.clip(np.exp(rng.uniform(np.log(0.55), np.log(2.6))) * focal, 0.4, depth - 0.6))
            x = rng.uniform(-0.65, 0.65) * half_width * z
            eye, nearest = own_eye, z + 0.35
        else:
            # Behind the first, and far enough that the head is in the picture.
            near = max(nearest, abs(own_eye - eye) / (0.75 * half_height))
            if near > depth - 0.6:
                continue
            z = rng.uniform(near, depth - 0.6)
            x = rng.uniform(-0.9, 0.9) * half_width * z
        look = (rng.normal(0, 0.30), rng.normal(0.02, 0.16))
        behaviour = Behaviour(
            "sit" if sits else "stand",
            0.3,
            1.0,
            look,
            rng.uniform(0.05, 0.55),
            bool(rng.random() < 0.5),
            rng.uniform(0, 1) if rng.random() < 0.4 else 0.0,
            int(rng.integers(2**31)),
        )
        heading = rng.normal(0, 0.30) - np.arctan2(x, z)
        actors.append(PersonActor(person, Path(x, z, heading), behaviour))
    height = eye + rng.normal(0.0, 0.06)
    down = rng.normal(0.0, 0.04)
    view = View(view.k, looking(0.0, down), np.array([0.0, -height, 0.0]), view.width, view.height)
    size = (view.height, view.width)
    canvas = Canvas(np.full(size, climate.wall, np.float32), np.full(size, np.inf, np.float32))
    return SceneSpec(view, 0.0, down, canvas, (room(rng, climate, width, depth, tall),), tuple(actors), climate.wall)


def room(rng: np.random.Generator, climate: Climate, width: float, depth: float, height: float) -> Mesh:
    """An empty room around the origin's near wall: floor, ceiling, three walls, with everything that hangs on them.

    The camera stands near z = 0 and looks along +z.
    """
    w = width / 2
    wall = climate.wall
    floor = quad(
        np.array([[-w, 0, depth], [w, 0, depth], [w, 0, -1], [-w, 0, -1]]),
        (wall - 0.7, wall - 0.7, wall - 0.4, wall - 0.4),
        12,
    )
    ceiling = quad(
        np.array([[-w, -height, -1], [w, -height, -1], [w, -height, depth], [-w, -height, depth]]), wall + 0.8, 12
    )
    back = quad(
        np.array([[-w, -height, depth], [w, -height, depth], [w, 0, depth], [-w, 0, depth]]),
        (wall + 0.5, wall + 0.5, wall - 0.4, wall - 0.4),
        12,
    )
    left = quad(
        np.array([[-w, -height, -1], [-w, -height, depth], [-w, 0, depth], [-w, 0, -1]]),
        (wall + 0.5, wall + 0.5, wall - 0.4, wall - 0.4),
        12,
    )
    right = quad(
        np.array([[w, -height, depth], [w, -height, -1], [w, 0, -1], [w, 0, depth]]),
        (wall + 0.5, wall + 0.5, wall - 0.4, wall - 0.4),
        12,
    )
    shell = merge([floor, ceiling, back, left, right])
    shell = shell.heated(0.22 * point_noise(rng, shell.vertices, 2.5) + 0.1 * point_noise(rng, shell.vertices, 0.8))
    parts = [shell]

    def panel(x: float, y: float, a: float, b: float, heat: float, thick: float = 0.05) -> Mesh:
        return box((x - a, y - b, depth - thick), (x + a, y + b, depth - 0.005), heat, 3)

    if rng.random() < 0.6:  # window or mirror
        parts.append(
            panel(
                rng.uniform(-w, w) * 0.7, -1.5, rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.7), wall + rng.uniform(-4, 2)
            )
        )
    if rng.random() < 0.5:  # radiator
        parts.append(panel(rng.uniform(-w, w) * 0.7, -0.45, 0.5, 0.3, wall + rng.uniform(3, 18), 0.12))
    if rng.random() < 0.5:  # door
        parts.append(panel(rng.uniform(-w, w) * 0.8, -1.0, 0.45, 1.0, wall + rng.uniform(-1.0, 1.0)))
    if rng.random() < 0.6:  # screen
        parts.append(
            panel(
                rng.uniform(-w, w) * 0.8,
                -1.35,
                rng.uniform(0.2, 0.5),
                rng.uniform(0.15, 0.3),
                wall + rng.uniform(2, 11),
                0.08,
            )
        )
    for _ in range(int(rng.integers(0, 5))):  # ceiling lamps
        x, z = rng.uniform(-w, w) * 0.8, rng.uniform(0.6, depth)
        parts.append(
            box((x - 0.6, -height + 0.01, z - 0.08), (x + 0.6, -height + 0.06, z + 0.08), wall + rng.uniform(2, 14))
        )
    for _ in range(int(rng.integers(1, 5))):  # furniture
        x, z = rng.uniform(-w, w) * 0.9, rng.uniform(0.55, 0.95) * depth
        size = rng.uniform(0.2, 0.6, 3) * (1, 1.6, 0.7)
        parts.append(
            box(
                (x - size[0], -2 * size[1], z - size[2]),
                (x + size[0], 0, z + size[2]),
                wall + rng.uniform(-1.2, 0.8),
                3,
            )
        )
    if rng.random() < 0.5:  # a hot cup, kettle or lamp bulb
        x, y, z = rng.uniform(-1, 1), rng.uniform(-1.9, -0.9), rng.uniform(1.2, depth)
        parts.append(ellipsoid((x, y, z), (0.05, 0.06, 0.05), wall + rng.uniform(8, 40), 8, 6))
    if rng.random() < 0.4:  # a cable or a hanging cloth
        parts.append(_drape(rng, wall, w, depth))
    return merge(parts)


def _drape(rng: np.random.Generator, wall: float, w: float, depth: float) -> Mesh:
    x, y = np.meshgrid(np.linspace(0, 0.8, 20), np.linspace(-2.2, -0.2, 8))
    start = rng.uniform(-w, w - 0.8)
    points = np.stack([x + start, y, depth - 0.12 + 0.05 * np.sin(x * 30)], -1).reshape(-1, 3).astype(np.float32)
    heat = wall - 0.3 + 0.4 * np.sin(x * 30).reshape(-1)
    return Mesh(points, grid_faces(8, 20), heat.astype(np.float32))
