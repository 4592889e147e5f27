"""The cast of a scene: people and vehicles on their paths, and the stage they stand on."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.actors import Actor, Behaviour, MeshActor, Path, PersonActor
from thermal_kd_ros.simulation.climate import Climate
from thermal_kd_ros.simulation.ground import Terrain, paint_outdoors
from thermal_kd_ros.simulation.mesh import Mesh
from thermal_kd_ros.simulation.people import Person
from thermal_kd_ros.simulation.render import View, looking
from thermal_kd_ros.simulation.scene import SceneSpec
from thermal_kd_ros.simulation.vehicles import car, two_wheeler


def outdoors(
    rng: np.random.Generator,
    view: View,
    height: float,
    down: float,
    yaw: float,
    climate: Climate,
    terrain: Terrain,
    scenery: list[Mesh],
    actors: list[Actor],
) -> SceneSpec:
    """A scene under the sky, seen from ``height`` metres above the ground, turned by ``yaw`` and ``down`` radians."""
    view = View(view.k, looking(yaw, down), np.array([0.0, -height, 0.0]), view.width, view.height)
    canvas = paint_outdoors(view, climate, terrain, clouds=rng.uniform(0, 1))
    reflected = climate.air - 0.3 * (climate.air - climate.sky)
    return SceneSpec(view, yaw, down, canvas, tuple(scenery), tuple(actors), reflected)


def walker(
    rng: np.random.Generator, climate: Climate, x: float, z: float, heading: float, length: float
) -> PersonActor:
    """Someone who walks ``length`` metres from (x, z) along ``heading``, again and again."""
    speed = rng.uniform(0.9, 1.6)
    path = Path(x, z, heading, speed, length, start=rng.uniform(0, length))
    look = (rng.normal(0, 0.25), rng.normal(0.08, 0.12))
    behaviour = Behaviour(
        "walk", speed / 1.45, rng.uniform(0.7, 1.1), look, 0.2, bool(rng.random() < 0.3), seed=int(rng.integers(2**31))
    )
    return PersonActor(Person(rng, climate.air), path, behaviour)


def bystander(rng: np.random.Generator, climate: Climate, x: float, z: float, heading: float) -> PersonActor:
    """Someone who stands and looks around."""
    look = (rng.normal(0, 0.35), rng.normal(0.08, 0.15))
    behaviour = Behaviour(
        "stand", 0.3, 1.0, look, 0.25, bool(rng.random() < 0.5), rng.uniform(0, 0.8), int(rng.integers(2**31))
    )
    return PersonActor(Person(rng, climate.air), Path(x, z, heading), behaviour)


def rider(rng: np.random.Generator, climate: Climate, x: float, z: float, heading: float, length: float) -> list[Actor]:
    """Someone on a bicycle or scooter: two actors on one path."""
    speed = rng.uniform(3.0, 6.0)
    path = Path(x, z, heading, speed, length, start=rng.uniform(0, length))
    behaviour = Behaviour("cycle", rng.uniform(0.8, 1.3), 1.0, (rng.normal(0, 0.2), 0.0), seed=int(rng.integers(2**31)))
    return [
        MeshActor(two_wheeler(rng, climate, True), path, "bicycle"),
        PersonActor(Person(rng, climate.air), path, behaviour, 0.12),
    ]


def parked(rng: np.random.Generator, climate: Climate, x: float, z: float, heading: float) -> MeshActor:
    """A parked car, mostly cold."""
    state = str(rng.choice(["cold", "warm", "running"], p=[0.62, 0.25, 0.13]))
    return MeshActor(car(rng, climate, state), Path(x, z, heading), "car")
