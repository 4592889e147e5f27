"""What makes one car differ from the next of its kind: proportions, bumpers, lamps, number plates, rims, mirrors.

Thermal pictures of cars from behind are full of such things: the plate and the badge dark in the boot lid, bumpers
warmer than the sheet metal above them, rims in the tyres. The archive's few vehicles are smooth without them.
"""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.mesh import box, ellipsoid
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.model import Model, joined, part

_PLATES = ((0.52, 0.11), (0.30, 0.15), (0.33, 0.165))
"""Width and height of number plates in metres: Europe, North America, Japan."""


def individual(rng: np.random.Generator, model: Model) -> Model:
    """One car, van or bus out of a vehicle of four wheels or more (front towards -z)."""
    vertices = _proportions(rng, model.vertices)
    body = Model(vertices, model.faces, model.material.copy(), model.warmth)
    _rims(body)
    if rng.random() < 0.8:
        _bumpers(rng, body)
    return joined([body, *_fittings(rng, body)])


def _proportions(rng: np.random.Generator, vertices: np.ndarray) -> np.ndarray:
    """Other lengths, widths and heights; the roof narrower, further back or forward; the wheels stay on the ground."""
    out = vertices * rng.uniform((0.94, 0.9, 0.9), (1.06, 1.12, 1.1)).astype(np.float32)
    up = np.clip(-out[:, 1] / -out[:, 1].min(), 0, 1)
    cabin = np.clip((up - 0.55) / 0.45, 0, 1)
    out[:, 0] *= 1 + np.float32(rng.normal(-0.02, 0.04)) * cabin
    out[:, 2] += np.float32(rng.normal(0, 0.15)) * cabin
    return np.ascontiguousarray(out, np.float32)


def _rims(model: Model) -> None:
    """Metal in the middle of each of four wheels (in place)."""
    centre = model.vertices[model.faces].mean(1)
    tyre = model.material == Material.TYRE
    for x in (-1, 1):
        for z in (-1, 1):
            mine = np.flatnonzero(tyre & (np.sign(centre[:, 0]) == x) & (np.sign(centre[:, 2]) == z))
            if not len(mine):
                continue
            own = centre[mine]
            middle = (own.min(0) + own.max(0)) / 2
            radius = 0.5 * np.ptp(own[:, 1])
            if np.ptp(own[:, 2]) > 3 * radius:
                return  # two axles in one corner: a bus
            inner = np.hypot(own[:, 1] - middle[1], own[:, 2] - middle[2]) < 0.62 * radius
            model.material[mine[inner]] = Material.METAL


def _bumpers(rng: np.random.Generator, model: Model) -> None:
    """Plastic low at both ends, and sometimes along the sills (in place)."""
    centre = model.vertices[model.faces].mean(1)
    length = np.ptp(model.vertices[:, 2])
    high = rng.uniform(0.34, 0.46) * model.height
    end = np.abs(centre[:, 2] - model.vertices[:, 2].mean()) > rng.uniform(0.40, 0.46) * length
    low = -centre[:, 1] < (high if rng.random() < 0.8 else 0.25 * model.height)
    sheet = (model.material == Material.PAINT) | (model.material == Material.HOOD)
    sills = (-centre[:, 1] < 0.22 * model.height) & bool(rng.random() < 0.4)
    model.material[sheet & ((end & low) | sills)] = Material.BUMPER


def _end(model: Model, x: float, y: float, side: int) -> float:
    """z of the outermost surface near (x, y) at the rear (1) or the front (-1), metres."""
    near = (np.abs(model.vertices[:, 0] - x) < 0.35) & (np.abs(model.vertices[:, 1] - y) < 0.10 * model.height)
    near &= model.vertices[:, 2] * side > 0
    ends = model.vertices[near, 2] * side
    return float(side * (ends.max() if len(ends) else np.abs(model.vertices[:, 2]).max()))


def _fittings(rng: np.random.Generator, model: Model) -> list[Model]:
    half = 0.5 * float(np.ptp(model.vertices[:, 0]))
    tall = model.height
    parts = []
    wide, high = _PLATES[int(rng.integers(len(_PLATES)))]
    lamp = rng.uniform((0.10, 0.05), (0.24, 0.16))
    for side in (-1, 1):
        y = -tall * rng.uniform(0.27, 0.42 if side < 0 else 0.58)
        z = _end(model, 0.0, y, side) + 0.015 * side
        if rng.random() < 0.85:
            parts.append(part(box((-wide / 2, y - high / 2, z - 0.01), (wide / 2, y + high / 2, z + 0.01), 0.0),
                              Material.PLATE))
        y = -min(tall * rng.uniform(0.44, 0.60), 1.05)  # no higher on vans and buses
        for x in (-1, 1):
            at = x * half * 0.74
            z = _end(model, at, y, side)
            parts.append(part(ellipsoid((at, y, z - 0.03 * side), (lamp[0], lamp[1], 0.06), 0.2 if side < 0 else 0.0,
                                        10, 6), Material.LAMP))
    for x in (-1, 1):
        parts.append(part(ellipsoid((x * half * 0.98, -0.62 * tall, -0.12 * np.ptp(model.vertices[:, 2])),
                                    (0.11, 0.08, 0.06), 0.0, 8, 6), Material.PAINT))
    if rng.random() < 0.35:  # a spoiler, a badge or a handle across the boot lid
        y = -tall * rng.uniform(0.5, 0.66)
        z = _end(model, 0.0, y, 1)
        parts.append(part(box((-0.3 * half, y - 0.03, z - 0.05), (0.3 * half, y + 0.03, z + 0.02), 0.0),
                          Material.LAMP))
    return parts
