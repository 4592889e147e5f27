"""Cars and two-wheelers.

Vehicle frame: origin on the ground below the middle, front towards -z, y down, metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.mesh import Mesh, box, ellipsoid, grid_faces, merge, quad, tube
from thermal_kd_ros.simulation.noise import point_noise


@dataclass(frozen=True)
class CarShape:
    """Lengths in metres; positions along the car as fractions of its length from the front."""

    length: float
    width: float
    height: float
    belt: float
    hood: float
    cowl: float
    roof_front: float
    roof_rear: float
    tail: float
    boot: float


SHAPES = {
    "sedan": CarShape(4.55, 1.80, 1.45, 0.95, 0.86, 0.27, 0.42, 0.72, 0.90, 0.95),
    "hatchback": CarShape(3.95, 1.73, 1.50, 0.97, 0.90, 0.24, 0.40, 0.85, 0.97, 0.97),
    "suv": CarShape(4.60, 1.88, 1.72, 1.12, 1.02, 0.25, 0.39, 0.88, 0.98, 1.10),
    "van": CarShape(4.90, 1.92, 1.95, 1.20, 1.08, 0.16, 0.28, 0.97, 0.995, 1.18),
    "pickup": CarShape(5.10, 1.88, 1.75, 1.12, 1.02, 0.26, 0.39, 0.58, 0.63, 1.05),
}
"""Body styles."""


@dataclass(frozen=True)
class CarHeat:
    """°C of the parts of a car."""

    paint_side: float
    paint_top: float
    glass: float
    hood: float
    grille: float
    wheel: float
    brake: float
    exhaust: float
    under: float


def car_heat(rng: np.random.Generator, climate: Climate, state: str) -> CarHeat:
    """Part temperatures of a car that is 'running', 'warm' (parked not long ago) or 'cold' (parked for hours).

    Paint and glass reflect some of the sky; without sun they fall below the air and, after sunset, far below the road.
    """
    sunlit = climate.sun * rng.uniform(0, 24)
    loss = (climate.air - climate.sky) * rng.uniform(0.04, 0.16)
    side = climate.air + 0.45 * sunlit - 0.3 * loss
    top = climate.air + sunlit - loss
    glass = climate.air + 0.2 * sunlit - 0.8 * loss
    engine = {"running": rng.uniform(8, 30), "warm": rng.uniform(3, 12), "cold": 0.0}[state]
    rolling = {"running": rng.uniform(4, 16), "warm": rng.uniform(0, 5), "cold": -0.5}[state]
    return CarHeat(
        paint_side=side + 0.06 * engine,
        paint_top=top + 0.04 * engine,
        glass=glass + (rng.uniform(1, 7) if state == "running" else 0.0),
        hood=top + 0.6 * engine,
        grille=climate.air + engine * rng.uniform(0.8, 1.6),
        wheel=climate.air + rolling - 0.3 * loss,
        brake=climate.air + rolling * rng.uniform(1.0, 3.0),
        exhaust=climate.air + (rng.uniform(15, 60) if state == "running" else engine),
        under=0.5 * (climate.air + climate.road) + 0.7 * engine,
    )


def car(rng: np.random.Generator, climate: Climate, state: str, style: str | None = None) -> Mesh:
    """A car of a random or given style in a thermal state (see :func:`car_heat`)."""
    style = str(rng.choice(list(SHAPES), p=[0.36, 0.26, 0.24, 0.08, 0.06])) if style is None else style
    shape, heat = SHAPES[style], car_heat(rng, climate, state)
    size = rng.uniform(0.95, 1.06)
    parts = (
        [_body(shape, heat), _cabin(shape, heat)]
        + _windows(shape, heat)
        + _wheels(shape, heat)
        + _front_and_rear(shape, heat)
    )
    mesh = merge(parts)
    mesh = mesh.heated(0.5 * point_noise(rng, mesh.vertices, 1.1))
    return mesh.moved(np.eye(3) * size)


def _z(shape: CarShape, fraction: float) -> float:
    return (fraction - 0.5) * shape.length


def _body(shape: CarShape, heat: CarHeat) -> Mesh:
    """The lower body, lofted from bumper to bumper: nine points around each section, from sill to sill over the top."""
    #            position          sill   belt                     crown                    width
    stations = [
        (0.000, 0.42, 0.50 * shape.hood, 0.52 * shape.hood, 0.70),
        (0.015, 0.24, 0.74 * shape.hood, 0.78 * shape.hood, 0.88),
        (0.080, 0.20, 0.86 * shape.hood, 0.92 * shape.hood, 0.96),
        (0.5 * shape.cowl + 0.04, 0.19, 0.94 * shape.hood, 0.99 * shape.hood, 0.99),
        (shape.cowl, 0.19, 0.98 * shape.hood, shape.belt, 1.0),
        (0.5 * (shape.cowl + shape.tail), 0.19, shape.belt - 0.03, shape.belt, 1.0),
        (min(shape.tail, 0.97), 0.20, shape.belt - 0.02, max(shape.belt, shape.boot), 0.98),
        (0.985, 0.24, 0.92 * shape.boot, 0.97 * shape.boot, 0.93),
        (1.000, 0.42, 0.60 * shape.boot, 0.62 * shape.boot, 0.80),
    ]
    rows, warmth = [], []
    for position, sill, belt, crown, width in stations:
        w = 0.5 * shape.width * width
        xs = np.array([0.82, 0.97, 1.0, 0.97, 0.82, 0.45])
        ys = np.array([sill, sill + 0.08, 0.5 * (sill + belt), belt, crown, crown + 0.02])
        ring = np.concatenate(
            [np.stack([-w * xs, -ys], 1), [[0, -crown - 0.03]], np.stack([w * xs[::-1], -ys[::-1]], 1)]
        )
        rows.append(np.column_stack([ring, np.full(len(ring), _z(shape, position))]))
        over_engine = (
            np.exp(-0.5 * ((position - 0.62 * shape.cowl) / 0.10) ** 2) if position <= shape.cowl + 0.02 else 0.0
        )
        top = heat.paint_top + over_engine * (heat.hood - heat.paint_top)
        side = heat.paint_side + 0.15 * over_engine * (heat.hood - heat.paint_top)
        half = [0.5 * (heat.under + side), side, side, 0.7 * side + 0.3 * top, top, top]
        warmth.append(np.array(half + [top] + half[::-1]))
    points = np.stack(rows).astype(np.float32)
    columns = points.shape[1]
    loft = Mesh(
        points.reshape(-1, 3), grid_faces(len(rows), columns)[:, ::-1].copy(), np.concatenate(warmth).astype(np.float32)
    )
    ends = []
    for row, reverse in ((0, False), (-1, True)):
        ring = points[row]
        hub = ring.mean(axis=0, keepdims=True)
        index = np.arange(columns)
        fan = np.stack([np.full(columns, columns), index, (index + 1) % columns], axis=1)
        fan = fan if reverse else fan[:, ::-1]
        hot = heat.grille if not reverse else heat.paint_side
        end_heat = np.append(warmth[row], 0.4 * hot + 0.6 * heat.paint_side).astype(np.float32)
        ends.append(Mesh(np.concatenate([ring, hub]), fan.astype(np.int32), end_heat))
    low = box((-0.40 * shape.width, -0.30, _z(shape, 0.07)), (0.40 * shape.width, -0.17, _z(shape, 0.92)), heat.under)
    return merge([loft, *ends, low])


def _cabin_corners(shape: CarShape) -> np.ndarray:
    """(2, 4, 3): base and roof corners: front left, front right, rear right, rear left, where left is -x."""
    base, roof = 0.46 * shape.width, 0.36 * shape.width
    y, top = -shape.belt + 0.03, -shape.height
    zs = [_z(shape, f) for f in (shape.cowl, shape.roof_front, shape.roof_rear, shape.tail)]
    return np.array(
        [
            [[-base, y, zs[0]], [base, y, zs[0]], [base, y, zs[3]], [-base, y, zs[3]]],
            [[-roof, top, zs[1]], [roof, top, zs[1]], [roof, top, zs[2]], [-roof, top, zs[2]]],
        ]
    )


def _cabin(shape: CarShape, heat: CarHeat) -> Mesh:
    base, roof = _cabin_corners(shape)
    side, top = heat.paint_side, heat.paint_top
    walls = [
        quad(np.array([roof[a], roof[b], base[b], base[a]]), (top, top, side, side))
        for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))
    ]
    return merge([*walls, quad(np.array([roof[3], roof[2], roof[1], roof[0]]), top, 3)])


def _windows(shape: CarShape, heat: CarHeat) -> list[Mesh]:
    """Panes just outside the cabin's walls, inset from their edges; side panes are split by a pillar."""
    base, roof = _cabin_corners(shape)
    panes = []
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        corners = np.array([roof[a], roof[b], base[b], base[a]])
        normal = np.cross(corners[3] - corners[0], corners[1] - corners[0])
        outward = 0.012 * normal / np.linalg.norm(normal)
        spans = ((0.05, 0.95),) if (a, b) in ((0, 1), (2, 3)) else ((0.06, 0.48), (0.52, 0.93))
        for s0, s1 in spans:
            # Bilinear weights of the wall's corners at the pane's corners.
            s, t = np.array([s0, s1, s1, s0]), np.array([0.10, 0.10, 0.92, 0.92])
            weights = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], axis=1)
            warmth = heat.glass + np.array([-0.8, -0.8, 0.6, 0.6])
            panes.append(quad(weights @ corners + outward, warmth, 2))
    return panes


