"""The empty stage of a scene: weather, light, camera pose, ground or room, and everything that has no label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.climate import Climate, random_climate
from thermal_kd_ros.simulation.mesh import rotation
from thermal_kd_ros.simulation.render import View, intrinsics, looking
from training.data.pair_scenes import roadside, things
from training.data.pair_scenes.ambience import Ambience
from training.data.pair_scenes.canvas import Canvas, Light
from training.data.pair_scenes.ground import Band, Spot, Surface, Terrain, paint_outdoors, surfaces
from training.data.pair_scenes.materials import linear
from training.data.pair_scenes.rooms import room
from training.data.pair_scenes.things import Thing

KINDS = ("street", "yard", "indoor")
"""Where a scene plays."""


@dataclass
class Stage:
    """A canvas with everything that stands around already drawn."""

    kind: str
    canvas: Canvas
    climate: Climate
    light: Light
    limit: float
    """Metres that the scene is deep: people stand nearer."""
    sides: tuple[float, float]
    """Metres to the left and right that people may stand; infinite outdoors."""

    def put(self, thing: Thing, position: np.ndarray, heading: float = 0.0) -> None:
        """Draw something without a label."""
        self.canvas.draw(*thing, rotation(heading), position, 0, self.ambience, self.light)

    @property
    def ambience(self) -> Ambience:
        """What glossy surfaces mirror."""
        return Ambience(self.climate.air, self.climate.sky, self.climate.road)


def camera_view(rng: np.random.Generator, width: int, height: int, indoor: bool) -> View:
    """A robot's camera: 0.3 to 2 m above the ground, outdoors sometimes on a mast up to 4 m high.

    Its lens sees 25 to 80 degrees outdoors and 45 to 90 indoors.
    """
    k = intrinsics(width, height, float(rng.uniform(45, 90) if indoor else rng.uniform(25, 80)))
    up = float(np.exp(rng.uniform(np.log(0.3), np.log(2.0)))) if indoor or rng.random() < 0.85 else rng.uniform(2, 4)
    turn = looking(0.0, 0.0, float(rng.normal(0, 0.02)))
    return View(k, turn, np.array([0.0, -up, 0.0]), width, height)


def build_stage(rng: np.random.Generator, kind: str, view: View) -> Stage:
    """A random stage of one of :data:`KINDS` for a camera pose."""
    return _indoors(rng, view) if kind == "indoor" else _outdoors(rng, kind, view)


def _indoors(rng: np.random.Generator, view: View) -> Stage:
    climate = random_climate(rng, "indoor")
    day = bool(rng.random() < 0.6)
    outside = rng.uniform(-5, 35)
    canvas = Canvas(view, climate.air, rng)
    placed, (left, right, depth) = room(rng, climate.air, outside, day)
    warm = np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.6, 1.0)])
    lamp = np.array([rng.uniform(-1, 1), -2.2, rng.uniform(0.5, depth)])
    light = Light(np.array([0, -1.0, 0]), np.zeros(3), rng.uniform(0.05, 0.5) * warm ** 0.5,
                  [(lamp, rng.uniform(0.3, 1.5) * warm, rng.uniform(1, 4))])
    stage = Stage("indoor", canvas, climate, light, depth - 0.3, (left - 0.2, right - 0.2))
    for thing, position in placed:
        stage.put(thing, position)
    canvas.celsius[~np.isfinite(canvas.distance)] = climate.air
    return stage


def _outdoors(rng: np.random.Generator, kind: str, view: View) -> Stage:
    hour = str(rng.choice(["day", "dusk", "night"], p=[0.5, 0.2, 0.3]))
    climate = random_climate(rng, hour)
    light = _light(rng, climate, hour)
    terrain = _terrain(rng, kind, climate)
    canvas = Canvas(view, climate.air, rng)
    paint_outdoors(canvas, climate, terrain, light.sky_rgb.astype(np.float32), rng.uniform(0, 1), rng)
    stage = Stage(kind, canvas, climate, light, np.inf, (np.inf, np.inf))
    half = 0.55 * view.width / view.k[0, 0]

    def somewhere(near: float, far: float) -> np.ndarray:
        z = float(np.exp(rng.uniform(np.log(near), np.log(far))))
        return np.array([z * rng.uniform(-half, half), 0.0, z])

    lined = kind == "street" and rng.random() < 0.6  # houses along both sides, else anywhere
    for _ in range(int(rng.integers(0, 3 if kind == "yard" else 6))):
        wide, deep, tall = rng.uniform(4, 20), rng.uniform(4, 14), rng.uniform(2.5, 14)
        place = somewhere(13, 80)
        if lined:
            place = np.array([rng.choice([-1, 1]) * (wide / 2 + rng.uniform(6, 15)), 0.0, rng.uniform(8, 60)])
        stage.put(things.house(rng, climate, wide, deep, tall), place + (0, 0, deep / 2),
                  rng.normal(0, 0.1 if lined else 0.5))
    if rng.random() < 0.3:  # a wall or hedge close behind
        place = somewhere(6, 20)
        stage.put(things.house(rng, climate, rng.uniform(4, 15), 0.4, rng.uniform(0.8, 2.8)), place, rng.normal(0, 0.3))
    for _ in range(int(rng.integers(0, 6))):
        stage.put(things.tree(rng, climate, rng.uniform(2.5, 10)), somewhere(7, 60))
    for _ in range(int(rng.integers(0, 6))):
        stage.put(things.bush(rng, climate), somewhere(5, 40), rng.uniform(0, 6))
    for _ in range(int(rng.integers(0, 4))):
        stage.put(things.clutter(rng, climate), somewhere(3, 30), rng.uniform(0, 6))
    for _ in range(int(rng.integers(0, 3))):
        tall = rng.uniform(3.5, 8)
        lit = hour != "day"
        place = somewhere(5, 40)
        stage.put(things.lamp_post(rng, climate, tall, lit), place, rng.uniform(0, 6))
        if lit:
            light.lamps.append((place + (0, -tall, 0), linear(1, 0.85, 0.6) * rng.uniform(0.2, 1.0), tall))
    if kind == "street" and rng.random() < 0.7:
        _line(rng, stage)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.5, 0.25, 0.15, 0.1]))):
        stage.put(things.hot_thing(rng, climate.air), somewhere(1.5, 25), rng.uniform(0, 6))
    return stage


def _line(rng: np.random.Generator, stage: Stage) -> None:
    """Rows of trees and posts along the kerbs, as far as one sees, and now and then a signal."""
    along = rotation(float(rng.normal(0, 0.25)))
    for side in (-1, 1):
        for make, chance, gap in ((roadside.palm, 0.3, 9.0), (roadside.great_tree, 0.45, 12.0),
                                  (roadside.lantern, 0.35, 18.0), (roadside.post, 0.35, 7.0)):
            if rng.random() > chance:
                continue
            kerb, z = side * rng.uniform(2.5, 11), rng.uniform(3, 14)
            while z < 60 and rng.random() < 0.9:
                place = along @ np.array([kerb + rng.normal(0, 0.5), 0.0, z])
                stage.put(make(rng, stage.climate), place, rng.uniform(0, 6))
                z += gap * rng.uniform(0.4, 1.8)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            place = along @ np.array([rng.uniform(-9, 9), 0.0, rng.uniform(8, 40)])
            stage.put(roadside.traffic_light(rng, stage.climate), place, rng.normal(0, 0.3))


def _light(rng: np.random.Generator, climate: Climate, hour: str) -> Light:
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.2)
    sun = np.array([np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])
    if hour == "day":
        return Light(sun, climate.sun * 1.6 * np.array([1.0, 0.95, 0.85]), np.array([0.40, 0.48, 0.60]))
    if hour == "dusk":
        return Light(sun, np.zeros(3), rng.uniform(0.04, 0.15) * np.array([0.9, 0.8, 1.1]))
    light = Light(sun, np.zeros(3), rng.uniform(0.002, 0.02) * np.array([0.9, 0.95, 1.2]))
    if rng.random() < 0.35:  # the robot's own lamp
        light.lamps.append((np.array([0.0, -0.8, 0.0]), np.full(3, rng.uniform(0.2, 1.0)), rng.uniform(2, 6)))
    return light


def _terrain(rng: np.random.Generator, kind: str, climate: Climate) -> Terrain:
    known = surfaces(rng, climate)
    spots = []
    for _ in range(int(rng.integers(0, 8))):
        z = float(np.exp(rng.uniform(np.log(1.5), np.log(30))))
        spots.append(Spot(z * rng.uniform(-0.8, 0.8), z, (rng.uniform(0.15, 1.8), rng.uniform(0.15, 3)),
                          rng.uniform(0, 3), rng.normal(0, 1.2 + 2.5 * climate.sun), rng.uniform(0, 0.5),
                          bool(rng.random() < 0.6)))
    bands = []
    if kind == "street":
        angle, offset, half = rng.normal(0, 0.6), rng.uniform(-6, 6), rng.uniform(2, 8)
        if rng.random() < 0.25:
            angle += np.pi / 2
            offset = -rng.uniform(6, 25)
        if rng.random() < 0.8:
            bands.append(Band(angle, offset, half + rng.uniform(1, 4), known["pavement"]))
        bands.append(Band(angle, offset, half, known["road"]))
        for shift in (-half + 0.2, 0.0, half - 0.2):
            if rng.random() < 0.5:
                bands.append(Band(angle, offset + shift, 0.07, known["paint"], float(rng.choice([0.0, 2.0, 4.0]))))
        base = known[str(rng.choice(["grass", "pavement", "soil", "road"], p=[0.4, 0.3, 0.1, 0.2]))]
    else:
        base = known[str(rng.choice(["grass", "soil", "pavement"], p=[0.6, 0.25, 0.15]))]
        for _ in range(int(rng.integers(0, 3))):
            surface: Surface = known[str(rng.choice(["pavement", "soil", "road"]))]
            bands.append(Band(rng.uniform(-1.5, 1.5), rng.uniform(-4, 4), rng.uniform(0.4, 1.8), surface))
    dapple = rng.uniform(0.1, 0.6) if climate.sun > 0.2 and rng.random() < 0.5 else 0.0
    return Terrain(base, tuple(bands), tuple(spots), float(dapple))
