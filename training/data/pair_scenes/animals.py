"""Quadrupeds: dogs of several builds, and large spotted cats. Origin on the ground below the middle, front to -z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.mesh import ellipsoid, rotation, tube
from thermal_kd_ros.simulation.noise import point_noise
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.model import Model, joined, part


@dataclass(frozen=True)
class Build:
    """Lengths in parts of the shoulder height, which is in metres."""

    shoulder: float
    length: float
    chest: float
    waist: float
    leg: float
    neck: float
    head: float
    muzzle: float
    tail: float
    tail_lift: float
    ear: str
    """'hanging', 'upright' or 'round'."""


def random_dog(rng: np.random.Generator) -> Build:
    """A dog between a terrier and a mastiff."""
    chest = rng.uniform(0.19, 0.26)
    return Build(rng.uniform(0.25, 0.75), rng.uniform(0.95, 1.25), chest, chest * rng.uniform(0.6, 0.85),
                 rng.uniform(0.04, 0.06), rng.uniform(0.25, 0.40), rng.uniform(0.14, 0.19), rng.uniform(0.10, 0.24),
                 rng.uniform(0.25, 0.6), rng.uniform(-0.8, 1.2), str(rng.choice(["hanging", "upright"])))


def random_cat(rng: np.random.Generator) -> Build:
    """A cheetah: long legs, deep chest, thin waist, small round head, long tail that hangs."""
    chest = rng.uniform(0.17, 0.21)
    return Build(rng.uniform(0.65, 0.9), rng.uniform(1.1, 1.3), chest, chest * rng.uniform(0.6, 0.75),
                 rng.uniform(0.035, 0.05), rng.uniform(0.22, 0.32), rng.uniform(0.10, 0.13), rng.uniform(0.05, 0.09),
                 rng.uniform(0.8, 1.05), rng.uniform(-1.2, -0.5), "round")


def quadruped(rng: np.random.Generator, build: Build, posture: str, spotted: bool) -> Model:
    """An animal that will 'stand', 'walk', 'sit' or 'lie', with its head turned anywhere it can."""
    s, half = build.shoulder, 0.5 * build.length
    trunk_y, drop = -0.80, {"sit": 0.46, "lie": 0.0}.get(posture, 0.0)
    if posture == "lie":
        trunk_y = -build.chest - 0.05
    stations = np.linspace(-1, 1, 17)
    spine_y = trunk_y + drop * (stations + 1) / 2 - 0.02 * np.cos(stations * 2)
    shorter = 0.75 if posture == "sit" else 1.0
    path = np.stack([0.02 * rng.normal() * stations**2, spine_y, half * shorter * stations], 1)
    depth = np.interp(stations, (-1, -0.9, -0.5, 0, 0.5, 0.9, 1),
                      (0.55, 0.85, 1.0, 0.92, build.waist / build.chest, 0.8, 0.5)) * build.chest
    belly = 0.25 * np.exp(-(((stations - 0.4) / 0.5) ** 2))
    parts = [part(tube(path, np.stack([0.7 * depth, depth], 1), belly, 20), Material.FUR)]
    parts += _legs(rng, build, posture, path)
    parts += _head(rng, build, path[0])
    lift = build.tail_lift + rng.normal(0, 0.2)
    steps = np.linspace(0, 1, 6)[:, None]
    tail = path[-1] + build.tail * steps * np.array([0.25 * rng.normal(), 0, 1.0])
    tail[:, 1:2] += -build.tail * lift * steps * (1 - 0.3 * steps)
    tail[:, 1] = np.minimum(tail[:, 1], -0.03)
    parts.append(part(tube(tail, 0.035 * np.linspace(1, 0.4, 6), -0.15, 7), Material.FUR))
    model = joined(parts)
    noise = point_noise(rng, model.vertices, 0.35) + 0.6 * point_noise(rng, model.vertices, 0.1)
    spots = point_noise(rng, model.vertices, 0.10 if spotted else 0.5, 14)
    material = model.material.copy()
    # A cheetah's spots; a dog's few large patches.
    dark = (spots[model.faces].mean(1) > (0.7 if spotted else 1.3)) & (material == Material.FUR)
    material[dark] = Material.SPOT
    return Model((model.vertices * s).astype(np.float32), model.faces, material,
                 (model.warmth + 0.10 * noise).astype(np.float32))


def _legs(rng: np.random.Generator, build: Build, posture: str, path: np.ndarray) -> list[Model]:
    parts = []
    phase = rng.uniform(0, 2 * np.pi)
    for back in (False, True):
        hip = path[-3 if back else 3]
        for k, side in enumerate((-1.0, 1.0)):
            x = side * 0.62 * build.chest
            swing = 0.0
            if posture == "walk":
                swing = 0.22 * np.sin(phase + np.pi * (k + back))
            start = hip + (x, 0.04, 0)
            if posture == "lie" or (posture == "sit" and back):
                # Folded: the thigh forward, the shin flat on the ground.
                knee = start + (0.25 * x, max(-0.07 - start[1], 0.0) * 0.8, -0.20)
                foot = np.array([knee[0], -0.05, knee[2] - (0.30 if not back else 0.22)])
                bend = [start, knee, foot]
            else:
                ground = np.array([start[0], -0.03, start[2] + swing + (0.04 if back else -0.02)])
                middle = 0.5 * (start + ground) + (0, 0, 0.07 if back else -0.03)
                low = 0.22 * start + 0.78 * ground + (0, 0, 0.09 if back else 0.0)
                bend = [start, middle, low, ground, ground + (0, 0.005, -0.06)]
            thigh = (3.0, 2.2) if back else (2.3, 1.6)
            thick = build.leg * np.array([*thigh, *np.linspace(1.1, 0.8, len(bend) - 2)])
            heat = np.linspace(0.1, 0.45, len(bend))
            parts.append(part(tube(np.array(bend), thick, heat, 8, side=(1, 0.05, 0.05)), Material.FUR))
    return parts


def _head(rng: np.random.Generator, build: Build, shoulder: np.ndarray) -> list[Model]:
    r = build.head
    up = float(np.clip(rng.normal(0.55, 0.45), -0.9, 1.2))
    turn = rotation(float(rng.normal(0, 0.6)), float(rng.normal(0.1, 0.3)))
    neck = np.array([0, -np.sin(up), -np.cos(up)]) * build.neck
    top = shoulder + neck
    top[1] = min(top[1], -r)
    base = np.stack([shoulder + (0, 0.02, 0.05), shoulder + 0.5 * (top - shoulder), top])
    parts = [part(tube(base, np.array([0.85 * build.chest, 0.68 * build.chest, 0.8 * r]), 0.05, 11, (1, 0.05, 0.05)),
                  Material.FUR)]
    bits: list[Model] = [
        part(ellipsoid((0, 0, -0.3 * r), (0.80 * r, 0.78 * r, 1.0 * r), 0.25, 14, 10), Material.FUR),
        part(ellipsoid((0, 0.25 * r, -0.9 * r - 0.5 * build.muzzle), (0.42 * r, 0.38 * r, 0.75 * build.muzzle), 0.0,
                       10, 8), Material.MUZZLE),
        part(ellipsoid((0, 0.15 * r, -0.9 * r - 1.2 * build.muzzle), (0.14 * r, 0.12 * r, 0.1 * r), -0.6, 7, 5),
             Material.MUZZLE)]
    for side in (-1.0, 1.0):
        bits.append(part(ellipsoid((side * 0.36 * r, -0.18 * r, -1.12 * r), (0.13 * r, 0.12 * r, 0.10 * r), 0.0, 7, 5),
                         Material.EYE))
        if build.ear == "hanging":
            ear = ellipsoid((side * 0.82 * r, 0.25 * r, -0.1 * r), (0.14 * r, 0.75 * r, 0.42 * r), -0.2, 9, 7)
        elif build.ear == "upright":
            ear = ellipsoid((side * 0.5 * r, -0.95 * r, 0.0), (0.28 * r, 0.55 * r, 0.12 * r), 0.3, 8, 6)
        else:
            ear = ellipsoid((side * 0.6 * r, -0.65 * r, 0.0), (0.28 * r, 0.28 * r, 0.14 * r), 0.2, 8, 6)
        bits.append(part(ear, Material.FUR))
    head = joined(bits)
    head.vertices = (head.vertices @ turn.T + top).astype(np.float32)
    return [*parts, head]
