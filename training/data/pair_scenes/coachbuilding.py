"""Cars built from a profile, no two alike: the archive has a handful of shapes, which a network would learn by heart.

A body is lofted along its length: its side from the sill to the belt, the cabin's side from there to the edge of the
roof, and what closes it above, from the bonnet over windscreen and roof to the tail. Panes are faces of these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.mesh import Mesh, box, grid_faces
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.model import Model, joined, part


@dataclass(frozen=True)
class Coach:
    """A body. Heights and lengths in metres; places along the car as shares of its length, from the front.

    nose, hood: heights of the bonnet at its front edge and at the windscreen. cowl, roof_front, roof_rear, deck: where
    the windscreen begins and ends, where the roof ends, and where its line meets the boot's lid, the bed or the rear.
    boot: height there. inward: how much the cabin's side leans in, as a slope. panes: side windows behind each other.
    glazed: whether the rear is glass above the belt, else sheet metal. slab: 0 for a body round in plan, 1 for a box.
    """

    length: float
    width: float
    height: float
    belt: float
    nose: float
    hood: float
    cowl: float
    roof_front: float
    roof_rear: float
    deck: float
    boot: float
    clearance: float
    wheel: float
    inward: float
    panes: float
    glazed: float
    slab: float


_STYLES = {
    "sedan": (Coach(4.2, 1.68, 1.38, 0.86, 0.62, 0.84, 0.26, 0.40, 0.68, 0.84, 0.90, 0.14, 0.29, 0.25, 2, 1, 0.2),
              Coach(5.1, 1.92, 1.52, 0.98, 0.78, 0.98, 0.32, 0.47, 0.76, 0.91, 1.08, 0.20, 0.35, 0.50, 3, 1, 0.8)),
    "coupe": (Coach(4.0, 1.70, 1.22, 0.80, 0.55, 0.78, 0.30, 0.44, 0.58, 0.86, 0.84, 0.10, 0.30, 0.35, 1, 1, 0.1),
              Coach(4.8, 1.95, 1.40, 0.92, 0.70, 0.92, 0.38, 0.52, 0.70, 0.95, 1.02, 0.15, 0.36, 0.60, 2, 1, 0.6)),
    "hatchback": (Coach(3.4, 1.58, 1.40, 0.86, 0.64, 0.86, 0.18, 0.34, 0.80, 0.95, 0.86, 0.13, 0.27, 0.18, 2, 1, 0.2),
                  Coach(4.4, 1.82, 1.58, 1.00, 0.82, 1.02, 0.27, 0.44, 0.90, 0.985, 1.05, 0.19, 0.34, 0.42, 3, 1, 0.8)),
    "wagon": (Coach(4.4, 1.72, 1.40, 0.88, 0.64, 0.86, 0.24, 0.38, 0.86, 0.95, 0.88, 0.14, 0.29, 0.20, 3, 1, 0.3),
              Coach(5.0, 1.90, 1.56, 1.00, 0.80, 1.00, 0.31, 0.45, 0.94, 0.985, 1.04, 0.22, 0.36, 0.42, 3, 1, 0.9)),
    "suv": (Coach(4.1, 1.76, 1.58, 1.00, 0.80, 0.98, 0.22, 0.35, 0.82, 0.95, 1.00, 0.18, 0.34, 0.12, 2, 1, 0.4),
            Coach(5.2, 2.05, 1.95, 1.22, 1.10, 1.22, 0.31, 0.43, 0.95, 0.99, 1.25, 0.30, 0.43, 0.38, 3, 1, 1.0)),
    "minivan": (Coach(4.3, 1.75, 1.60, 0.95, 0.74, 0.95, 0.13, 0.30, 0.86, 0.95, 0.95, 0.14, 0.30, 0.14, 3, 1, 0.4),
                Coach(5.3, 2.02, 1.90, 1.12, 0.95, 1.15, 0.22, 0.38, 0.96, 0.99, 1.12, 0.20, 0.36, 0.34, 3, 1, 1.0)),
    "van": (Coach(4.6, 1.80, 1.80, 1.05, 0.85, 1.05, 0.10, 0.22, 0.95, 0.985, 1.1, 0.16, 0.31, 0.02, 0, 0, 0.7),
            Coach(6.4, 2.10, 2.70, 1.40, 1.15, 1.35, 0.19, 0.31, 0.99, 0.995, 1.4, 0.24, 0.38, 0.15, 2, 1, 1.0)),
    "pickup": (Coach(4.9, 1.78, 1.62, 1.00, 0.85, 0.98, 0.23, 0.33, 0.50, 0.54, 0.98, 0.20, 0.35, 0.15, 1, 1, 0.6),
               Coach(5.9, 2.08, 2.00, 1.25, 1.15, 1.25, 0.31, 0.41, 0.63, 0.68, 1.25, 0.34, 0.44, 0.35, 2, 1, 1.0)),
}
"""The least and the most of each body style."""
_SHARES = {"sedan": 0.26, "coupe": 0.06, "hatchback": 0.17, "wagon": 0.09, "suv": 0.2, "minivan": 0.07, "van": 0.07,
           "pickup": 0.08}
_CABIN = np.array([0.0, 0.08, 0.3, 0.55, 0.8, 0.9, 1.0])
"""Rows of the cabin's side, as shares of its height; the last one rounds off into the roof."""
_WHEEL_WIDTH = 0.2
"""Metres."""


