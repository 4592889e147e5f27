"""Bicycles, scooters and motorcycles built part by part, no two alike: the archive has one bicycle and one motorcycle.

What thermal pictures show of them is tyres, warm from rolling or from the sun, on rims and tubes that mirror a colder
sky; what hangs on racks and handlebars; and the engines and exhausts of those that have any. From before and behind a
ridden one is hardly more than its wheel between two legs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.mesh import Mesh, Vector, box, ellipsoid, rotation, tube
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.model import Model, joined, part
from training.data.pair_scenes.vehicles import Vehicle

Point = tuple[float, float, float]

KINDS = {"bicycle": 0.72, "scooter": 0.14, "motorcycle": 0.14}
"""Kinds and how often each is built."""
LUGGAGE = {"rack": 0.4, "parcel": 0.08, "panniers": 0.12, "child seat": 0.06, "basket": 0.2, "mudguards": 0.4,
           "chain guard": 0.25}
"""What a two-wheeler may carry and how often. Motorcycles have a fairing for the basket, and always mudguards."""


@dataclass(frozen=True)
class Cycle:
    """A two-wheeler. Heights and lengths in metres, angles in radians.

    wheel, tyre: radii of the wheel and of its tyre's section. base: from axle to axle. saddle: its height. bars, wide:
    height and half the width of the handlebars. drop: how far their ends reach down. rake: slope of the steering axis.
    frame: radius of its tubes. step: 0 for a top tube that is level, 1 for one as low as the crank. steer: how far the
    front wheel is turned. luggage: names of :data:`LUGGAGE`.
    """

    kind: str
    wheel: float
    tyre: float
    base: float
    saddle: float
    bars: float
    wide: float
    drop: float
    rake: float
    frame: float
    step: float
    steer: float
    luggage: frozenset[str]


_LEAST_MOST = {
    "bicycle": ((0.22, 0.011, 0.92, 0.80, 0.86, 0.20, 0.0, 0.28, 0.012, 0.0),
                (0.37, 0.032, 1.16, 1.02, 1.14, 0.38, 0.10, 0.38, 0.024, 0.9)),
    "scooter": ((0.20, 0.045, 1.15, 0.72, 0.95, 0.28, 0.0, 0.40, 0.030, 1.0),
                (0.27, 0.065, 1.40, 0.82, 1.12, 0.38, 0.0, 0.48, 0.045, 1.0)),
    "motorcycle": ((0.28, 0.045, 1.28, 0.72, 0.92, 0.30, 0.0, 0.40, 0.022, 0.0),
                   (0.34, 0.090, 1.60, 0.88, 1.22, 0.46, 0.0, 0.58, 0.032, 0.3)),
}
"""From wheel to step, the least and the most of each kind."""
_STEER = 0.35
"""Standard deviation of how far a front wheel is turned, of those that are turned at all."""


def random_cycle(rng: np.random.Generator) -> Cycle:
    """A two-wheeler of a random kind; half of them steer straight ahead."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    wheel, tyre, base, saddle, bars, wide, drop, rake, frame, step = rng.uniform(*_LEAST_MOST[kind]).tolist()
    if rng.random() < 0.7:
        drop = 0.0
    if kind == "bicycle":
        wheel = max(wheel, 0.31) if rng.random() < 0.75 else wheel
        step = 0.0 if rng.random() < 0.55 else step
    steer = rng.normal(0, _STEER) if rng.random() < 0.5 else rng.normal(0, 0.03)
    luggage = frozenset(name for name, share in LUGGAGE.items() if rng.random() < share)
    return Cycle(kind, wheel, tyre, base, saddle, bars, wide, drop, rake, frame, step, float(np.clip(steer, -0.9, 0.9)),
                 luggage)


