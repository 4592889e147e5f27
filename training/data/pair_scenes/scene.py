"""A random scene with people, vehicles and animals at every distance, and what is exactly known about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from thermal_kd_ros.simulation.mesh import rotation
from thermal_kd_ros.simulation.noise import value_noise
from thermal_kd_ros.simulation.render import Footprint, looking
from training.data.pair_scenes import things
from training.data.pair_scenes.casting import SHARES, Cast
from training.data.pair_scenes.materials import Look, animal_look, person_look
from training.data.pair_scenes.model import Model
from training.data.pair_scenes.stage import KINDS, Road, Stage, build_stage, camera_view
from training.data.pair_scenes.vehicles import Vehicle, vehicle_look

MIN_SIZE_PX = 7
"""Objects smaller than this in both directions are not to be judged."""
MIN_UNCOVERED = 0.25
"""Objects less uncovered by others are not to be judged."""
MIN_INSIDE, MIN_SLIVER = 0.06, 0.12
"""Nor those with less of their extent inside the picture, if they show as a sliver narrower than MIN_SLIVER of its
height: a head and shoulders right before the lens are a small part of a person, and nobody would miss them.
"""
_VISTA_TALLEST = 0.45
"""Down a street nobody is placed so near as to show higher than this part of the picture; rows of cars are nearer."""
_FACING_SHARE = 0.2
"""How often somebody stands or sits right before the lens, as people do who talk to a robot or sit at a wheel."""
_CYCLISTS, _PARKED_CYCLES = 0.35, 0.2
"""How often people ride along a street, and a row of two-wheelers stands outdoors."""
_SIZES = {"person": 1.7, "car": 1.5, "animal": 0.6}


@dataclass(frozen=True)
class PairScene:
    """A scene before the sensors.

    celsius: (H, W) float32 apparent temperature. radiance: (H, W, 3) float32 linear visible light. distance: (H, W)
    float32 metres. objects: (H, W) int16, 0 for scenery. numbers, labels, boxes (N, 4) x1 y1 x2 y2, ignore (N,): the
    objects that are seen; a box is the hull of an object's visible pixels, in either image.
    """

    kind: str
    celsius: np.ndarray
    radiance: np.ndarray
    distance: np.ndarray
    objects: np.ndarray
    air: float
    night: bool
    numbers: np.ndarray
    labels: tuple[str, ...]
    boxes: np.ndarray
    ignore: np.ndarray


class _Director:
    """Puts labelled things on a stage."""

    def __init__(self, rng: np.random.Generator, cast: Cast, stage: Stage, tallest: float = np.inf) -> None:
        """``tallest``: height on the screen of what is nearest, as a part of the picture's."""
        self.rng, self.cast, self.stage, self.tallest = rng, cast, stage, tallest
        self.seen: dict[int, tuple[str, Footprint]] = {}
        self._taken: list[tuple[float, float, float]] = []
        self._next = 1

    def draw(self, model: Model, look: Look, label: str, position: np.ndarray, heading: float, lean: float = 0.0
             ) -> None:
        """Draw a labelled model, which may lean to one side (radians)."""
        stage, turn = self.stage, rotation(heading) @ rotation(0, 0, lean)
        footprint = stage.canvas.draw(model, look, turn, position, self._next, stage.ambience, stage.light,
                                      bool(self.rng.random() < 0.5))
        if footprint is not None:
            self.seen[self._next] = (label, footprint)
        self._next += 1

    def place(self, pixels: float, size: float, radius: float) -> np.ndarray | None:
        """A free place on the ground where something ``size`` metres high shows ``pixels`` high; None if none is."""
        view = self.stage.canvas.view
        z = float(np.clip(view.k[0, 0] * size / pixels, 0.55 + radius, min(120.0, self.stage.limit)))
        for _ in range(6):
            u = self.rng.uniform(-0.08, 1.08) * view.width
            x = (u - view.k[0, 2]) / view.k[0, 0] * z
            x = float(np.clip(x, -self.stage.sides[0], self.stage.sides[1]))
            if all((x - a) ** 2 + (z - b) ** 2 > (radius + r) ** 2 for a, b, r in self._taken):
                self._taken.append((x, z, radius))
                return np.array([x, 0.0, z])
        return None

    def pixels(self) -> float:
        """A height on the screen: often small, often middling, sometimes more than the picture holds."""
        high = self.stage.canvas.view.height
        low, top = ((8, 28), (28, 0.5 * high), (0.5 * high, 1.9 * high))[int(self.rng.choice(3, p=[0.25, 0.48, 0.27]))]
        drawn = float(np.exp(self.rng.uniform(np.log(low), np.log(top))))
        return drawn if drawn <= self.tallest * high else self.tallest * high * self.rng.uniform(0.3, 1.0)

    def people(self, pixels: float) -> None:
        """One person, or a group that stands, walks or sits together."""
        rng, climate = self.rng, self.stage.climate
        first = self.place(pixels, _SIZES["person"], 0.3)
        if first is None:
            return
        posture = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        posture = "stand" if posture == "cycle" else posture
        heading = rng.uniform(0, 2 * np.pi)
        count = 1 if rng.random() < 0.6 else int(rng.integers(2, 6))
        for i in range(count):
            place = first + (0 if i == 0 else np.array([rng.normal(0, 0.8), 0, rng.normal(0, 0.6)]))
            if place[2] < 0.5:
                continue
            own = posture if rng.random() < 0.8 else "stand"
            model = self.cast.person(rng, own)
            turn = heading + rng.normal(0, 0.5)
            if own == "sit" and model.seat is not None:
                self.stage.put(things.chair(rng, climate.air, max(float(-model.seat[1]), 0.15)), place, turn)
            self.draw(model, person_look(rng, climate.air, climate.sun), "person", place, turn)
        if rng.random() < 0.1:  # with the dog
            beside = first + (rng.choice([-1, 1]) * rng.uniform(0.4, 0.9), 0, rng.normal(0, 0.4))
            if beside[2] > 0.6:
                self.draw(self.cast.animal(rng, False), animal_look(rng, climate.air, climate.sun, False), "dog",
                          beside, heading + rng.normal(0, 0.8))

    def facing(self, model: Model, posture: str, z: float) -> None:
        """A person at ``z`` metres who mostly faces the camera, and now and then somebody beside or behind."""
        rng, climate, view = self.rng, self.stage.climate, self.stage.canvas.view
        place = np.array([(rng.uniform(0.15, 0.85) - 0.5) * view.width / view.k[0, 0] * z, 0.0, z])
        for _ in range(1 if rng.random() < 0.7 else 2):
            heading = rng.uniform(0, 2 * np.pi) if rng.random() < 0.12 else rng.normal(0, 0.5)
            if posture == "sit" and model.seat is not None:
                self.stage.put(things.chair(rng, climate.air, max(float(-model.seat[1]), 0.15)), place, heading)
            self.draw(model, person_look(rng, climate.air, climate.sun), "person", place, heading)
            self._taken.append((float(place[0]), float(place[2]), 0.3))
            model, posture = self.cast.person(rng, "stand"), "stand"
            place = place + (rng.choice([-1, 1]) * rng.uniform(0.4, 0.8), 0, rng.uniform(0.0, 1.2))

    def crowd(self, pixels: float) -> None:
        """Four to ten people shoulder to shoulder: a queue, a terrace, passers-by who hide each other."""
        rng, climate = self.rng, self.stage.climate
        place = self.place(pixels, _SIZES["person"], 0.3)
        if place is None:
            return
        step, heading = rng.uniform(0.3, 1.0), rng.uniform(0, 2 * np.pi)
        seated = rng.random() < 0.25
        for i in range(int(rng.integers(4, 11))):
            at = place + (step * (i + rng.uniform(-0.4, 0.4)), 0, rng.normal(0, 0.6))
            posture = "sit" if seated and rng.random() < 0.7 else str(rng.choice(["stand", "walk"]))
            model = self.cast.person(rng, posture)
            turn = heading + rng.normal(0, 0.7)
            if model.seat is not None:
                self.stage.put(things.chair(rng, climate.air, max(float(-model.seat[1]), 0.15)), at, turn)
            self.draw(model, person_look(rng, climate.air, climate.sun), "person", at, turn)

    def rider(self, pixels: float) -> None:
        """Someone on a two-wheeler or pushing it; or the two-wheeler alone."""
        rng, climate = self.rng, self.stage.climate
        place = self.place(pixels, _SIZES["person"], 0.8)
        if place is not None:
            heading, act = rng.uniform(0, 2 * np.pi), rng.random()
            self.cycle(self.cast.cycle(rng), place, heading, bool(act < 0.6))
            if act > 0.85:
                beside = rotation(heading) @ (rng.choice([-1, 1]) * rng.uniform(0.35, 0.6), 0, rng.uniform(-0.3, 0.5))
                self.draw(self.cast.person(rng, "walk"), person_look(rng, climate.air, climate.sun), "person",
                          place + beside, heading)

    def cycle(self, vehicle: Vehicle, place: np.ndarray, heading: float, ridden: bool) -> None:
        """Draw a two-wheeler with its rider, or leaning on its stand."""
        rng, climate = self.rng, self.stage.climate
        lean = float(np.clip(rng.normal(0, 0.03 if ridden else 0.12), -0.25, 0.25))
        self.draw(vehicle.model, vehicle_look(rng, climate, ridden), vehicle.label, place, heading, lean)
        if ridden and vehicle.saddle is not None:
            body = self.cast.person(rng, "cycle")
            seat = np.zeros(3) if body.seat is None else body.seat
            shift = rotation(heading) @ rotation(0, 0, lean) @ (vehicle.saddle - seat * (0, 1, 0))
            self.draw(body, person_look(rng, climate.air, climate.sun), "person", place + shift, heading, lean)

    def cyclists(self, road: Road) -> None:
        """Riders along a street, near its kerbs or side by side, most of them on the side where they should be."""
        rng = self.rng
        z = float(np.exp(rng.uniform(np.log(2.5), np.log(14))))
        for _ in range(int(rng.choice([1, 2, 3, 4, 5], p=[0.45, 0.25, 0.15, 0.1, 0.05]))):
            across = rng.choice([-1, 1]) * (road.half - rng.uniform(0.2, 2.5))
            facing = road.facing(across if rng.random() < 0.85 else -across)
            place = road.at(across, z)
            if place[2] > 1.5:
                self._taken.append((float(place[0]), float(place[2]), 0.8))
                self.cycle(self.cast.cycle(rng), place, facing + rng.normal(0, 0.12), True)
            z += rng.exponential(5.0)

    def parked_cycles(self, road: Road | None) -> None:
        """A row of two-wheelers on their stands: along the kerb of a street, or anywhere."""
        rng = self.rng
        z = float(np.exp(rng.uniform(np.log(2.5), np.log(25))))
        half = 0.5 * self.stage.canvas.view.width / self.stage.canvas.view.k[0, 0]
        start, along = np.array([rng.uniform(-half, half) * z, 0.0, z]), rng.uniform(0, 2 * np.pi)
        if road is not None and rng.random() < 0.8:
            along = road.angle
            start = road.at(rng.choice([-1, 1]) * (road.half + rng.uniform(0.3, 2.5)), z)
        crosswise = rng.random() < 0.7
        step = rng.uniform(0.35, 0.9) if crosswise else rng.uniform(1.9, 2.6)
        heading = along + (np.pi / 2 if crosswise else 0.0) + (np.pi if rng.random() < 0.5 else 0.0)
        fleet = self.cast.cycle(rng) if rng.random() < 0.25 else None
        for k in range(int(rng.integers(1, 9))):
            place = start + rotation(along) @ (rng.normal(0, 0.1), 0, step * k + rng.normal(0, 0.05))
            if rng.random() < 0.8 and place[2] > 1.2:
                self._taken.append((float(place[0]), float(place[2]), 0.7))
                self.cycle(fleet or self.cast.cycle(rng), place, heading + rng.normal(0, 0.12), False)

    def drive(self, vehicle: Vehicle, running: bool, place: np.ndarray, heading: float) -> None:
        """Draw a vehicle of four wheels or more and what it does to the ground below it.

        Engines heat it, bodies keep sun and sky from it.
        """
        rng, climate = self.rng, self.stage.climate
        # A parked one keeps the ground from losing heat to a clear sky, as it keeps the sun from it.
        sheltered = 0.15 * (climate.air - climate.sky) * rng.random() - climate.sun * rng.uniform(1, 9)
        kelvin = rng.uniform(0, 7) if running else sheltered
        size = np.ptp(vehicle.model.vertices, axis=0)
        self.stage.canvas.heat_ground(place, (0.45 * size[0], 0.48 * size[2]), heading, float(kelvin))
        self.draw(vehicle.model, vehicle_look(rng, climate, running), vehicle.label, place, heading)

    def vehicle(self, pixels: float) -> None:
        """A vehicle that stands or drives."""
        rng = self.rng
        vehicle = self.cast.vehicle(rng)
        pixels = min(pixels, 0.8 * self.stage.canvas.view.height)
        place = self.place(pixels, vehicle.model.height, 0.35 * float(np.ptp(vehicle.model.vertices[:, 2])))
        if place is not None:
            along = rng.choice([0.0, np.pi, np.pi / 2, -np.pi / 2]) + rng.normal(0, 0.4)
            self.drive(vehicle, bool(rng.random() < 0.45), place, float(along))

    def traffic(self, road: Road) -> None:
        """A street as one looks along it: parked cars at either kerb from beside the camera on, some driving on it."""
        rng = self.rng
        near, far = 1.5 + 12.5 * rng.random() ** 1.5, float(rng.choice([65.0, 110.0]))
        # Metres right of the middle, share of the places taken, share of engines that run.
        lanes = [(side * (road.half - rng.uniform(0.8, 1.4)), rng.uniform(0.3, 1.0), 0.25)
                 for side in (-1, 1) if rng.random() < 0.75]
        if rng.random() < 0.6:
            lanes.append((rng.uniform(-0.4, 0.4) * road.half, 0.15, 0.95))
        for lane, taken, running in lanes:
            z = near + rng.uniform(0, 6)
            if abs(road.at(lane, 0.0)[0]) < 1.6:  # the camera stands in this lane
                z += 4.0
            while z < far:
                vehicle = self.cast.vehicle(rng)
                length = float(np.ptp(vehicle.model.vertices[:, 2]))
                if rng.random() < taken:
                    place = road.at(lane + rng.normal(0, 0.15), z + length / 2)
                    self._taken.append((float(place[0]), float(place[2]), 0.35 * length))
                    facing = road.facing(lane) + rng.normal(0, 0.04)
                    self.drive(vehicle, bool(rng.random() < running), place, facing)
                z += length + rng.uniform(0.6, 2.5)

    def animal(self, pixels: float) -> None:
        """A dog, or now and then outdoors one or two cheetahs."""
        rng, climate = self.rng, self.stage.climate
        spotted = self.stage.kind == "yard" and rng.random() < 0.35
        look = animal_look(rng, climate.air, climate.sun, spotted)
        for _ in range(int(rng.choice([1, 2, 3], p=[0.8, 0.15, 0.05]))):
            place = self.place(pixels * rng.uniform(0.8, 1.2), _SIZES["animal"], 0.4)
            if place is not None:
                self.draw(self.cast.animal(rng, spotted), look, "cheetah" if spotted else "dog", place,
                          rng.uniform(0, 2 * np.pi))


