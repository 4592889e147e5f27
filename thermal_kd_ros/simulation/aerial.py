"""Scenes from a drone that hovers and looks down."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.actors import Actor, MeshActor, Path, PersonActor
from thermal_kd_ros.simulation.casting import bystander, outdoors, parked, rider, walker
from thermal_kd_ros.simulation.climate import Climate, random_climate
from thermal_kd_ros.simulation.ground import Patch, Strip, Terrain
from thermal_kd_ros.simulation.mesh import Mesh
from thermal_kd_ros.simulation.render import View, looking
from thermal_kd_ros.simulation.scene import SceneSpec
from thermal_kd_ros.simulation.surroundings import building, bush, clutter, fence, lamp_post, placed, tree
from thermal_kd_ros.simulation.vehicles import car, two_wheeler


class _Plot:
    """Free ground within the picture."""

    def __init__(self, rng: np.random.Generator, view: View, height: float, down: float) -> None:
        self._rng, self._view, self._height = rng, view, height
        self._rotation = looking(0.0, down)
        self._taken: list[tuple[float, float, float]] = []

    def somewhere(self) -> tuple[float, float]:
        """(x, z) of the ground under a random pixel, within twelve times the flying height."""
        view = self._view
        for _ in range(20):
            pixel = self._rng.uniform([0, 0.02 * view.height], [view.width, view.height])
            ray = self._rotation.T @ np.array([*(pixel - view.k[:2, 2]) / view.k[0, 0], 1.0])
            if ray[1] > 0.08:
                scale = self._height / ray[1]
                return float(ray[0] * scale), float(ray[2] * scale)
        return 0.0, self._height

    def free(self, radius: float, tries: int = 12) -> tuple[float, float] | None:
        """A place that keeps ``radius`` metres from what is taken, and takes it; None if none was found."""
        for _ in range(tries):
            x, z = self.somewhere()
            if self.take(x, z, radius):
                return x, z
        return None

    def take(self, x: float, z: float, radius: float) -> bool:
        """Take a place if it is free."""
        if any((x - a) ** 2 + (z - b) ** 2 < (radius + r) ** 2 for a, b, r in self._taken):
            return False
        self._taken.append((x, z, radius))
        return True


def aerial(rng: np.random.Generator, view: View) -> SceneSpec:
    """A street corner, car park or campus from 15 to 120 m, looking down by 30 to 90 degrees, by day or night."""
    climate = random_climate(rng, str(rng.choice(["day", "dusk", "night"], p=[0.35, 0.35, 0.3])))
    down = np.radians(rng.uniform(30, 90))
    pixels_per_metre = np.exp(rng.uniform(np.log(7.0), np.log(26.0))) * view.k[0, 0] / 772.0
    height = float(view.k[0, 0] / pixels_per_metre * np.sin(down))
    plot = _Plot(rng, view, height, down)
    strips, patches = _roads(rng, climate, plot)
    scenery: list[Mesh] = []
    actors: list[Actor] = []
    for _ in range(int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15]))):
        wide, deep = rng.uniform(8, 24), rng.uniform(7, 14)
        if place := plot.free(0.5 * float(np.hypot(wide, deep))):
            house = building(rng, climate, wide, deep, min(rng.uniform(3, 11), 0.4 * height))
            scenery.append(placed(house, *place, rng.uniform(0, 6)))
    if rng.random() < 0.65:
        _car_park(rng, climate, plot, actors, patches)
    _traffic(rng, climate, strips[0], plot, actors)
    for _ in range(int(rng.integers(0, 14))):
        if place := plot.free(1.5):
            tall = min(rng.uniform(3, 10), 0.35 * height)
            scenery.append(placed(tree(rng, climate, tall), *place))
            if climate.sun > 0.2:
                patches.append(
                    Patch(
                        place[0] + 0.4 * tall,
                        place[1] + 0.3 * tall,
                        0.4 * tall,
                        0.3 * tall,
                        1.0,
                        -climate.sun * 6,
                        True,
                        0.5,
                    )
                )
    for _ in range(int(rng.integers(0, 7))):
        if place := plot.free(0.6):
            scenery.append(placed(bush(rng, climate, rng.uniform(0.6, 2.0)), *place, rng.uniform(0, 6)))
    for _ in range(int(rng.integers(1, 6))):
        if place := plot.free(0.8):
            thing = rng.random()
            mesh = (
                lamp_post(rng, climate, min(rng.uniform(5, 9), 0.3 * height), climate.sun == 0)
                if thing < 0.4
                else (fence(rng, climate, rng.uniform(4, 15)) if thing < 0.6 else clutter(rng, climate))
            )
            scenery.append(placed(mesh, *place, rng.uniform(0, 6)))
    _crowd(rng, climate, plot, actors)
    if rng.random() < 0.6:
        _bicycle_stand(rng, climate, plot, actors)
    for _ in range(int(rng.integers(0, 3))):
        x, z = plot.somewhere()
        heading = rng.uniform(0, 6)
        actors += rider(rng, climate, x + 20 * np.sin(heading), z + 20 * np.cos(heading), heading, 40)
    terrain = Terrain(
        climate.grass,
        rng.uniform(0.15, 0.6),
        tuple(strips),
        tuple(patches),
        rng.normal(0, 0.002),
        int(rng.integers(2**31)),
        30.0,
    )
    return outdoors(rng, view, height, down, 0.0, climate, terrain, scenery, actors)


def _roads(rng: np.random.Generator, climate: Climate, plot: _Plot) -> tuple[list[Strip], list[Patch]]:
    angle = rng.uniform(0, np.pi)
    kelvin, side = climate.road - climate.grass, climate.pavement - climate.grass
    x, z = plot.somewhere()
    half = rng.uniform(2.5, 8.0)
    if rng.random() < 0.25:  # a paved square
        half = 60.0
    offset = x * np.cos(angle) - z * np.sin(angle)
    # Later strips cover earlier ones: pavement below, road above it. The traffic uses the first pavement's middle line.
    strips = [
        Strip(angle, offset, half + rng.choice([0.0, rng.uniform(1, 4)]), side, 0.4),
        Strip(angle, offset, half, kelvin, 0.4),
    ]
    if rng.random() < 0.5:
        x, z = plot.somewhere()
        across = angle + np.pi / 2 + rng.normal(0, 0.15)
        strips.append(Strip(across, x * np.cos(across) - z * np.sin(across), rng.uniform(1.2, 5), kelvin, 0.4))
    for _ in range(int(rng.integers(1, 4))):
        strips.append(
            Strip(
                angle,
                offset + rng.uniform(-1, 1) * min(half, 10),
                0.08,
                rng.normal(0, 0.9),
                painted=True,
                dash=rng.choice([0.0, 2.0, 4.0]),
            )
        )
    patches = []
    for _ in range(int(rng.integers(2, 10))):
        x, z = plot.somewhere()
        patches.append(
            Patch(
                x,
                z,
                rng.uniform(0.3, 5),
                rng.uniform(0.3, 3),
                rng.uniform(0, 3),
                rng.normal(0, 1.3 + 2 * climate.sun),
                bool(rng.random() < 0.5),
                rng.uniform(0.15, 1.2),
            )
        )
    if rng.random() < 0.3:  # a zebra crossing
        x, z = plot.somewhere()
        for step in range(8):
            shift = (step - 4) * 1.0
            patches.append(
                Patch(
                    x + shift * np.cos(angle),
                    z - shift * np.sin(angle),
                    1.6,
                    0.25,
                    angle,
                    rng.normal(-0.8, 0.2),
                    False,
                    0.1,
                )
            )
    return strips, patches


def _car_park(
    rng: np.random.Generator, climate: Climate, plot: _Plot, actors: list[Actor], patches: list[Patch]
) -> None:
    """One or two rows of bays; the bay of a car that has left keeps its cold (at night) or warm shape for a while."""
    x, z = plot.somewhere()
    angle, bay = rng.uniform(0, np.pi), rng.uniform(2.5, 3.2)
    for row in range(int(rng.integers(1, 3))):
        for step in range(int(rng.integers(4, 11))):
            along, across = (step - 4) * bay, row * rng.uniform(5.8, 9)
            px = x + along * np.cos(angle) + across * np.sin(angle)
            pz = z - along * np.sin(angle) + across * np.cos(angle)
            chance = rng.random()
            if chance < 0.62 and plot.take(px, pz, 1.15):
                actors.append(parked(rng, climate, px, pz, angle + rng.choice([0, np.pi]) + rng.normal(0, 0.03)))
            elif chance < 0.85:
                patches.append(Patch(px, pz, 2.1, 0.85, angle, rng.normal(-1.6, 0.8), False, 0.5))


def _traffic(rng: np.random.Generator, climate: Climate, road: Strip, plot: _Plot, actors: list[Actor]) -> None:
    for _ in range(int(rng.integers(0, 5))):
        x, z = plot.somewhere()
        away = x * np.cos(road.angle) - z * np.sin(road.angle) - road.offset
        lane = rng.choice([-1, 1]) * min(0.5 * road.half_width, 2.0)
        x, z = x - (away - lane) * np.cos(road.angle), z + (away - lane) * np.sin(road.angle)
        heading = road.angle + (np.pi if lane > 0 else 0.0)
        moving = rng.random() < 0.6
        if moving and plot.take(x, z, 2.4):
            start = Path(
                x + 45 * np.sin(heading), z + 45 * np.cos(heading), heading, rng.uniform(4, 11), 90, start=45.0
            )
            actors.append(MeshActor(car(rng, climate, "running"), start, "car"))
        elif plot.take(x, z, 2.4):
            actors.append(parked(rng, climate, x, z, heading))


def _crowd(rng: np.random.Generator, climate: Climate, plot: _Plot, actors: list[Actor]) -> None:
    for _ in range(int(rng.integers(1, 6))):
        place = plot.free(1.0)
        if place is None:
            continue
        heading = rng.uniform(0, 2 * np.pi)
        for _ in range(int(rng.choice([1, 2, 3, 5], p=[0.5, 0.25, 0.15, 0.1]))):
            x, z = place[0] + rng.normal(0, 0.9), place[1] + rng.normal(0, 0.9)
            if rng.random() < 0.6:
                person = walker(rng, climate, x + 12 * np.sin(heading), z + 12 * np.cos(heading), heading, 24)
                path = Path(person.path.x, person.path.z, heading, person.path.speed, 24, start=12.0)
                actors.append(PersonActor(person.person, path, person.behaviour))
            else:
                actors.append(bystander(rng, climate, x, z, rng.uniform(0, 2 * np.pi)))


def _bicycle_stand(rng: np.random.Generator, climate: Climate, plot: _Plot, actors: list[Actor]) -> None:
    place = plot.free(2.0)
    if place is None:
        return
    angle, gap = rng.uniform(0, np.pi), rng.uniform(0.8, 1.8)
    for step in range(int(rng.integers(1, 9))):
        x, z = place[0] + step * gap * np.cos(angle), place[1] - step * gap * np.sin(angle)
        actors.append(
            MeshActor(
                two_wheeler(rng, climate, bool(rng.random() < 0.1)), Path(x, z, angle + rng.normal(0, 0.15)), "bicycle"
            )
        )