def _wheels(shape: CarShape, heat: CarHeat) -> list[Mesh]:
    wheels = []
    radius = 0.31 if shape.height < 1.6 else 0.35
    for fraction in (0.17, 0.80):
        for side in (-1, 1):
            outer = side * (0.5 * shape.width + 0.015)
            inner = outer - side * 0.22
            path = np.array([[inner, 0, 0], [inner + side * 0.02, 0, 0], [outer - side * 0.02, 0, 0], [outer, 0, 0]])
            tyre = tube(path, radius * np.array([0.9, 1.0, 1.0, 0.92]), heat.wheel, 14, side=(0, 1, 0), closed=False)
            wall = ellipsoid((outer, 0, 0), (0.012, 0.94 * radius, 0.94 * radius), heat.wheel + 0.3, 12, 9)
            rim = ellipsoid((outer, 0, 0), (0.022, 0.55 * radius, 0.55 * radius), heat.brake, 8, 5)
            wheels += [piece.moved(translation=(0, -radius, _z(shape, fraction))) for piece in (tyre, wall, rim)]
    return wheels


def _front_and_rear(shape: CarShape, heat: CarHeat) -> list[Mesh]:
    front, rear = _z(shape, 0.0) - 0.012, _z(shape, 1.0) + 0.01
    w = 0.5 * shape.width
    low, high = -0.40 * shape.hood, -0.66 * shape.hood
    grille = quad(
        np.array([[-0.5 * w, high, front], [0.5 * w, high, front], [0.5 * w, low, front], [-0.5 * w, low, front]]),
        heat.grille,
    )
    plate = quad(
        np.array([[0.26, -0.62, rear], [-0.26, -0.62, rear], [-0.26, -0.50, rear], [0.26, -0.50, rear]]),
        heat.paint_side - 1.0,
    )
    pipe = ellipsoid((0.6 * w, -0.28, rear - 0.05), (0.05, 0.04, 0.10), heat.exhaust, 7, 5)
    return [grille, plate, pipe]


