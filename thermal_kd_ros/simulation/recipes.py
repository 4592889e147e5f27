"""Random scenes of every kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from thermal_kd_ros.simulation.aerial import aerial
from thermal_kd_ros.simulation.climate import random_climate
from thermal_kd_ros.simulation.indoor import indoor
from thermal_kd_ros.simulation.render import View, looking
from thermal_kd_ros.simulation.scene import Scene, SceneSpec, Sway
from thermal_kd_ros.simulation.streets import street, yard

_RECIPES: dict[str, Callable[[np.random.Generator, View], SceneSpec]] = {
    "street_night": lambda rng, view: street(rng, view, random_climate(rng, str(rng.choice(["dusk", "night"])))),
    "street_day": lambda rng, view: street(rng, view, random_climate(rng, "day")),
    "yard": yard,
    "indoor": indoor,
    "aerial": aerial,
}
_MARGIN = 1.15  # the backdrop is this much larger than the image, so that the camera can turn


def build_scene(
    kind: str, rng: np.random.Generator, k: np.ndarray, width: int, height: int, still: bool = False
) -> Scene:
    """A random scene of a kind (see ``config.KINDS``).

    Args:
        k: (3, 3) pinhole matrix for integer pixel centres.
        still: the camera does not turn (saves drawing a margin).
    """
    view = View(k, np.eye(3), np.zeros(3), width, height)
    view = view if still else view.widened(_MARGIN)
    spec = _RECIPES[kind](rng, view)
    if not still:
        room_left = (_MARGIN - 1) / 2 * np.array([width, height]) / k[0, 0]
        amplitude = np.array(
            [rng.uniform(0.3, 0.8) * room_left[0], rng.uniform(0.2, 0.7) * room_left[1], rng.uniform(0, 0.006)]
        )
        # The same turn moves the borders of a wide lens's image by more than its centre.
        while not _holds(spec, k, width, height, amplitude):
            amplitude *= 0.95
        spec = replace(spec, sway=Sway(tuple(amplitude.tolist()), tuple(rng.uniform(8, 20, 3))))
    return Scene(spec, width, height)


def _holds(spec: SceneSpec, k: np.ndarray, width: int, height: int, amplitude: np.ndarray) -> bool:
    """Whether the backdrop reaches to the corners of the image, with matrix ``k``, at the ends of the sway (3,)."""
    wide = spec.view
    corners = np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1, 1, 1, 1]], float)
    for signs in itertools.product((-1, 1), repeat=3):
        yaw, down, roll = amplitude * signs
        turned = looking(spec.yaw + yaw, spec.down + down, roll)
        x, y, z = wide.k @ wide.rotation @ turned.T @ np.linalg.inv(k) @ corners
        if min(z.min(), x.min(), y.min()) < 0 or (x > (wide.width - 1) * z).any() or (y > (wide.height - 1) * z).any():
            return False
    return True