def random_coach(rng: np.random.Generator) -> Coach:
    """A body of a random style; large ones are large in every direction."""
    least, most = _STYLES[str(rng.choice(list(_SHARES), p=list(_SHARES.values())))]
    low, high = np.array(list(vars(least).values())), np.array(list(vars(most).values()))
    share = rng.uniform(0, 1, len(low))
    share[:3] = np.clip(rng.uniform(0, 1) + rng.normal(0, 0.25, 3), 0, 1)
    values = dict(zip(vars(least), low + share * (high - low), strict=True))
    values["panes"], values["glazed"] = round(values["panes"]), float(values["glazed"] > 0.5)
    return Coach(**values)


def coach_built(coach: Coach) -> Model:
    """The body on its wheels, without an engine (``vehicles.engined``)."""
    place = np.concatenate([np.linspace(0, 0.05, 6), np.linspace(0.05, 0.95, 52)[1:-1], np.linspace(0.95, 1, 6)])
    top, wide = _profile(coach, place), _plan(coach, place)
    belt = np.minimum(coach.belt * (1 + 0.06 * (place - 0.5)), top - 0.015)
    z = (place - 0.5) * coach.length
    low = coach.clearance + 0.14 * np.exp(-np.minimum(place, 1 - place) / 0.012)
    edge = np.maximum(wide - coach.inward * np.maximum(top - belt, 0), 0.55 * wide)
    rounding = 0.10 * np.minimum(1.0, (top - belt) / 0.3)
    parts: list[Model] = []
    for side in (-1.0, 1.0):
        up = np.linspace(0, 1, 11)
        bulge = 0.94 + 0.06 * np.sin(np.pi * np.clip(0.25 + 0.6 * up, 0, 1))
        body = _sheet(side * wide[:, None] * bulge, low[:, None] + up * (belt - low)[:, None], z)
        parts.append(_with_arches(coach, body))
        up = _CABIN
        lean = wide[:, None] + up * (edge - wide)[:, None] - rounding[:, None] * up ** 6
        cabin = _sheet(side * lean, belt[:, None] + up * (top - rounding * 0.8 - belt)[:, None], z)
        parts.append(_of(cabin, _side_panes(coach, cabin)))
    across = np.linspace(-1, 1, 13)
    crown = 0.8 * rounding[:, None] * np.abs(across) ** 5 + 0.02 * across ** 2 * (1 - across ** 2)
    lid = _sheet(across * (edge - rounding)[:, None], top[:, None] - crown, z)
    parts.append(_of(lid, _lid_materials(coach, lid)))
    for end in (0, -1):
        corners = np.meshgrid(wide[end] * np.linspace(-0.97, 0.97, 5), -np.linspace(low[end], top[end], 9), [z[end]],
                              indexing="ij")
        face = Mesh(np.stack(corners, -1).reshape(-1, 3).astype(np.float32), grid_faces(5, 9), np.zeros(45, np.float32))
        parts.append(_of(face, np.full(len(face.faces), Material.PAINT)))
    under = box((-0.36 * coach.width, -0.5 * coach.belt, -0.46 * coach.length),
                (0.36 * coach.width, -coach.clearance, 0.46 * coach.length), 0.0)
    parts.append(part(under, Material.BUMPER))
    return joined([*parts, *_wheels(coach)])


def _profile(coach: Coach, place: np.ndarray) -> np.ndarray:
    """Height of the upper outline at shares of the length, corners rounded."""
    points = ((0.0, 0.62 * coach.nose), (0.012, 0.93 * coach.nose), (0.03, coach.nose), (coach.cowl, coach.hood),
              (coach.roof_front, 0.97 * coach.height), (0.5 * (coach.roof_front + coach.roof_rear), coach.height),
              (coach.roof_rear, 0.965 * coach.height), (coach.deck, coach.boot), (0.988, 0.97 * coach.boot),
              (1.0, 0.72 * coach.boot))
    where, high = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    reach = np.linspace(-1, 1, 9)
    weight = np.exp(-2 * reach ** 2)
    spread = 0.018 * np.minimum(1.0, np.minimum(place, 1 - place) / 0.03)
    near = np.interp(place[:, None] + spread[:, None] * reach, where, high)
    return np.asarray(near @ (weight / weight.sum()), np.float64)