def built_cycle(cycle: Cycle) -> Vehicle:
    """The two-wheeler upright on the ground, front towards -z, labelled a bicycle as HIT-UAV labels all of them."""
    fixed, steered = [*_wheel(cycle, 0.5 * cycle.base)], [*_wheel(cycle, -0.5 * cycle.base), *_steering(cycle)]
    fixed += _bicycle(cycle) if cycle.kind == "bicycle" else _motorised(cycle)
    turned = joined(steered)
    axis = _head(cycle, cycle.bars)
    turn = rotation(0, -cycle.rake) @ rotation(cycle.steer) @ rotation(0, cycle.rake)
    vertices = (turned.vertices - axis) @ turn.T + axis
    turned = Model(vertices.astype(np.float32), turned.faces, turned.material, turned.warmth)
    model = joined([*fixed, turned])
    model.vertices[:, 1] -= model.vertices[:, 1].max()  # a wheel that is turned leans, and would dip into the ground
    return Vehicle(model, "bicycle", np.array([0, -cycle.saddle - 0.03, _saddle(cycle)], np.float32))


def _head(cycle: Cycle, height: float) -> np.ndarray:
    """(3,) the point of the steering axis at a height; the axis leans back from the front wheel's axle."""
    return np.array([0.0, -height, -0.5 * cycle.base + np.tan(cycle.rake) * (height - cycle.wheel)])


def _saddle(cycle: Cycle) -> float:
    """Where the middle of the saddle is along the two-wheeler."""
    return 0.30 * (cycle.saddle - 0.28) if cycle.kind == "bicycle" else 0.16 * cycle.base


def _bar(*points: Point | np.ndarray, r: float, material: Material = Material.PAINT, sides: int = 4) -> Model:
    path = np.array(points, np.float64)
    return part(tube(path, np.full(len(path), r), 0.0, sides, (1.0, 0.13, 0.07)), material)


def _ring(radius: float, section: tuple[float, float], middle: Vector, start: float = 0.0, end: float = 2 * np.pi
          ) -> Mesh:
    """A ring or an arc of one around an axle, ``section`` its radii across and along the spokes."""
    angle = np.linspace(start, end, 21)
    path = np.stack([0 * angle, -radius * np.sin(angle), radius * np.cos(angle)], -1) + np.asarray(middle)
    return tube(path, np.tile(section, (21, 1)), 0.0, 4, closed=False)


def _wheel(cycle: Cycle, z: float) -> list[Model]:
    """Tyre, rim, hub and spokes, and what covers them from above."""
    axle = (0.0, -cycle.wheel, z)
    tyre, light = cycle.tyre, cycle.kind == "bicycle"
    parts = [part(_ring(cycle.wheel - tyre, (tyre, tyre), axle), Material.TYRE),
             part(_ring(cycle.wheel - 2.3 * tyre, (0.7 * tyre, 0.5 * tyre), axle), Material.METAL),
             part(ellipsoid(axle, (0.04, 0.025, 0.025) if light else (0.06, 0.09, 0.09), 0.0, 8, 5), Material.METAL)]
    for angle in np.linspace(0, 2 * np.pi, 12 if light else 6, endpoint=False) + 0.1:
        reach = cycle.wheel - 2.4 * tyre
        parts.append(_bar(axle, (0.0, axle[1] - reach * np.sin(angle), z + reach * np.cos(angle)),
                          r=0.0025 if light else 0.02, material=Material.METAL, sides=3))
    if not light or "mudguards" in cycle.luggage:
        parts.append(part(_ring(cycle.wheel + 0.02, (1.2 * tyre + 0.006, 0.004), axle, 0.35, np.pi - 0.2),
                          Material.PAINT if not light else Material.BUMPER))
    return parts