def random_scene(seed: int, width: int, height: int, cast: Cast, kind: str | None = None) -> PairScene:
    """The scene of a seed; the same seed and cast give the same scene.

    Args:
        width, height: pixels.
        kind: one of ``stage.KINDS``, or None for any.
    """
    rng = np.random.default_rng((seed, 7))
    kind = str(rng.choice(KINDS, p=[0.5, 0.28, 0.22])) if kind is None else kind
    view = camera_view(rng, width, height, kind == "indoor")
    # Look at somebody: at the height of a random part of a body that shows as large as the main subject.
    vista = kind == "street" and rng.random() < 0.5  # down a street, with everyone at some distance
    main = float(np.exp(rng.uniform(np.log(16 if vista else 20), np.log((_VISTA_TALLEST if vista else 1.6) * height))))
    far = view.k[0, 0] * 1.7 / main
    aim = np.arctan2(-view.position[1] - rng.triangular(0.3, 1.4, 1.7), max(far, 0.8)) if main > 0.35 * height else 0.06
    aim = float(np.clip(aim + rng.normal(0, 0.07), -0.6, 0.6))
    facing = None
    if rng.random() < _FACING_SHARE:
        # The camera is at about the height of the face.
        vista, posture = False, str(rng.choice(["stand", "sit"], p=[0.65, 0.35]))
        facing = cast.person(rng, posture)
        shown = float(np.exp(rng.uniform(np.log(1.3), np.log(5.5)))) * height
        far = max(view.k[0, 0] * 1.7 / shown, 0.38)
        up = float(np.clip(facing.height + rng.normal(-0.1, 0.25), 0.3, 2.2))
        view = replace(view, position=np.array([0.0, -up, 0.0]))
        aim = float(np.arctan2(up - facing.height + rng.uniform(0.0, 0.35), far))
    view = replace(view, rotation=looking(0.0, aim, float(rng.normal(0, 0.02))))
    stage = build_stage(rng, kind, view)
    director = _Director(rng, cast, stage, _VISTA_TALLEST if vista else np.inf)
    if facing is not None:
        director.facing(facing, posture, far)
    if stage.road is not None and rng.random() < (0.85 if vista else 0.5):
        director.traffic(stage.road)
    if stage.road is not None and rng.random() < _CYCLISTS:
        director.cyclists(stage.road)
    if kind != "indoor" and rng.random() < _PARKED_CYCLES:
        director.parked_cycles(stage.road)
    empty = facing is None and rng.random() < 0.06
    if not empty:
        if facing is None and rng.random() < 0.75:
            director.people(main)
        if stage.kind == "street" and rng.random() < 0.25:
            director.crowd(min(director.pixels(), 0.3 * height))
        for _ in range(int(rng.integers(0, 5))):
            act = rng.random()
            if act < 0.5:
                director.people(director.pixels())
            elif act < 0.65 and kind == "street":
                director.vehicle(director.pixels())
            elif act < 0.77 and kind != "indoor":
                director.rider(director.pixels())
            elif act > 0.8:
                director.animal(director.pixels() * 0.8)
    if kind == "street":
        for _ in range(int(rng.integers(0, 4))):
            director.vehicle(director.pixels())
    return _finished(rng, stage, director)