def _plan(coach: Coach, place: np.ndarray) -> np.ndarray:
    """Half the width at shares of the length: narrower towards the ends."""
    front, rear = np.clip(1 - place / 0.16, 0, 1), np.clip(1 - (1 - place) / 0.12, 0, 1)
    taper = (1 - 0.75 * coach.slab) * (0.20 * front ** 2 + 0.14 * rear ** 2) + 0.05 * (front ** 8 + rear ** 8)
    return np.asarray(0.5 * coach.width * (1 - taper), np.float64)


def _sheet(x: np.ndarray, height: np.ndarray, z: np.ndarray) -> Mesh:
    """A grid of vertices from (rows, columns) of x and height at (rows,) of z."""
    x, height, depth = np.broadcast_arrays(x, height, z[:, None])
    vertices = np.stack([x, -height, depth], axis=-1).reshape(-1, 3).astype(np.float32)
    return Mesh(vertices, grid_faces(*x.shape), np.zeros(len(vertices), np.float32))


def _of(mesh: Mesh, material: np.ndarray) -> Model:
    return Model(mesh.vertices, mesh.faces, material.astype(np.uint8), mesh.temperature)


def _axles(coach: Coach) -> tuple[float, float]:
    overhang = min(0.19 * coach.length, 0.95)
    return -0.5 * coach.length + overhang, 0.5 * coach.length - 1.05 * overhang


def _with_arches(coach: Coach, side: Mesh) -> Model:
    """The side of the body, pushed in where the wheels are."""
    away = np.min([np.hypot(side.vertices[:, 2] - z, side.vertices[:, 1] + coach.wheel) for z in _axles(coach)], axis=0)
    inside = away < 1.13 * coach.wheel
    vertices = side.vertices.copy()
    vertices[inside, 0] *= 1 - 2 * _WHEEL_WIDTH / coach.width
    well = inside[side.faces].all(axis=1)
    return Model(vertices, side.faces, np.where(well, Material.BUMPER, Material.PAINT).astype(np.uint8),
                 side.temperature)


def _quads(mesh: Mesh) -> np.ndarray:
    """(F, 3) middle of the quad that a face of a grid is a half of: both get the same material."""
    halves = mesh.vertices[mesh.faces].mean(1).reshape(2, -1, 3)
    return np.tile(halves.mean(0), (2, 1))


def _side_panes(coach: Coach, cabin: Mesh) -> np.ndarray:
    """Materials of the faces of a cabin's side: glass between the pillars, below the edge of the roof."""
    middle = _quads(cabin)
    place, high = middle[:, 2] / coach.length + 0.5, -middle[:, 1]
    first, last = coach.cowl + 0.02, coach.deck - 0.02
    if coach.panes == 0:  # a van's cab alone has windows
        last = coach.roof_front + 0.12
    glass = (high > coach.belt + 0.03) & (high < 0.95 * coach.height) & (place > first) & (place < last)
    start = 0.5 * (coach.cowl + coach.roof_front)
    for k in range(1, int(coach.panes)):
        pillar = start + (last - start) * (k + 0.25) / (coach.panes + 0.25)
        glass &= np.abs(place - pillar) > 0.016
    glass &= np.arange(len(middle)) % (len(_CABIN) - 1) < len(_CABIN) - 2
    return np.where(glass, Material.GLASS, Material.PAINT)


def _lid_materials(coach: Coach, lid: Mesh) -> np.ndarray:
    """Materials of the faces that close the body above: bonnet, windscreen, roof, rear window, boot."""
    middle = _quads(lid)
    place, high = middle[:, 2] / coach.length + 0.5, -middle[:, 1]
    pane = (high > coach.belt + 0.04) & (high < 0.955 * coach.height) & (np.abs(middle[:, 0]) < 0.43 * coach.width)
    ahead, behind = place < coach.roof_front, (place > coach.roof_rear) & bool(coach.glazed)
    material = np.full(len(middle), Material.PAINT)
    material[place < coach.cowl] = Material.HOOD
    material[pane & ((ahead & (place > coach.cowl)) | behind)] = Material.GLASS
    return material


def _wheels(coach: Coach) -> list[Model]:
    """Four tyres with a flat outer side, whose middle a rim may take."""
    angle = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    found = []
    for side in (-1.0, 1.0):
        outer = side * (0.5 * coach.width - 0.03)
        for z in _axles(coach):
            rows = [(outer - side * _WHEEL_WIDTH, 1.0), (outer, 1.0), (outer, 0.64), (outer - side * 0.02, 0.6),
                    (outer - side * 0.02, 0.02)]
            rings = [np.stack([np.full(len(angle), x), -coach.wheel * (1 - share * np.sin(angle)),
                               z + coach.wheel * share * np.cos(angle)], axis=1) for x, share in rows]
            vertices = np.concatenate(rings).astype(np.float32)
            mesh = Mesh(vertices, grid_faces(len(rows), len(angle), True), np.zeros(len(vertices), np.float32))
            found.append(part(mesh, Material.TYRE))
    return found
