"""What stands around outdoors: houses, trees, walls, fences, lamps, and hot things that are nobody."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from thermal_kd_ros.simulation import surroundings
from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.mesh import Mesh, box, ellipsoid, merge, quads, tube
from thermal_kd_ros.simulation.noise import point_noise
from training.data.pair_scenes.materials import Look, Material, linear, random_colour
from training.data.pair_scenes.model import Model, joined, part

Thing = tuple[Model, Look]
"""A model with its materials."""


def from_mesh(mesh: Mesh, material: Material, air: float, rgb: np.ndarray) -> Thing:
    """A mesh of the simulated camera, whose vertices carry °C, in one colour."""
    model = part(mesh, material)
    model.warmth = (mesh.temperature - np.float32(air)).astype(np.float32)
    return model, Look().set(material, air, rgb)


@lru_cache(maxsize=64)
def _tree(number: int) -> Model:
    """Tree ``number``, 6 m high, with its warmth against the air."""
    rng = np.random.default_rng((number, 5))
    height = 6.0
    model = part(surroundings.tree(rng, Climate(0, 0, 0, 0, 0, 0, 0, 0, 0.4), height), Material.LEAF)
    centre = model.vertices[model.faces].mean(1)
    near = np.hypot(centre[:, 0], centre[:, 2]) < 0.03 * height + 0.02
    model.material[near & (-centre[:, 1] < 0.55 * height)] = Material.WOOD
    return model


def tree(rng: np.random.Generator, climate: Climate, height: float) -> Thing:
    """One of 64 trees with a brown trunk and green or autumn leaves, grown to ``height`` metres."""
    grown = _tree(int(rng.integers(64))).scaled(height / 6.0)
    look = Look().set(Material.LEAF, climate.tree, linear(0.25, 0.38, 0.15) * rng.uniform(0.5, 1.5),
                      rng.uniform(0.5, 1.5))
    return grown, look.set(Material.WOOD, climate.air + rng.uniform(-0.5, 1.0), linear(0.35, 0.27, 0.2))


def bush(rng: np.random.Generator, climate: Climate) -> Thing:
    """A bush or a piece of hedge."""
    return from_mesh(surroundings.bush(rng, climate, rng.uniform(0.4, 1.4)), Material.LEAF, climate.air,
                     linear(0.22, 0.36, 0.14) * rng.uniform(0.5, 1.5))


def lamp_post(rng: np.random.Generator, climate: Climate, height: float, lit: bool) -> Thing:
    """A street lamp; a lit one is hot and bright at its head."""
    model, look = from_mesh(surroundings.lamp_post(rng, climate, height, lit), Material.METAL, climate.air,
                            linear(0.4, 0.4, 0.4))
    if lit:
        model.material[model.vertices[model.faces].mean(1)[:, 1] < -1.005 * height] = Material.LIGHT
        look.set(Material.LIGHT, climate.air, linear(1.0, 0.9, 0.7), 1.0, 8.0)
    return model, look


def clutter(rng: np.random.Generator, climate: Climate) -> Thing:
    """A fence, a bin, a bench, a sign, a warm cabinet, a hot pipe, a barrel, crates."""
    mesh = (surroundings.fence(rng, climate, rng.uniform(2, 10)) if rng.random() < 0.25
            else surroundings.clutter(rng, climate))
    return from_mesh(mesh, Material.METAL, climate.air, random_colour(rng))


def house(rng: np.random.Generator, climate: Climate, width: float, depth: float, height: float) -> Thing:
    """A box of bricks, plaster or wood with windows, a roof, and sometimes a hot chimney and vents on top."""
    wall = climate.wall + rng.normal(0, 1.0)
    shell = box((-width / 2, -height, -depth / 2), (width / 2, 0, depth / 2), 0.0, 6)
    shell = shell.heated(0.4 * point_noise(rng, shell.vertices, 6.0) + 0.3 * point_noise(rng, shell.vertices, 1.0))
    parts = [part(shell, Material.WALL)]
    storey, bay = rng.uniform(2.6, 3.5), rng.uniform(1.8, 4.0)
    slim = rng.uniform(0.35, 0.7) if rng.random() < 0.3 else 1.0  # as tall and narrow as somebody upright
    panes, heat = [], []
    for rows in range(max(int(height / storey), 1)):
        for column in range(int((width - 0.8) / bay)):
            x = (column - (int((width - 0.8) / bay) - 1) / 2) * bay
            w, h = 0.5 * slim * bay * rng.uniform(0.4, 0.75), 0.5 * storey * rng.uniform(0.4, 0.6)
            y = -(rows + 0.5) * storey
            for out in (-depth / 2 - 0.03, depth / 2 + 0.03):
                panes.append([[x - w, y - h, out], [x + w, y - h, out], [x + w, y + h, out], [x - w, y + h, out]])
                heat.append(rng.uniform(0, 5) * (rng.random() < 0.3))
    if panes:
        parts.append(part(quads(np.array(panes), np.array(heat)), Material.GLASS))
    rise = 0.0
    if rng.random() < 0.6:
        rise = rng.uniform(0.2, 0.5) * depth
        corners = [[[-width / 2, -height, s * depth / 2], [width / 2, -height, s * depth / 2],
                    [width / 2, -height - rise, 0], [-width / 2, -height - rise, 0]] for s in (-1, 1)]
        parts.append(part(quads(np.array(corners), np.zeros(2)), Material.ROOF))
    if rng.random() < 0.4:
        x = rng.uniform(-0.35, 0.35) * width
        parts.append(part(box((x - 0.3, -height - 2.5, -0.3), (x + 0.3, -height + 0.5, 0.3), 0.0), Material.HOT))
    if rng.random() < 0.5:
        parts.append(part(merge([_on_roof(rng, width, depth, height, rise) for _ in range(int(rng.integers(1, 5)))]),
                          Material.METAL))
    look = Look()
    rgb = linear(0.6, 0.38, 0.3) if rng.random() < 0.3 else random_colour(rng, 0.7) * 0.5 + 0.2
    look.set(Material.WALL, wall, rgb)
    look.set(Material.ROOF, climate.roof, linear(0.4, 0.25, 0.2))
    look.set(Material.GLASS, wall - rng.uniform(0.03, 0.2) * (climate.air - climate.sky), linear(0.15, 0.18, 0.2),
             float(rng.choice([1.0, rng.uniform(1.5, 4.0)], p=[0.6, 0.4])),  # heated rooms, thin panes
             float(rng.uniform(1, 4)) if climate.sun < 0.1 and rng.random() < 0.6 else 0.0)
    look.set(Material.METAL, climate.air + rng.uniform(-2, 4) + climate.sun * rng.uniform(0, 8),
             random_colour(rng, 0.3))
    look.set(Material.HOT, climate.air + rng.uniform(2, 30), rgb)
    return joined(parts), look


def _on_roof(rng: np.random.Generator, width: float, depth: float, height: float, rise: float) -> Mesh:
    """A vent, a pipe with a cap or a fan's box, on the near half of a roof that rises to its ridge by ``rise``."""
    x, z = rng.uniform(-0.45, 0.45) * width, -rng.uniform(0, 0.45) * depth
    foot = np.array([x, -height - rise * (1 + 2 * z / depth), z])
    tall, wide = rng.uniform(0.3, 1.3), rng.uniform(0.07, 0.3)
    warm = rng.uniform(0, 12)
    if rng.random() < 0.4:
        return box(foot - (wide, tall, wide), foot + (wide, 0.3, wide), warm)
    pipe = tube(np.array([foot + (0, 0.3, 0), foot - (0, tall, 0)]), np.full(2, wide), warm, 9)
    cap = ellipsoid(foot - (0, tall, 0), wide * rng.uniform(1.0, 1.7, 3) * (1, 0.7, 1), warm, 9, 6)
    return merge([pipe, cap]) if rng.random() < 0.6 else pipe


