"""Scenes at eye level and from a mast: streets and yards."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.actors import Actor, MeshActor, Path, PersonActor
from thermal_kd_ros.simulation.casting import bystander, outdoors, parked, rider, walker
from thermal_kd_ros.simulation.climate import Climate, random_climate
from thermal_kd_ros.simulation.ground import Patch, Strip, Terrain
from thermal_kd_ros.simulation.mesh import Mesh
from thermal_kd_ros.simulation.render import View
from thermal_kd_ros.simulation.scene import SceneSpec
from thermal_kd_ros.simulation.surroundings import animal, building, bush, clutter, fence, lamp_post, placed, tree
from thermal_kd_ros.simulation.vehicles import car, two_wheeler


def street(rng: np.random.Generator, view: View, climate: Climate) -> SceneSpec:
    """Along a street, from a robot's or a pedestrian's height."""
    height, down = rng.uniform(1.0, 2.4), rng.uniform(-0.02, 0.10)
    half = rng.uniform(2.8, 5.5)
    middle = rng.uniform(-1, 1) * (half + 2)
    yaw = rng.normal(0, 0.12) - np.arctan2(middle, 40.0) * -0.5
    kelvin, side = climate.road - climate.grass, climate.pavement - climate.grass
    strips = [
        Strip(0.0, middle, half + rng.uniform(1.8, 4.0), side, 0.5),
        Strip(0.0, middle, half, kelvin, 0.5),
        Strip(0.0, middle, 0.08, rng.uniform(-1.2, 0.8), painted=True, dash=3.0),
        Strip(rng.uniform(1.2, 1.9), rng.uniform(15, 50), rng.uniform(2.5, 4.5), kelvin, 0.5),
    ]
    scenery: list[Mesh] = []
    actors: list[Actor] = []
    patches = []
    for sign in (-1, 1):
        z = rng.uniform(4, 14)
        while z < 110:
            wide, deep, tall = rng.uniform(9, 26), rng.uniform(7, 13), rng.uniform(4, 20)
            x = middle + sign * (half + rng.uniform(3.5, 9) + deep / 2)
            if rng.random() < 0.7:
                scenery.append(placed(building(rng, climate, deep, wide, tall), x, z + wide / 2))
            else:
                for _ in range(int(rng.integers(1, 4))):
                    scenery.append(
                        placed(tree(rng, climate, rng.uniform(4, 13)), x + rng.normal(0, 2), z + rng.uniform(0, wide))
                    )
            z += wide + rng.uniform(0, 8)
        for z in np.arange(rng.uniform(6, 20), 90, rng.uniform(14, 30)).tolist():
            kerb = middle + sign * (half + 0.6)
            choice = rng.random()
            if choice < 0.45:
                scenery.append(
                    placed(
                        lamp_post(rng, climate, rng.uniform(4, 8), climate.sun == 0),
                        kerb,
                        z,
                        0.0 if sign < 0 else np.pi,
                    )
                )
            elif choice < 0.8:
                scenery.append(placed(tree(rng, climate, rng.uniform(3, 8)), kerb + sign, z))
            else:
                scenery.append(placed(clutter(rng, climate), kerb + sign * rng.uniform(0, 2), z, rng.uniform(0, 6)))
        z = rng.uniform(5, 12)
        while z < 60 and rng.random() < 0.8:
            if abs(middle + sign * (half - 1.1)) > 1.6 or z > 6:
                actors.append(
                    parked(
                        rng, climate, middle + sign * (half - 1.1), z, rng.choice([0.0, np.pi]) + rng.normal(0, 0.03)
                    )
                )
            z += rng.uniform(5.6, 16)
        for _ in range(int(rng.integers(0, 4))):
            x = middle + sign * (half + rng.uniform(0.6, 2.0))
            toward = rng.random() < 0.6
            length = rng.uniform(25, 50)
            z = rng.uniform(2.5, 8)
            actors.append(walker(rng, climate, x, z + length if toward else z, 0.0 if toward else np.pi, length))
    scenery.append(placed(building(rng, climate, 60, 12, rng.uniform(5, 18)), middle + rng.normal(0, 20), 125))
    for _ in range(int(rng.integers(0, 3))):  # crossing or waiting
        x, z = middle + rng.uniform(-half, half), rng.uniform(3.5, 25)
        if rng.random() < 0.5:
            actors.append(bystander(rng, climate, x, z, rng.normal(0, 0.8)))
        else:
            heading = rng.choice([-1, 1]) * np.pi / 2
            actors.append(walker(rng, climate, x + 15 * np.sign(heading), z, heading, 30))
    if rng.random() < 0.7:
        toward = rng.random() < 0.5
        lane = middle + (-half / 2 if toward else half / 2)
        moving = car(rng, climate, "running")
        actors.append(
            MeshActor(
                moving,
                Path(
                    lane,
                    90 if toward else -15,
                    0.0 if toward else np.pi,
                    rng.uniform(5, 11),
                    110,
                    start=rng.uniform(0, 80),
                ),
                "car",
            )
        )
    if rng.random() < 0.5:
        toward = rng.random() < 0.5
        actors += rider(
            rng, climate, middle + rng.uniform(-0.8, 0.8) * half, 60 if toward else 0, 0.0 if toward else np.pi, 65
        )
    for _ in range(int(rng.integers(0, 3))):
        actors.append(
            MeshActor(
                two_wheeler(rng, climate, False),
                Path(middle + rng.choice([-1, 1]) * (half + 1.5), rng.uniform(4, 25), rng.uniform(0, 6)),
                "bicycle",
            )
        )
    if rng.random() < 0.3:
        actors.append(
            MeshActor(
                animal(rng, climate),
                Path(middle + rng.uniform(-1, 1) * (half + 2), rng.uniform(4, 15), rng.uniform(0, 6)),
            )
        )
    for _ in range(int(rng.integers(2, 8))):
        patches.append(
            Patch(
                middle + rng.uniform(-12, 12),
                rng.uniform(4, 50),
                rng.uniform(0.3, 4),
                rng.uniform(0.3, 2.5),
                rng.uniform(0, 3),
                rng.normal(0, 1.5 + 3 * climate.sun),
                bool(rng.random() < 0.5),
                rng.uniform(0.1, 0.6),
            )
        )
    terrain = Terrain(
        climate.grass,
        rng.uniform(0.3, 0.9),
        tuple(strips),
        tuple(patches),
        rng.normal(0, 0.0015),
        int(rng.integers(2**31)),
    )
    return outdoors(rng, view, height, down, yaw, climate, terrain, scenery, actors)


def yard(rng: np.random.Generator, view: View) -> SceneSpec:
    """From a wall or mast, down into a yard or garden."""
    climate = random_climate(rng, str(rng.choice(["day", "dusk", "night"], p=[0.3, 0.25, 0.45])))
    height, down = rng.uniform(1.8, 4.2), rng.uniform(0.12, 0.45)
    strips = [
        Strip(rng.uniform(-0.6, 0.6), rng.uniform(-3, 3), rng.uniform(0.8, 3.0), climate.pavement - climate.grass, 0.4)
    ]
    back = rng.uniform(13, 26)
    scenery = [
        placed(building(rng, climate, rng.uniform(10, 28), 9, rng.uniform(3.2, 9)), rng.uniform(-6, 6), back + 5)
    ]
    for _ in range(int(rng.integers(2, 7))):
        scenery.append(
            placed(
                bush(rng, climate, rng.uniform(0.6, 2.2)), rng.uniform(-9, 9), rng.uniform(6, back), rng.uniform(0, 6)
            )
        )
    for _ in range(int(rng.integers(0, 4))):
        scenery.append(
            placed(
                tree(rng, climate, rng.uniform(2.5, 8)), rng.choice([-1, 1]) * rng.uniform(3, 10), rng.uniform(7, back)
            )
        )
    for _ in range(int(rng.integers(1, 5))):
        scenery.append(placed(clutter(rng, climate), rng.uniform(-7, 7), rng.uniform(4, back), rng.uniform(0, 6)))
    if rng.random() < 0.6:
        scenery.append(placed(fence(rng, climate, rng.uniform(6, 20)), rng.uniform(-4, 4), rng.uniform(8, back)))
    if rng.random() < 0.6:
        scenery.append(
            placed(
                lamp_post(rng, climate, rng.uniform(2.5, 4), climate.sun == 0), rng.uniform(-6, 6), rng.uniform(6, back)
            )
        )
    actors: list[Actor] = []
    middle = height / np.tan(down)  # where the optical axis meets the ground
    for _ in range(int(rng.integers(1, 4))):
        z = float(np.clip(middle * rng.uniform(0.7, 1.9), 2.2, back - 3))
        x = rng.uniform(-0.4, 0.4) * z * view.width / view.k[0, 0]
        if rng.random() < 0.5:
            actors.append(bystander(rng, climate, x, z, rng.normal(0, 0.9)))
        else:
            person = walker(rng, climate, x, z, rng.uniform(0, 6), 1.0)
            circle = Path(
                x, z + 1.5, rng.uniform(0, 6), person.path.speed, radius=rng.uniform(1.5, 3.5), start=rng.uniform(0, 10)
            )
            actors.append(PersonActor(person.person, circle, person.behaviour))
    if rng.random() < 0.6:
        actors.append(
            parked(rng, climate, rng.choice([-1, 1]) * rng.uniform(2.5, 6), rng.uniform(7, back - 4), rng.uniform(0, 6))
        )
    for _ in range(int(rng.integers(0, 3))):
        actors.append(
            MeshActor(
                two_wheeler(rng, climate, False),
                Path(rng.uniform(-5, 5), rng.uniform(4, 12), rng.uniform(0, 6)),
                "bicycle",
            )
        )
    if rng.random() < 0.5:
        actors.append(
            MeshActor(
                animal(rng, climate), Path(rng.uniform(-3, 3), rng.uniform(3, 9), rng.uniform(0, 6), 0.4, radius=1.5)
            )
        )
    terrain = Terrain(climate.grass, rng.uniform(0.4, 1.1), tuple(strips), (), 0.0, int(rng.integers(2**31)))
    return outdoors(rng, view, height, down, 0.0, climate, terrain, scenery, actors)