def _steering(cycle: Cycle) -> list[Model]:
    """Fork, handlebars and lamp, and a basket before them."""
    top, low = _head(cycle, cycle.bars), _head(cycle, 2 * cycle.wheel + 0.04)
    light = cycle.kind == "bicycle"
    spread = 0.05 if light else 0.09
    thick = 0.014 if light else 0.026
    parts = [_bar(top, low, r=1.3 * thick)]
    for side in (-1.0, 1.0):
        parts.append(_bar(low + (side * spread, 0, 0), (side * spread, -cycle.wheel, -0.5 * cycle.base), r=thick,
                          material=Material.PAINT if light else Material.METAL))
        grip = top + (side * cycle.wide, 0.0, 0.04)
        path = [top, top + (0.45 * side * cycle.wide, -0.02, -0.02), grip]
        if cycle.drop:
            grip = top + (side * cycle.wide, 0.0, -0.10)
            path = [top, top + (side * cycle.wide, 0, 0), grip, grip + (0, cycle.drop, 0.06)]
        parts.append(_bar(*path, r=0.012, material=Material.METAL))
        parts.append(_bar(path[-2], path[-1], r=0.018, material=Material.BUMPER))
        if not light:
            mirror = grip + (0.02 * side, -0.15, 0.0)
            parts += [part(ellipsoid(mirror, (0.07, 0.045, 0.02), 0.0, 8, 5), Material.BUMPER),
                      _bar(path[1], mirror, r=0.008, material=Material.BUMPER)]
    size = 0.035 if light else 0.085
    parts.append(part(ellipsoid(_head(cycle, cycle.bars - 0.12) + (0, 0, -0.01 - size), (size, size, 0.8 * size), 0.0,
                                8, 6), Material.LAMP))
    if light and "basket" in cycle.luggage:
        parts.append(part(box(top + (-0.18, -0.02, -0.42), top + (0.18, 0.22, -0.10), 0.0), Material.BUMPER))
    return parts


def _bicycle(cycle: Cycle) -> list[Model]:
    """Frame, crank, saddle and what the rack carries."""
    r, rear = cycle.frame, (0.0, -cycle.wheel, 0.5 * cycle.base)
    crank = (0.0, -0.28, 0.0)
    seat = np.array([0.0, -cycle.saddle, _saddle(cycle)])

    def tube_at(height: float) -> np.ndarray:
        """A point of the seat tube."""
        return np.asarray(crank + (seat - crank) * (height - 0.28) / (cycle.saddle - 0.28))

    upper = _head(cycle, max(cycle.bars - 0.12, 2 * cycle.wheel + 0.08))
    lower = _head(cycle, 2 * cycle.wheel + 0.03)
    joint = tube_at(0.40 + (1 - cycle.step) * (cycle.saddle - 0.14 - 0.40))
    parts = [_bar(crank, seat, r=r), _bar(crank, lower, r=1.2 * r), _bar(joint, upper, r=r),
             part(ellipsoid(seat + (0, -0.02, 0), (0.075, 0.03, 0.135), 0.0, 8, 5), Material.BUMPER)]
    for side in (-1.0, 1.0):
        end = np.add(rear, (0.05 * side, 0, 0))
        parts += [_bar(crank, end, r=0.6 * r), _bar(tube_at(cycle.saddle - 0.14), end, r=0.5 * r)]
        pedal = np.add(crank, (0.1 * side, 0.11 * side, -0.10 * side))
        parts += [_bar(np.add(crank, (0.07 * side, 0, 0)), pedal, r=0.012, material=Material.METAL),
                  part(box(pedal + (-0.04, -0.012, -0.045), pedal + (0.04, 0.012, 0.045), 0.0), Material.BUMPER)]
    rack = -2 * cycle.wheel - 0.06
    load = cycle.luggage & {"rack", "parcel", "panniers", "child seat"}
    if load:
        parts += [_bar((x, rack, 0.22), (x, rack, 0.62), r=0.007, material=Material.METAL) for x in (-0.06, 0.06)]
        parts += [_bar((x, rack, 0.5), (x, rear[1], rear[2]), r=0.006, material=Material.METAL) for x in (-0.07, 0.07)]
    if "parcel" in load:
        parts.append(part(box((-0.17, rack - 0.24, 0.26), (0.17, rack, 0.62), 0.0), Material.BUMPER))
    elif "child seat" in load:
        parts += [part(box((-0.15, rack - 0.10, 0.26), (0.15, rack, 0.56), 0.0), Material.BUMPER),
                  part(box((-0.15, rack - 0.45, 0.54), (0.15, rack, 0.60), 0.0), Material.BUMPER)]
    if "panniers" in load:
        parts += [part(box((x - 0.065, rack, 0.30), (x + 0.065, rack + 0.33, 0.60), 0.0), Material.BUMPER)
                  for x in (-0.145, 0.145)]
    if "chain guard" in cycle.luggage:
        parts.append(part(box((0.04, -0.36, -0.08), (0.06, -0.24, 0.42), 0.0), Material.PAINT))
    return parts