def hot_thing(rng: np.random.Generator, air: float) -> Thing:
    """Something the size of a limb, a head or a body that is as warm or hotter: nobody."""
    kind = int(rng.integers(5))
    if kind == 0:
        mesh = ellipsoid((0, -rng.uniform(0.2, 2.0), 0), rng.uniform(0.06, 0.25, 3), 0.0, 12, 9)
    elif kind == 1:
        size = rng.uniform(0.1, 0.5, 3)
        mesh = box(-size * (1, 2, 1), size * (1, 0, 1), 0.0, 3)
    elif kind == 2:
        top = rng.uniform(0.3, 2.2)
        mesh = tube(np.array([[0, -top, 0], [0, -0.02, 0]]), np.full(2, rng.uniform(0.03, 0.25)), 0.0, 12)
    elif kind == 3:
        bottom = rng.uniform(0, 1.0)
        mesh = box((-rng.uniform(0.2, 0.6), -bottom - rng.uniform(0.3, 1.2), -0.06), (0.4, -bottom, 0.06), 0.0, 3)
    else:
        mesh = tube(np.array([[-1, -0.6, 0], [0, -0.7, 0], [1.2, -0.5, 0]]) * rng.uniform(0.4, 1.5),
                    np.full(3, rng.uniform(0.03, 0.1)), 0.0, 9, (0, 0.1, 1))
    mesh = mesh.heated(rng.uniform(0, 0.25) * point_noise(rng, mesh.vertices, 0.4))
    above = float(np.exp(rng.uniform(np.log(1.5), np.log(45))))
    look = Look().set(Material.HOT, air + above, random_colour(rng), 0.3 * above,
                      6.0 if rng.random() < 0.2 else 0.0)
    return part(mesh, Material.HOT), look


def chair(rng: np.random.Generator, air: float, height: float) -> Thing:
    """A seat ``height`` metres high: stool, box, chair with a back, or a sofa."""
    wide, deep = rng.uniform(0.22, 0.3), rng.uniform(0.2, 0.28)
    parts = []
    if rng.random() < 0.5:
        parts.append(box((-wide, -height, -deep), (wide, -height + 0.06, deep), 0.0, 2))
        for x in (-wide + 0.03, wide - 0.03):
            for z in (-deep + 0.03, deep - 0.03):
                parts.append(box((x - 0.02, -height, z - 0.02), (x + 0.02, 0, z + 0.02), -0.3))
    else:
        wide = wide if rng.random() < 0.5 else rng.uniform(0.5, 1.0)
        parts.append(box((-wide, -height, -deep), (wide, 0, deep), 0.0, 2))
    if rng.random() < 0.7:
        parts.append(box((-wide, -height - rng.uniform(0.35, 0.5), deep), (wide, -height + 0.02, deep + 0.08), 0.0, 3))
    models = [part(mesh, Material.WOOD) for mesh in parts]
    return joined(models), Look().set(Material.WOOD, air + rng.uniform(-0.5, 2.5), random_colour(rng), 1.0)