def _finished(rng: np.random.Generator, stage: Stage, director: _Director) -> PairScene:
    canvas, climate = stage.canvas, stage.climate
    canvas.drop_shadows()
    celsius = canvas.celsius - np.float32(climate.sun * 1.5) * (canvas.shade * canvas.ground)
    solid = np.isfinite(canvas.distance)
    celsius += np.float32(0.08) * value_noise(rng, celsius.shape[0], celsius.shape[1], 4.0, 2, 0.8) * solid
    radiance = canvas.lit(stage.light)
    if stage.kind != "indoor" and rng.random() < 0.15:  # fog, rain, snow in the air
        reach = np.exp(rng.uniform(np.log(20), np.log(250)))
        through = np.exp(-np.minimum(canvas.distance, 500) / np.float32(reach)).astype(np.float32)
        celsius = np.float32(climate.air - 1) + np.sqrt(through) * (celsius - np.float32(climate.air - 1))
        radiance += (1 - through[..., None]) * (stage.light.sky_rgb.astype(np.float32) - radiance)
    if stage.kind == "yard" and rng.random() < 0.15:
        _wire_fence(rng, celsius, radiance, climate.air, stage.light.sky_rgb)
    numbers, labels, boxes, ignore = [], [], [], []
    for number, (label, footprint) in director.seen.items():
        seen = footprint.seen(canvas.objects, number)
        if seen is None:
            continue
        count, box = seen
        numbers.append(number)
        labels.append(label)
        boxes.append(box)
        sides = (box[2] - box[0], box[3] - box[1])
        sliver = footprint.inside < MIN_INSIDE and min(sides) < MIN_SLIVER * len(celsius)
        ignore.append(max(sides) < MIN_SIZE_PX or sliver or count < MIN_UNCOVERED * footprint.pixels)
    return PairScene(stage.kind, celsius.astype(np.float32), radiance.astype(np.float32), canvas.distance,
                     canvas.objects, climate.air, bool(stage.light.sky_rgb.max() < 0.03), np.array(numbers, np.int64),
                     tuple(labels), np.array(boxes, np.float32).reshape(-1, 4), np.array(ignore, bool))


def _wire_fence(rng: np.random.Generator, celsius: np.ndarray, radiance: np.ndarray, air: float,
                rgb: np.ndarray) -> None:
    """Chain link close to the lens, out of focus: thin lines that take a part of what is behind them."""
    height, width = celsius.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    period, tilt = rng.uniform(0.04, 0.14) * width, rng.normal(0, 0.1)
    cover: np.ndarray = np.zeros_like(celsius)
    for angle in (np.pi / 4 + tilt, -np.pi / 4 + tilt):
        along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
        off = np.abs(np.mod(along + rng.uniform(0, period), period) - period / 2)
        cover = np.maximum(cover, np.exp(-((off / np.float32(rng.uniform(0.03, 0.08) * period)) ** 2)))
    cover *= np.float32(rng.uniform(0.3, 0.7))
    celsius += cover * (np.float32(air + rng.normal(0, 2)) - celsius)
    radiance += cover[..., None] * (0.4 * rgb.astype(np.float32) - radiance)
