"""Things that stand around: buildings, trees, lamps, fences, clutter, animals. y points down, the ground is y = 0."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.mesh import Mesh, box, ellipsoid, merge, quad, quads, rotation, tube
from thermal_kd_ros.simulation.noise import point_noise


def building(rng: np.random.Generator, climate: Climate, width: float, depth: float, height: float) -> Mesh:
    """A house or block with rows of windows, some heated, some mirrors of the cold sky. Origin: middle of its plan."""
    wall = climate.wall + rng.normal(0, 0.6)
    low, high = np.array([-width / 2, -height, -depth / 2]), np.array([width / 2, 0.0, depth / 2])
    shell = box(low, high, wall, divisions=6, top=climate.roof)
    shell = shell.heated(
        0.35 * point_noise(rng, shell.vertices, 7.0) - 0.3 * np.clip(shell.vertices[:, 1] / height + 0.3, -1, 0)
    )
    parts = [shell]
    storey, bay = rng.uniform(2.9, 3.6), rng.uniform(2.2, 4.0)
    pane_width, pane_height = rng.uniform(0.35, 0.8) * bay, rng.uniform(0.35, 0.6) * storey
    heated = rng.uniform(0.5, 3.0)
    reflect = rng.uniform(0.05, 0.3)
    for axis, span, out in (
        (0, width, depth / 2),
        (0, width, -depth / 2),
        (2, depth, width / 2),
        (2, depth, -width / 2),
    ):
        columns, rows = int((span - 1.0) / bay), int((height - 0.4) / storey)
        if columns < 1 or rows < 1:
            continue
        u, y = np.meshgrid((np.arange(columns) - (columns - 1) / 2) * bay, -(np.arange(rows) + 0.5) * storey)
        lit = (rng.random(u.size) < 0.25) * rng.uniform(0.5, 2.5, u.size) * heated
        heat = wall + lit - reflect * (climate.air - climate.sky)
        parts.append(_panes(axis, out, u.reshape(-1), y.reshape(-1), pane_width, pane_height, heat))
    if rng.random() < 0.5:
        parts.append(_gable(width, depth, height, climate.roof))
    for _ in range(int(rng.integers(0, 4))):  # vents and air conditioners
        x, z = float(rng.uniform(-0.4, 0.4)) * width, -depth / 2
        vent = -float(rng.uniform(0.2, 0.8)) * height
        parts.append(box((x - 0.4, vent - 0.3, z - 0.35), (x + 0.4, vent + 0.3, z), wall + rng.uniform(-1, 9)))
    return merge(parts)


def _panes(axis: int, out: float, u: np.ndarray, y: np.ndarray, width: float, height: float, heat: np.ndarray) -> Mesh:
    """Windows with centres u, y (N,) just outside the wall along ``axis`` whose other coordinate is ``out``."""
    # Left and right as seen from outside.
    a, b = (-1, 1) if (out < 0) == (axis == 0) else (1, -1)
    corners = np.zeros((len(u), 4, 3))
    corners[:, :, axis] = u[:, None] + 0.5 * width * np.array([a, b, b, a])
    corners[:, :, 2 - axis] = out + np.sign(out) * 0.03
    corners[:, :, 1] = y[:, None] + 0.5 * height * np.array([-1, -1, 1, 1])
    return quads(corners, heat)


def _gable(width: float, depth: float, height: float, heat: float) -> Mesh:
    w, d, rise = width / 2 + 0.4, depth / 2 + 0.4, 0.35 * depth
    ridge = [np.array([-w, -height - rise, 0.0]), np.array([w, -height - rise, 0.0])]
    eaves = [np.array([s * w, -height, t * d]) for t in (-1, 1) for s in (-1, 1)]
    front = quad(np.array([ridge[0], ridge[1], eaves[1], eaves[0]]), heat)
    back = quad(np.array([ridge[1], ridge[0], eaves[2], eaves[3]]), heat)
    sides = [
        Mesh(np.array(t, np.float32), np.array([[0, 1, 2]], np.int32), np.full(3, heat + 1.5, np.float32))
        for t in ((ridge[0], eaves[2], eaves[0]), (ridge[1], eaves[1], eaves[3]))
    ]
    return merge([front, back, *sides])


def tree(rng: np.random.Generator, climate: Climate, height: float, kind: str | None = None) -> Mesh:
    """A 'broad' or 'conifer' tree, or a 'bare' one: its leaves keep near the air, mottled."""
    kind = str(rng.choice(["broad", "conifer", "bare"], p=[0.6, 0.25, 0.15])) if kind is None else kind
    trunk_heat = climate.air + rng.uniform(-0.5, 2.0)
    thick = 0.025 * height
    lean = rng.normal(0, 0.03 * height, 2)
    trunk = np.array([[0, 0, 0], [0.4 * lean[0], -0.4 * height, 0.4 * lean[1]], [lean[0], -0.85 * height, lean[1]]])
    parts = [tube(trunk, np.array([thick, 0.75 * thick, 0.3 * thick]), trunk_heat, 6)]
    if kind == "bare":
        for _ in range(int(rng.integers(9, 16))):
            start = trunk[1] + (trunk[2] - trunk[1]) * rng.uniform(0, 0.9)
            spread = rng.normal(0, 1, 3) * (0.22, 0.10, 0.22)
            middle = start + height * spread * 0.6 + (0, -0.08 * height, 0)
            tip = middle + height * spread * 0.5 + (0, -0.10 * height, 0)
            parts.append(tube(np.array([start, middle, tip]), thick * np.array([0.35, 0.2, 0.08]), trunk_heat - 0.5, 4))
        return merge(parts)
    crowns = []
    if kind == "conifer":
        for level in range(4):
            y = -height * (0.25 + 0.2 * level)
            crowns.append(
                tube(
                    np.array([[0, y - 0.30 * height, 0], [0, y, 0]]),
                    np.array([0.02, 0.24 - 0.045 * level]) * height,
                    0.0,
                    11,
                )
            )
    else:
        for _ in range(int(rng.integers(7, 12))):
            centre = rng.normal(0, 1, 3) * (0.16 * height, 0.10 * height, 0.16 * height) + (
                lean[0],
                -0.68 * height,
                lean[1],
            )
            radii = height * rng.uniform(0.09, 0.20, 3)
            crowns.append(ellipsoid(centre, radii, 0.0, 14, 9))
    crown = merge(crowns)
    ragged = 0.030 * height * point_noise(rng, crown.vertices, 0.16 * height, 16)
    ragged += 0.028 * height * rng.standard_normal(len(crown.vertices))  # leaves
    centre = crown.vertices.mean(axis=0)
    outwards = crown.vertices - centre
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-6)
    shaded = 0.4 * (1 + climate.sun) * np.clip(-(crown.vertices[:, 1] - centre[1]) / (0.3 * height), -1, 1)
    heat = (
        climate.tree
        + 0.5 * point_noise(rng, crown.vertices, 0.2 * height)
        + shaded * (1.0 if climate.sun > 0 else -1.0)
    )
    heat += 0.35 * rng.standard_normal(len(crown.vertices))
    parts.append(
        Mesh((crown.vertices + outwards * ragged[:, None]).astype(np.float32), crown.faces, heat.astype(np.float32))
    )
    return merge(parts)


def bush(rng: np.random.Generator, climate: Climate, size: float) -> Mesh:
    """A rounded bush or a piece of hedge."""
    blob = ellipsoid((0, -0.4 * size, 0), (0.7 * size, 0.55 * size, 0.6 * size), climate.tree, 22, 14)
    ragged = 1 + 0.10 * point_noise(rng, blob.vertices, 0.5 * size, 14)[:, None]
    ragged += 0.05 * rng.standard_normal(ragged.shape)
    return Mesh(
        (blob.vertices * ragged).astype(np.float32),
        blob.faces,
        (blob.temperature + 0.5 * point_noise(rng, blob.vertices, 0.4 * size)).astype(np.float32),
    )


def lamp_post(rng: np.random.Generator, climate: Climate, height: float, lit: bool) -> Mesh:
    """A street lamp; the head of a lit one is hot."""
    pole = climate.air + rng.uniform(-1.5, 1.0)
    arm = rng.uniform(0.6, 1.8)
    path = np.array([[0, 0, 0], [0, -0.96 * height, 0], [0.3 * arm, -height, 0], [arm, -1.01 * height, 0]])
    head = climate.air + (rng.uniform(8, 35) if lit else rng.uniform(-2, 0))
    return merge(
        [
            tube(path, np.array([0.10, 0.06, 0.05, 0.04]), pole, 6, side=(0.05, 0.1, 1)),
            ellipsoid((arm + 0.15, -1.01 * height, 0), (0.34, 0.08, 0.15), head, 8, 6),
        ]
    )


def fence(rng: np.random.Generator, climate: Climate, length: float) -> Mesh:
    """A railing along x."""
    heat = climate.air - rng.uniform(0, 3) + climate.sun * rng.uniform(0, 8)
    rails = [box((-length / 2, y - 0.03, -0.02), (length / 2, y + 0.03, 0.02), heat) for y in (-0.95, -0.5)]
    posts = [
        box((x - 0.04, -1.05, -0.04), (x + 0.04, 0, 0.04), heat - 0.3)
        for x in np.arange(-length / 2, length / 2 + 0.1, 1.6).tolist()
    ]
    return merge(rails + posts)


def clutter(rng: np.random.Generator, climate: Climate) -> Mesh:
    """Something nobody asked for: a bin, a bench, a sign, a transformer, a hot pipe, a barrel, a stack of crates."""
    kind = int(rng.integers(7))
    metal = climate.air - rng.uniform(-0.5, 3) + climate.sun * rng.uniform(0, 14)
    if kind == 0:
        return box((-0.3, -1.0, -0.3), (0.3, 0, 0.3), climate.air + rng.uniform(-1, 2), 2, top=metal)
    if kind == 1:
        legs = [box((x - 0.05, -0.45, -0.2), (x + 0.05, 0, 0.2), metal) for x in (-0.7, 0.7)]
        return merge(
            [
                box((-0.9, -0.5, -0.25), (0.9, -0.43, 0.25), metal + 0.6),
                box((-0.9, -0.9, 0.2), (0.9, -0.6, 0.26), metal),
                *legs,
            ]
        )
    if kind == 2:
        plate = ellipsoid((0, -2.3, 0), (0.35, 0.35, 0.03), metal - 1.0, 12, 7)
        return merge([tube(np.array([[0, 0, 0.05], [0, -2.5, 0.05]]), np.array([0.035, 0.035]), metal, 6), plate])
    if kind == 3:
        return box((-0.5, -1.5, -0.4), (0.5, 0, 0.4), climate.air + rng.uniform(2, 14), 2)
    if kind == 4:
        path = np.array([[0, 0, 0], [0, -rng.uniform(0.8, 3), 0], [rng.uniform(0.5, 2), -rng.uniform(0.8, 3), 0]])
        return tube(path, np.full(3, rng.uniform(0.05, 0.15)), climate.air + rng.uniform(8, 40), 8, side=(0, 0.1, 1))
    if kind == 5:
        return tube(
            np.array([[0, -0.9, 0], [0, -0.02, 0]]), np.array([0.3, 0.3]), climate.air + rng.uniform(-2, 18), 12
        )
    crates = [
        box((x, -0.6 * (level + 1), -0.35), (x + 0.75, -0.6 * level, 0.35), metal + rng.normal(0, 0.6))
        for level in range(2)
        for x in rng.uniform(-0.6, 0.2, 1)
    ]
    return merge(crates)


def animal(rng: np.random.Generator, climate: Climate) -> Mesh:
    """A dog-sized warm animal: hot, alive, and neither person nor vehicle. Looks along -z."""
    size = rng.uniform(0.5, 1.1)
    coat = climate.air + rng.uniform(0.3, 0.6) * (34 - climate.air)
    bare = climate.air + 0.85 * (34 - climate.air)
    trunk = tube(np.array([[0, -0.52, -0.30], [0, -0.50, 0], [0, -0.50, 0.32]]), np.array([0.12, 0.14, 0.10]), coat, 9)
    neck = tube(np.array([[0, -0.55, -0.30], [0, -0.72, -0.45]]), np.array([0.09, 0.08]), coat + 1, 8)
    head = ellipsoid((0, -0.75, -0.50), (0.085, 0.085, 0.12), coat + 2, 9, 7)
    snout = ellipsoid((0, -0.72, -0.62), (0.045, 0.045, 0.08), bare, 7, 5)
    legs = [
        tube(np.array([[x, -0.45, z], [x, -0.02, z + rng.uniform(-0.12, 0.12)]]), np.array([0.05, 0.03]), coat + 0.5, 6)
        for x in (-0.09, 0.09)
        for z in (-0.26, 0.28)
    ]
    tail = tube(np.array([[0, -0.54, 0.33], [0, -0.66, 0.55]]), np.array([0.03, 0.015]), coat - 1, 5)
    mesh = merge([trunk, neck, head, snout, tail, *legs])
    return mesh.heated(0.06 * (coat - climate.air) * point_noise(rng, mesh.vertices, 0.2)).moved(np.eye(3) * size)


def placed(mesh: Mesh, x: float, z: float, heading: float = 0.0) -> Mesh:
    """The mesh turned by ``heading`` and set on the ground at (x, z)."""
    return mesh.moved(rotation(heading), (x, 0.0, z))
