"""Scenes in a room, with faces close to the camera."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.actors import Actor, Behaviour, Path, PersonActor
from thermal_kd_ros.simulation.climate import random_climate
from thermal_kd_ros.simulation.people import Person
from thermal_kd_ros.simulation.render import Canvas, View, looking
from thermal_kd_ros.simulation.scene import SceneSpec
from thermal_kd_ros.simulation.surroundings import room


def indoor(rng: np.random.Generator, view: View) -> SceneSpec:
    """A room with one to three people near the camera."""
    climate = random_climate(rng, "indoor")
    width, depth, tall = rng.uniform(3.0, 6.5), rng.uniform(3.2, 7.5), rng.uniform(2.4, 3.1)
    count = int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15]))
    actors: list[Actor] = []
    focal = view.k[0, 0] / 772.0  # distances are meant for a lens of 45 degrees on 640 pixels
    half_width, half_height = 0.5 * view.width / view.k[0, 0], 0.5 * view.height / view.k[1, 1]
    eye, nearest = 1.45, 0.4
    for index in range(count):
        sits = bool(rng.random() < 0.4)
        person = Person(rng, climate.air)
        # Seated eyes are lower by about a thigh.
        own_eye = person.height - 0.12 - (0.42 * person.height / 1.71 if sits else 0.0)
        if index == 0:
            z = float(np.clip(np.exp(rng.uniform(np.log(0.55), np.log(2.6))) * focal, 0.4, depth - 0.6))
            x = rng.uniform(-0.65, 0.65) * half_width * z
            eye, nearest = own_eye, z + 0.35
        else:
            # Behind the first, and far enough that the head is in the picture.
            near = max(nearest, abs(own_eye - eye) / (0.75 * half_height))
            if near > depth - 0.6:
                continue
            z = rng.uniform(near, depth - 0.6)
            x = rng.uniform(-0.9, 0.9) * half_width * z
        look = (rng.normal(0, 0.30), rng.normal(0.02, 0.16))
        behaviour = Behaviour("sit" if sits else "stand", 0.3, 1.0, look, rng.uniform(0.05, 0.55), bool(rng.random() < 0.5),
                              rng.uniform(0, 1) if rng.random() < 0.4 else 0.0, int(rng.integers(2**31)))  # fmt: skip
        heading = rng.normal(0, 0.30) - np.arctan2(x, z)
        actors.append(PersonActor(person, Path(x, z, heading), behaviour))
    height = eye + rng.normal(0.0, 0.06)
    down = rng.normal(0.0, 0.04)
    view = View(view.k, looking(0.0, down), np.array([0.0, -height, 0.0]), view.width, view.height)
    size = (view.height, view.width)
    canvas = Canvas(np.full(size, climate.wall, np.float32), np.full(size, np.inf, np.float32))
    return SceneSpec(view, 0.0, down, canvas, (room(rng, climate, width, depth, tall),), tuple(actors), climate.wall)