def two_wheeler(rng: np.random.Generator, climate: Climate, running: bool, kind: str | None = None) -> Mesh:
    """A 'bicycle' or a 'scooter' (which detectors count as a bicycle too); a running scooter has a hot engine."""
    kind = ("scooter" if rng.random() < 0.4 else "bicycle") if kind is None else kind
    loss = (climate.air - climate.sky) * rng.uniform(0.02, 0.12)
    metal = climate.air - loss + climate.sun * rng.uniform(0, 16)
    rubber = climate.air - 0.3 * loss + climate.sun * rng.uniform(0, 10) + (3.0 if running else 0.0)
    bike = kind == "bicycle"
    radius, thick, base = (0.34, 0.022, 1.05) if bike else (0.24, 0.055, 1.25)
    angle = np.linspace(0, 2 * np.pi, 15)
    ring = np.stack([0 * angle, -radius + radius * np.sin(angle), radius * np.cos(angle)], -1)
    parts = [tube(ring + (0, 0, end * base / 2), np.full(15, thick), rubber, 5, closed=False) for end in (-1, 1)]

    def bar(*points: tuple[float, float, float], r: float = 0.022, heat: float = metal) -> Mesh:
        path = np.array(points)
        return tube(path, np.full(len(path), r), heat, 5, side=(1, 0.1, 0.05))

    h = base / 2
    if bike:
        saddle, crank, stem = (0, -0.85, 0.18), (0, -0.30, 0.05), (0, -0.82, -0.36)
        parts += [bar(saddle, crank), bar(crank, stem), bar((0, -0.74, 0.15), stem), bar(crank, (0, -radius, h))]
        parts += [bar((0, -0.70, 0.14), (0, -radius, h), r=0.015), bar((0, -0.95, -0.40), stem, (0, -radius, -h))]
        parts += [bar((-0.29, -0.98, -0.34), (0, -0.96, -0.40), (0.29, -0.98, -0.34), r=0.018)]
        parts += [ellipsoid((0, -0.92, 0.20), (0.07, 0.035, 0.13), climate.air - 0.3 * loss, 7, 5)]
        if rng.random() < 0.4:
            parts.append(box((-0.17, -1.0, -0.72), (0.17, -0.76, -0.46), metal + 0.5))
    else:
        engine = climate.air + (rng.uniform(12, 35) if running else 0.0)
        parts += [box((-0.14, -0.72, 0.05), (0.14, -0.34, 0.72), metal, top=climate.air + climate.sun * 12)]
        parts += [
            box((-0.16, -0.36, -0.32), (0.16, -0.27, 0.10), metal),
            ellipsoid((0.12, -0.33, 0.50), (0.10, 0.10, 0.18), engine, 8, 6),
        ]
        parts += [
            bar((0, -1.02, -0.38), (0, -0.6, -0.50), (0, -radius, -h), r=0.05),
            box((-0.19, -0.80, -0.50), (0.19, -0.36, -0.40), metal),
        ]
        parts += [bar((-0.32, -1.03, -0.32), (0, -1.02, -0.38), (0.32, -1.03, -0.32))]
    mesh = merge(parts)
    return mesh.heated(0.3 * point_noise(rng, mesh.vertices, 0.6))