def _engine(middle: Vector, radii: Vector) -> Model:
    """A block with warmth 1.2; the hood's heat is an engine's."""
    return part(ellipsoid(middle, radii, 1.2, 10, 7), Material.HOOD)


def _motorised(cycle: Cycle) -> list[Model]:
    """The body, the engine and the exhaust of a motorcycle or a scooter."""
    half, w, saddle, back = 0.5 * cycle.base, cycle.wheel, cycle.saddle, _saddle(cycle)
    head = _head(cycle, cycle.bars - 0.18)
    parts = [part(ellipsoid((0, -saddle + 0.03, back + 0.12), (0.14, 0.07, 0.36), 0.0, 10, 6), Material.BUMPER),
             _bar((0, -saddle + 0.05, back + 0.35), (0, -saddle + 0.10, half + 0.8 * w),
                  (0, -saddle + 0.36, half + w - 0.02), r=0.03, material=Material.BUMPER),
             part(box((-0.10, -saddle + 0.30, half + w - 0.03), (0.10, -saddle + 0.42, half + w - 0.01), 0.0),
                  Material.PLATE),
             part(ellipsoid((0, -saddle + 0.10, half + 0.8 * w), (0.09, 0.04, 0.05), 0.0, 8, 5), Material.LAMP)]
    if cycle.kind == "scooter":
        shield = [np.array([0.0, -0.30, -half + 2 * w + 0.05]), _head(cycle, cycle.bars - 0.10) + (0, 0, 0.05)]
        parts += [part(tube(np.array(shield), np.array([[0.20, 0.03], [0.17, 0.05]]), 0.0, 8), Material.PAINT),
                  part(box((-0.16, -0.33, shield[0][2] - 0.05), (0.16, -0.24, 0.15), 0.0), Material.PAINT),
                  part(ellipsoid((0, -0.5 * saddle - 0.10, half - 0.02), (0.18, 0.30, 0.40), 0.0, 12, 8),
                       Material.PAINT),
                  _engine((-0.09, -w, half - 0.12), (0.09, 0.11, 0.22))]
    else:
        parts += [_bar(head, (0, -0.75 * saddle, 0.0), (0, -0.8 * saddle, half), r=cycle.frame),
                  _bar(head, (0, -0.24, -0.25 * half), (0, -0.24, 0.4 * half), r=cycle.frame),
                  part(ellipsoid((0, -saddle - 0.06, -0.22 * half), (0.15, 0.14, 0.28), 0.25, 12, 8), Material.PAINT),
                  _engine((0, -0.42, -0.12 * half), (0.19, 0.21, 0.24))]
        parts += [_bar((x, -w, half), (x, -0.36, 0.25 * half), r=0.022, material=Material.METAL) for x in (-0.1, 0.1)]
        if "panniers" in cycle.luggage:
            parts += [part(box((x - 0.09, -saddle + 0.02, half - 0.30), (x + 0.09, -saddle + 0.36, half + 0.16), 0.0),
                           Material.PAINT) for x in (-0.28, 0.28)]
        if "basket" in cycle.luggage:  # a fairing with a screen
            parts += [part(ellipsoid(head + (0, 0.06, -0.10), (0.24, 0.26, 0.20), 0.0, 12, 8), Material.PAINT),
                      part(ellipsoid(head + (0, -0.24, -0.02), (0.17, 0.20, 0.06), 0.0, 10, 7), Material.GLASS)]
    if "parcel" in cycle.luggage:
        parts.append(part(box((-0.20, -saddle - 0.34, half - 0.08), (0.20, -saddle + 0.07, half + 0.30), 0.0),
                          Material.BUMPER))
    pipe = (0.17, -0.30, half + 0.5 * w)
    parts.append(_bar((0.14, -0.30, -0.1 * half), (0.15, -0.22, 0.3 * half), pipe, r=0.035, material=Material.HOT,
                      sides=6))
    return parts
