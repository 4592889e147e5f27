"""Simple people for where the mesh archives are not at hand: right in size and heat, plain in shape."""

from __future__ import annotations

import numpy as np

from thermal_kd_ros.simulation.mesh import ellipsoid, rotation, tube
from thermal_kd_ros.simulation.noise import point_noise
from training.data.pair_scenes.materials import Material
from training.data.pair_scenes.model import Model, joined, part


def simple_body(rng: np.random.Generator, posture: str) -> Model:
    """A person of tubes and ellipsoids in a posture of ``bodies.POSTURES``."""
    s = float(rng.normal(1.0, 0.07)) * (rng.uniform(0.6, 0.8) if rng.random() < 0.15 else 1.0)
    g = float(rng.uniform(0.85, 1.25))
    swing = {"walk": 0.45, "run": 0.8}.get(posture, 0.05) * np.sin(rng.uniform(0, 2 * np.pi))
    seated, low = posture in ("sit", "cycle"), posture == "low"
    hip = -0.50 if seated else -0.45 if low else -0.90
    lean = rotation(0, {"cycle": 0.5, "run": 0.2, "low": 0.9}.get(posture, 0.03))

    def limb(points: np.ndarray, radii: tuple[float, ...], material: Material) -> Model:
        return part(tube(points, np.array(radii), 0.0, 9, (1, 0.05, 0.05)), material)

    def torso(*point: float) -> np.ndarray:
        return lean @ np.array(point) + (0, hip, 0)

    trunk = np.array([torso(0, y, 0) for y in (0.02, -0.15, -0.35, -0.50, -0.56)])
    radii = np.array([[0.16, 0.12], [0.15, 0.11], [0.19, 0.12], [0.15, 0.08], [0.06, 0.06]]) * g
    parts = [part(tube(trunk, radii, 0.05, 12), Material.TOP),
             limb(np.array([torso(0, -0.52, 0), torso(0, -0.64, -0.01)]), (0.055, 0.055), Material.SKIN)]
    head = torso(0, -0.76, -0.02)
    parts.append(part(ellipsoid(head, (0.078, 0.115, 0.095), 0.0, 14, 10), Material.FACE))
    parts.append(part(ellipsoid(head + (0, -0.035, 0.025), (0.085, 0.10, 0.095), 0.0, 14, 10), Material.HAIR))
    sleeve = Material.SKIN if rng.random() < 0.35 else Material.TOP
    for side, sign in ((-1.0, 1.0), (1.0, -1.0)):
        forward = (0.9 if posture == "cycle" else 0.1 * rng.normal()) + sign * swing
        arm = rotation(0, -forward) @ np.array([0, 0.28, 0])
        shoulder = torso(side * 0.19 * g, -0.46, 0)
        elbow = shoulder + arm + (side * 0.05, 0, 0)
        hand = elbow + rotation(0, -forward - rng.uniform(0.1, 0.8)) @ np.array([0, 0.25, 0])
        parts += [limb(np.stack([shoulder, elbow]), (0.05, 0.043), Material.TOP),
                  limb(np.stack([elbow, hand]), (0.042, 0.03), sleeve),
                  part(ellipsoid(hand + (0, 0.05, 0), (0.03, 0.08, 0.04), 0.0, 8, 6), Material.HAND)]
        hip_joint = np.array([side * 0.09, hip, 0])
        angle = 1.45 if seated else 1.2 if low else -sign * swing
        knee = hip_joint + rotation(0, -angle) @ np.array([0, 0.43, 0])
        ankle = knee + rotation(0, 0.1 if seated else 1.0 if low else max(0.0, swing * sign)) @ np.array([0, 0.40, 0])
        ankle[1] = min(ankle[1], -0.06)
        parts += [limb(np.stack([hip_joint, knee]), (0.085 * g, 0.06), Material.BOTTOM),
                  limb(np.stack([knee, ankle]), (0.06, 0.042), Material.BOTTOM),
                  part(ellipsoid(ankle + (0, 0.03, -0.07), (0.045, 0.045, 0.13), 0.0, 9, 6), Material.SHOE)]
    body = joined(parts)
    vertices = body.vertices * np.float32(s)
    vertices[:, 1] -= vertices[:, 1].max()
    folds = point_noise(rng, vertices, 0.22) + 0.7 * point_noise(rng, vertices, 0.07)
    seat = np.array([0, hip * s + 0.10, 0.0], np.float32)
    return Model(vertices.astype(np.float32), body.faces, body.material, (0.06 * folds).astype(np.float32), seat)
