"""Who and what can appear: bodies, vehicles and animals, built when first asked for and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from training.data.pair_scenes.animals import quadruped, random_cat, random_dog
from training.data.pair_scenes.assets import HumanAssets
from training.data.pair_scenes.bodies import build_body, random_body
from training.data.pair_scenes.coachbuilding import coach_built, random_coach
from training.data.pair_scenes.coachwork import individual
from training.data.pair_scenes.model import Model
from training.data.pair_scenes.stand_ins import simple_body
from training.data.pair_scenes.two_wheelers import built_cycle, random_cycle
from training.data.pair_scenes.vehicles import Vehicle, engined, load_vehicles

SHARES = {"stand": 0.28, "walk": 0.28, "run": 0.07, "sit": 0.17, "low": 0.13, "cycle": 0.07}
"""Share of the bodies in each posture."""
_ANIMALS = 48
_CARS = 16
"""Individuals of each kind of vehicle in the archive."""
_BUILT = 160
"""Cars that are built from a profile."""
_BUILT_SHARE = 0.55
"""How many of the vehicles of four wheels are such."""
_CYCLES, _CYCLES_SHARE = 160, 0.9
"""Two-wheelers that are built, and how many of all are such."""
_STANCES = ("stand", "walk", "sit", "lie")


class Cast:
    """All that a run can show; member ``k`` depends on the seed and ``k`` alone, whatever was asked for before."""

    def __init__(self, assets: Path | None, bodies: int = 200, seed: int = 0) -> None:
        """A cast out of the mesh archives in the folder ``assets``, or of simple stand-ins for None.

        Args:
            bodies: posed, dressed individuals; each takes about 2 MB and 0.2 s once.
            seed: of the whole cast.

        Raises DataError for missing or strange archives.
        """
        self._humans = HumanAssets(assets) if assets is not None else None
        self.vehicles: list[Vehicle] = load_vehicles(assets) if assets is not None else []
        self._seed = seed
        self._count = {posture: max(1, round(share * bodies)) for posture, share in SHARES.items()}
        self._bodies: dict[tuple[int, int], Model] = {}
        self._animals: dict[tuple[bool, int], Model] = {}
        self._cars: dict[tuple[int, int], Vehicle] = {}
        self._cycles: dict[int, Vehicle] = {}

    def person(self, rng: np.random.Generator, posture: str) -> Model:
        """Someone in a posture."""
        key = (list(SHARES).index(posture), int(rng.integers(self._count[posture])))
        if key not in self._bodies:
            own = np.random.default_rng((self._seed, 1, *key))
            self._bodies[key] = (simple_body(own, posture) if self._humans is None else
                                 build_body(own, self._humans, random_body(own, self._humans, posture)))
        return self._bodies[key]

    def animal(self, rng: np.random.Generator, spotted: bool) -> Model:
        """A dog, or a large spotted cat."""
        key = (spotted, int(rng.integers(_ANIMALS)))
        if key not in self._animals:
            own = np.random.default_rng((self._seed, 2, int(spotted), key[1]))
            build = random_cat(own) if spotted else random_dog(own)
            self._animals[key] = quadruped(own, build, _STANCES[key[1] % len(_STANCES)], spotted)
        return self._animals[key]

    def vehicle(self, rng: np.random.Generator) -> Vehicle:
        """A vehicle of four wheels or more, mostly cars."""
        fitting = [v for v in self.vehicles if v.saddle is None]
        if not fitting or rng.random() < _BUILT_SHARE:
            return self._built(int(rng.integers(_BUILT)))
        weight = np.array([0.35 if v.label == "other_vehicle" else 1.0 for v in fitting])
        kind = int(rng.choice(len(fitting), p=weight / weight.sum()))
        key = (kind, int(rng.integers(_CARS)))
        if key not in self._cars:
            own = np.random.default_rng((self._seed, 3, *key))
            self._cars[key] = replace(fitting[kind], model=individual(own, fitting[kind].model))
        return self._cars[key]

    def cycle(self, rng: np.random.Generator) -> Vehicle:
        """A bicycle, scooter or motorcycle."""
        fitting = [v for v in self.vehicles if v.saddle is not None]
        if fitting and rng.random() > _CYCLES_SHARE:
            return fitting[int(rng.integers(len(fitting)))]
        number = int(rng.integers(_CYCLES))
        if number not in self._cycles:
            self._cycles[number] = built_cycle(random_cycle(np.random.default_rng((self._seed, 5, number))))
        return self._cycles[number]

    def _built(self, number: int) -> Vehicle:
        """A car that no archive has."""
        key = (-1, number)
        if key not in self._cars:
            own = np.random.default_rng((self._seed, 4, number))
            body = engined(coach_built(random_coach(own)), int(own.choice([-1, 1])))
            self._cars[key] = Vehicle(individual(own, body), "car")
        return self._cars[key]
