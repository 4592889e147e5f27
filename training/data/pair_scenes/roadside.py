"""What lines a street and is taken for people or cars: warm trunks, palms, lanterns, lights, posts, signs, poles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.mesh import Mesh, box, ellipsoid, merge, quads, tube
from thermal_kd_ros.simulation.noise import point_noise
from training.data.pair_scenes.materials import Look, Material, linear, random_colour
from training.data.pair_scenes.model import Model, joined, part
from training.data.pair_scenes.things import Thing

_VARIANTS = 32
"""Different trees and palms; each is built once."""


def _bark(rng: np.random.Generator, mesh: Mesh, rough: float) -> Model:
    """Wood whose bark is uneven, in its shape and in its warmth."""
    uneven = point_noise(rng, mesh.vertices, 1.2) + 0.7 * point_noise(rng, mesh.vertices, 0.25)
    shift = rough * point_noise(rng, mesh.vertices, 0.5)[:, None] * (1, 0, 1)
    return part(Mesh((mesh.vertices + shift).astype(np.float32), mesh.faces, uneven.astype(np.float32)), Material.WOOD)


def _stem(height: float, radius: float, lean: np.ndarray, taper: float) -> tuple[np.ndarray, np.ndarray]:
    share = np.linspace(0, 1, 9)
    path = np.stack([lean[0] * share ** 2, -height * share, lean[1] * share ** 2], axis=1)
    return path, radius * (1 + 0.5 * np.exp(-share * 12)) * (1 - taper * share)


@lru_cache(maxsize=_VARIANTS)
def _palm(number: int) -> Model:
    """A palm 1 m high up to its crown, to be scaled: the trunk, fronds around its head, sometimes dead ones below."""
    rng = np.random.default_rng((number, 11))
    path, radii = _stem(1.0, rng.uniform(0.015, 0.035), rng.normal(0, 0.03, 2), 0.3)
    top = path[-1]
    blades = []
    for _ in range(int(rng.integers(14, 26))):
        turn, rise = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 1.0)
        out = np.array([np.cos(turn), 0.0, np.sin(turn)])
        across = np.array([-out[2], 0.0, out[0]]) * rng.uniform(0.012, 0.03)
        reach = rng.uniform(0.16, 0.26)
        ridge = [top + out * reach * s + np.array([0, -reach * (rise * s - 1.1 * s * s), 0]) for s in (0, 0.4, 0.75, 1)]
        wide = (0.3, 1.0, 0.8, 0.1)
        blades += [[ridge[i] - across * wide[i], ridge[i] + across * wide[i],
                    ridge[i + 1] - across * wide[i + 1], ridge[i + 1] + across * wide[i + 1]] for i in range(3)]
    corners = np.array(blades, np.float32)
    parts = [_bark(rng, tube(path, radii, 0.0, 9), 0.002),
             part(quads(corners, 0.5 * rng.standard_normal(len(corners))), Material.LEAF)]
    if rng.random() < 0.5:
        skirt = np.array([top, top + (0, rng.uniform(0.05, 0.25), 0)])
        parts.append(_bark(rng, tube(skirt, np.array([0.06, 0.03]), 0.0, 11), 0.008))
    return joined(parts)


@lru_cache(maxsize=_VARIANTS)
def _great_tree(number: int) -> Model:
    """A tree 10 m high with a heavy forked trunk and open foliage."""
    rng = np.random.default_rng((number, 12))
    fork, thick = rng.uniform(1.5, 4.0), rng.uniform(0.2, 0.45)
    path, radii = _stem(fork, thick, rng.normal(0, 0.3, 2), 0.25)
    wood, leaves = [tube(path, radii, 0.0, 10)], []
    for _ in range(int(rng.integers(2, 6))):
        out = np.array([rng.normal(0, 1.0), -rng.uniform(2.0, 4.5), rng.normal(0, 1.0)])
        middle, tip = path[-1] + 0.5 * out + rng.normal(0, 0.2, 3), path[-1] + out
        wood.append(tube(np.array([path[-1], middle, tip]), thick * np.array([0.6, 0.4, 0.15]), 0.0, 7))
        for end in (middle, tip):
            for _ in range(int(rng.integers(1, 4))):
                twig = end + rng.normal(0, 1, 3) * (1.3, 0.8, 1.3)
                wood.append(tube(np.array([end, twig]), thick * np.array([0.18, 0.05]), 0.0, 5))
                leaves.append(ellipsoid(twig, rng.uniform(0.5, 1.4, 3), 0.0, 14, 9))
    parts = [_bark(rng, merge(wood), 0.02)]
    if rng.random() < 0.75:
        crown = merge(leaves)
        ragged = crown.vertices + 0.12 * rng.standard_normal(crown.vertices.shape)
        heat = 0.5 * point_noise(rng, crown.vertices, 1.0) + 0.4 * rng.standard_normal(len(crown.vertices))
        parts.append(part(Mesh(ragged.astype(np.float32), crown.faces, heat.astype(np.float32)), Material.LEAF))
    return joined(parts)


def _woody(rng: np.random.Generator, climate: Climate) -> Look:
    """Bark stores heat: after a sunny day, and in the sun, it is far warmer than leaves."""
    bark = climate.air + rng.uniform(-1.0, 3.0) + climate.sun * rng.uniform(0, 9)
    look = Look().set(Material.WOOD, bark, linear(0.35, 0.28, 0.22) * rng.uniform(0.6, 1.6), rng.uniform(0.3, 1.2))
    return look.set(Material.LEAF, climate.tree + rng.normal(0, 0.7), linear(0.24, 0.36, 0.15) * rng.uniform(0.5, 1.5),
                    rng.uniform(0.6, 1.8))


def palm(rng: np.random.Generator, climate: Climate) -> Thing:
    """A palm, 4 to 18 m high."""
    return _palm(int(rng.integers(_VARIANTS))).scaled(rng.uniform(4, 18)), _woody(rng, climate)


def great_tree(rng: np.random.Generator, climate: Climate) -> Thing:
    """A street tree with a heavy trunk, with leaves or bare."""
    return _great_tree(int(rng.integers(_VARIANTS))).scaled(rng.uniform(0.7, 1.8)), _woody(rng, climate)


def lantern(rng: np.random.Generator, climate: Climate) -> Thing:
    """A globe or a lantern on a post, or one on either arm: about as large as a head."""
    tall, size = rng.uniform(2.5, 5.0), rng.uniform(0.14, 0.3)
    post = tube(np.array([[0, 0, 0], [0, -tall, 0]]), np.array([0.09, 0.05]), 0.0, 8)
    parts = [part(post, Material.METAL)]
    arms = [0.0] if rng.random() < 0.6 else [-rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)]
    for x in arms:
        if x:
            arm = tube(np.array([[0, -tall + 0.3, 0], [x, -tall, 0]]), np.full(2, 0.03), 0.0, 6, (0, 0, 1))
            parts.append(part(arm, Material.METAL))
        parts.append(part(ellipsoid((x, -tall - size, 0), (size, size * rng.uniform(1.0, 1.8), size), 0.0, 12, 9),
                          Material.LIGHT))
    above = float(np.exp(rng.uniform(np.log(0.5), np.log(25))))
    look = Look().set(Material.METAL, climate.air + rng.normal(0, 1.5) + climate.sun * rng.uniform(0, 6),
                      linear(0.2, 0.2, 0.2))
    return joined(parts), look.set(Material.LIGHT, climate.air + above, linear(1.0, 0.92, 0.8), 1.0,
                                   6.0 if climate.sun < 0.1 else 0.0)


def traffic_light(rng: np.random.Generator, climate: Climate) -> Thing:
    """Signals on a post or hung from an arm over the road; lamps and the box are a little warm."""
    tall, arm = rng.uniform(2.4, 5.5), rng.choice([0.0, rng.uniform(2, 6)])
    path = np.array([[0, 0, 0], [0, -tall, 0], [arm, -tall - 0.2, 0]] if arm else [[0, 0, 0], [0, -tall, 0]])
    parts = [part(tube(path, np.full(len(path), 0.08), 0.0, 8, (0.05, 0.1, 1)), Material.METAL)]
    y = -tall if arm else -tall - 0.9
    parts.append(part(box((arm - 0.17, y, -0.12), (arm + 0.17, y + 0.95, 0.12), 0.0, 3), Material.HOT))
    lit = y + 0.16 + 0.31 * int(rng.integers(3))
    parts.append(part(ellipsoid((arm, lit, -0.13), (0.12, 0.12, 0.05), 0.0, 10, 7), Material.LIGHT))
    look = Look().set(Material.METAL, climate.air + rng.normal(0, 1.5), linear(0.35, 0.35, 0.33))
    look.set(Material.HOT, climate.air + rng.uniform(0, 5) + climate.sun * rng.uniform(0, 8), linear(0.12, 0.12, 0.1))
    return joined(parts), look.set(Material.LIGHT, climate.air + rng.uniform(2, 25), random_colour(rng, 0.0), 1.0, 8.0)


def post(rng: np.random.Generator, climate: Climate) -> Thing:
    """A bollard, a parking meter, a hydrant, a letter box, a bin: upright, and often warmer than the street."""
    tall, radius = rng.uniform(0.5, 1.5), rng.uniform(0.05, 0.25)
    parts: list[Mesh] = [tube(np.array([[0, 0, 0], [0, -tall, 0]]), np.full(2, radius), 0.0, 10)]
    if rng.random() < 0.6:
        head = rng.uniform(0.1, 0.28, 3)
        top = np.array([0, -tall, 0])
        parts.append(ellipsoid(top - (0, 0.5 * head[1], 0), head, 0.0, 10, 7) if rng.random() < 0.5 else
                     box(top - head * (1, 2, 1), top + head * (1, 0, 1), 0.0, 3))
    mesh = merge(parts)
    mesh = mesh.heated(0.5 * point_noise(rng, mesh.vertices, 0.5))
    look = Look().set(Material.METAL, climate.air + rng.normal(0, 2) + climate.sun * rng.uniform(0, 12),
                      random_colour(rng))
    return part(mesh, Material.METAL), look


def sign(rng: np.random.Generator, climate: Climate) -> Thing:
    """A road sign on a thin post, round or with corners: a sheet that mirrors the sky, or is warm by the sun."""
    tall, size = rng.uniform(1.4, 3.2), rng.uniform(0.2, 0.5)
    corners = int(rng.choice([3, 4, 8, 24]))
    angle = np.pi / corners + np.linspace(0, 2 * np.pi, corners, endpoint=False)
    rim = np.stack([np.sin(angle), rng.uniform(0.8, 1.6) * np.cos(angle), np.zeros(corners)], axis=1)
    index = np.arange(corners)
    faces = np.stack([np.full(corners, corners), index, (index + 1) % corners], axis=1).astype(np.int32)
    vertices = size * np.concatenate([rim, np.zeros((1, 3))]) + (0, -tall, -0.06)
    plate = Mesh(vertices.astype(np.float32), faces, np.zeros(corners + 1, np.float32))
    stem = tube(np.array([[0, 0, 0], [0, -tall - 0.5 * size, 0]]), np.full(2, rng.uniform(0.025, 0.05)), 0.0, 6)
    look = Look().set(Material.METAL, climate.air + rng.normal(0, 1.5) + climate.sun * rng.uniform(0, 8),
                      linear(0.4, 0.4, 0.4))
    look.set(Material.PLATE, climate.air + rng.normal(0, 2) + climate.sun * rng.uniform(0, 12), random_colour(rng))
    return joined([part(plate, Material.PLATE), part(stem, Material.METAL)]), look


def utility_pole(rng: np.random.Generator, climate: Climate) -> Thing:
    """A wooden pole with cross-arms, wires and joints on them, and often the warm cans of transformers."""
    tall = rng.uniform(7.0, 12.0)
    path, radii = _stem(tall, rng.uniform(0.1, 0.17), rng.normal(0, 0.1, 2), 0.3)
    parts = [_bark(rng, tube(path, radii, 0.0, 8), 0.003)]
    metal: list[Mesh] = []
    for below in np.cumsum(rng.uniform(0.3, 1.2, int(rng.integers(1, 4)))):
        at, half = path[-1] + (0.0, below, 0.0), rng.uniform(0.5, 1.2)
        parts.append(part(box(at - (half, 0.06, 0.05), at + (half, 0.06, 0.05), 0.0), Material.WOOD))
        for x in rng.choice([-0.95, -0.5, 0.5, 0.95], int(rng.integers(1, 4)), replace=False):
            end = at + (x * half, -0.15, 0.0)
            metal.append(ellipsoid(end, (0.06, 0.12, 0.06), 0.0, 8, 5))
            if rng.random() < 0.6:
                metal += _wire(rng, end)
    parts.append(part(merge(metal), Material.METAL))
    if rng.random() < 0.5:
        cans: list[Mesh] = []
        bottom = path[-1] + (0.0, rng.uniform(2.0, 3.5), 0.0)
        for turn in np.arange(int(rng.choice([1, 2, 3], p=[0.7, 0.1, 0.2]))) * 0.9 + rng.uniform(0, 6):
            radius, height = rng.uniform(0.18, 0.35), rng.uniform(0.6, 1.2)
            foot = bottom + (np.cos(turn) * (radius + 0.15), 0.0, np.sin(turn) * (radius + 0.15))
            cans.append(tube(np.array([foot, foot - (0, height, 0)]), np.full(2, radius), 0.0, 12))
        parts.append(part(merge(cans), Material.HOT))
    look = _woody(rng, climate)
    look.set(Material.METAL, climate.air + rng.normal(0, 1.0) + climate.sun * rng.uniform(0, 6), linear(0.3, 0.3, 0.3))
    return joined(parts), look.set(Material.HOT, climate.air + rng.uniform(1, 25), linear(0.5, 0.52, 0.5))


def _wire(rng: np.random.Generator, end: np.ndarray) -> list[Mesh]:
    """A wire that hangs through to either side of ``end``, sometimes with a joint on it."""
    reach, sag = rng.uniform(10, 20), rng.uniform(0.2, 1.5)
    share = np.array([-1.0, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0])
    path = end + np.stack([reach * share, sag * np.abs(share), 0 * share], axis=1)
    found = [tube(path, np.full(len(path), rng.uniform(0.01, 0.035)), 0.0, 5, (0, 0, 1))]
    if rng.random() < 0.25:
        middle, long = path[int(rng.choice([1, 2, 4, 5]))], rng.uniform(0.15, 0.5)
        joint = np.array([middle - (long, 0, 0), middle + (long, 0, 0)])
        found.append(tube(joint, np.full(2, rng.uniform(0.06, 0.15)), rng.uniform(0, 6), 8, (0, 0, 1)))
    return found
