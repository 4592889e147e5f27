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


@dataclass(frozen=True)
class Road:
    """Where a street runs: what lines it, drives on it or stands beside it keeps to it."""

    angle: float
    """Radians that it is turned from the way the camera looks."""
    middle: float
    """Metres from the camera to its middle, to the right."""
    half: float
    """Half its width in metres."""

    def at(self, across: float, along: float) -> np.ndarray:
        """The place (3,) so many metres to the right of the road's middle, and along it."""
        return np.asarray(rotation(self.angle) @ np.array([self.middle + across, 0.0, along]), np.float64)

    def facing(self, across: float) -> float:
        """The heading of who drives on the right, so many metres to the right of the road's middle."""
        return self.angle + (np.pi if across > 0 else 0.0)

    def beside(self, place: np.ndarray, clear: float) -> np.ndarray:
        """``place`` (3,), or where it lies within ``clear`` metres of the road, the next place that does not."""
        across, _, along = rotation(self.angle).T @ place
        off = across - self.middle
        reach = self.half + clear
        return place if abs(off) >= reach else self.at(float(np.copysign(reach, off)), along)


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
    road: Road | None = None
    """Of a street."""

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
    road = Road(rng.normal(0, 0.25), rng.uniform(-5, 5), rng.uniform(2.8, 7.0)) if kind == "street" else None
    terrain = _terrain(rng, climate, road)
    canvas = Canvas(view, climate.air, rng)
    paint_outdoors(canvas, climate, terrain, light.sky_rgb.astype(np.float32), rng.uniform(0, 1), rng)
    stage = Stage(kind, canvas, climate, light, np.inf, (np.inf, np.inf), road)
    half = 0.55 * view.width / view.k[0, 0]

    def somewhere(near: float, far: float, clear: float = 0.3) -> np.ndarray:
        z = float(np.exp(rng.uniform(np.log(near), np.log(far))))
        place = np.array([z * rng.uniform(-half, half), 0.0, z])
        return place if road is None or rng.random() < 0.15 else road.beside(place, clear)

    lined = rng.random() < 0.6  # houses along both sides, else anywhere
    for _ in range(int(rng.integers(0, 3 if kind == "yard" else 6))):
        wide, deep, tall = rng.uniform(4, 20), rng.uniform(4, 14), rng.uniform(2.5, 14)
        place, turn = somewhere(13, 80, wide), rng.normal(0, 0.5)
        if road is not None and lined:
            across = rng.choice([-1, 1]) * (road.half + rng.uniform(2, 10) + wide / 2)
            place, turn = road.at(across, rng.uniform(8, 60)), road.angle + rng.normal(0, 0.1)
        stage.put(things.house(rng, climate, wide, deep, tall), place + (0, 0, deep / 2), turn)
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
    if road is not None and rng.random() < 0.7:
        _line(rng, stage, road)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.5, 0.25, 0.15, 0.1]))):
        stage.put(things.hot_thing(rng, climate.air), somewhere(1.5, 25), rng.uniform(0, 6))
    return stage


def _line(rng: np.random.Generator, stage: Stage, road: Road) -> None:
    """Rows of trees and posts along the kerbs, as far as one sees, and now and then a signal."""
    for side in (-1, 1):
        for make, chance, gap in ((roadside.palm, 0.3, 9.0), (roadside.great_tree, 0.45, 12.0),
                                  (roadside.lantern, 0.35, 18.0), (roadside.post, 0.35, 7.0),
                                  (roadside.sign, 0.25, 12.0), (roadside.utility_pole, 0.2, 30.0)):
            if rng.random() > chance:
                continue
            kerb, z = side * (road.half + rng.uniform(0.5, 6)), rng.uniform(3, 14)
            while z < 60 and rng.random() < 0.9:
                place = road.at(kerb + rng.normal(0, 0.3), z)
                stage.put(make(rng, stage.climate), place, rng.uniform(0, 6))
                z += gap * rng.uniform(0.4, 1.8)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            place = road.beside(road.at(rng.uniform(-9, 9), rng.uniform(8, 40)), 0.3)
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


def _terrain(rng: np.random.Generator, climate: Climate, road: Road | None) -> Terrain:
    known = surfaces(rng, climate)
    spots = []
    for _ in range(int(rng.integers(0, 8))):
        z = float(np.exp(rng.uniform(np.log(1.5), np.log(30))))
        spots.append(Spot(z * rng.uniform(-0.8, 0.8), z, (rng.uniform(0.15, 1.8), rng.uniform(0.15, 3)),
                          rng.uniform(0, 3), rng.normal(0, 1.2 + 2.5 * climate.sun), rng.uniform(0, 0.5),
                          bool(rng.random() < 0.6)))
    bands = []
    if road is not None:
        angle, offset, half = road.angle, road.middle, road.half
        if rng.random() < 0.25:  # a crossing: this street is paved like its surroundings
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
