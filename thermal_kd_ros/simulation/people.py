"""Articulated, clothed people.

Body frame: origin on the ground between the feet, the body looks along -z, y down, metres. A body is rigid pieces on a
skeleton of twelve bones; its temperature is that of bare skin, or lies between skin and air under cloth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.head import NEUTRAL, Expression
from thermal_kd_ros.simulation.head_heat import between
from thermal_kd_ros.simulation.mesh import Mesh, ellipsoid, merge, rotation, tube
from thermal_kd_ros.simulation.noise import point_noise
from thermal_kd_ros.simulation.portrait import (
    COARSE,
    FINE,
    MEDIUM,
    Portrait,
    PosedHead,
    Traits,
    distant_head,
    random_traits,
)

_TORSO, _HEAD, _ARM, _FOREARM, _THIGH, _SHIN, _FOOT = 0, 1, (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)


@dataclass(frozen=True)
class Clothes:
    """Coupling of each garment's outside to the skin (0 air, 1 bare skin), and the cut."""

    top: float
    legs: float
    shoes: float
    short_sleeves: bool
    short_legs: bool
    coat: bool
    bag: bool


@dataclass(frozen=True)
class Gesture:
    """A pose: gait (phase in radians, stride 0..1) and rest posture, plus the head's own turn against the body."""

    kind: str = "stand"
    """'stand', 'walk', 'sit' or 'cycle'."""
    phase: float = 0.0
    stride: float = 1.0
    head_yaw: float = 0.0
    head_pitch: float = 0.0
    head_roll: float = 0.0
    expression: Expression = NEUTRAL
    breath: float = 0.0


@dataclass(frozen=True)
class PosedPerson:
    """A person in the world: mesh, sf_tl54 points (54, 3) if the head is detailed enough, direction of the face."""

    mesh: Mesh
    landmarks: np.ndarray | None
    face_direction: np.ndarray


def random_clothes(rng: np.random.Generator, ambient: float) -> Clothes:
    """Clothes for the weather: thick and well insulating in the cold."""
    warmth = np.clip((ambient - 2) / 26, 0, 1)
    return Clothes(
        top=float(np.clip(rng.normal(0.18 + 0.40 * warmth, 0.10), 0.06, 0.85)),
        legs=float(np.clip(rng.normal(0.28 + 0.35 * warmth, 0.10), 0.10, 0.85)),
        shoes=float(rng.uniform(0.08, 0.30)),
        short_sleeves=bool(rng.random() < 0.75 * warmth),
        short_legs=bool(rng.random() < 0.5 * warmth),
        coat=bool(rng.random() < 0.35 * (1 - warmth)),
        bag=bool(rng.random() < 0.25),
    )


class Person:
    """One individual; meshes of different detail are built when first needed."""

    def __init__(self, rng: np.random.Generator, ambient: float, traits: Traits | None = None) -> None:
        self.ambient = ambient
        self.traits = random_traits(rng) if traits is None else traits
        self.clothes = random_clothes(rng, ambient)
        self.height = float(
            np.clip(rng.normal(1.71, 0.09), 1.45, 1.98) if rng.random() > 0.08 else rng.uniform(1.05, 1.4)
        )
        self.girth = float(np.clip(rng.normal(1.0, 0.12), 0.75, 1.4))
        self.phase = float(rng.uniform(0, 2 * np.pi))
        self._seed = int(rng.integers(2**31))
        self._bodies: dict[int, tuple[Mesh, np.ndarray]] = {}
        self._portraits: dict[tuple[int, int], Portrait] = {}
        self._distant: Mesh | None = None

    def posed(self, gesture: Gesture, position: np.ndarray, heading: float, pixels_per_metre: float) -> PosedPerson:
        """The person in the world.

        Args:
            position: (3,) of the body frame's origin, world metres.
            heading: turn of the body about the vertical, radians, as in :func:`mesh.rotation`.
            pixels_per_metre: how large the person will appear; chooses the detail.
        """
        body, bones = self._body(22 if pixels_per_metre > 200 else 8 if pixels_per_metre > 25 else 5)
        turns, origins = self._skeleton(gesture)
        vertices = np.einsum("vij,vj->vi", turns[bones], body.vertices) + origins[bones]
        head, landmarks = self._head(gesture, pixels_per_metre)
        nod = turns[_HEAD] @ rotation(gesture.head_yaw, gesture.head_pitch, gesture.head_roll)
        size = np.float32(0.5 + 0.5 * self.height / 1.71)
        head_vertices = (head.vertices * size) @ nod.T + origins[_HEAD]
        facing = rotation(heading)
        merged = merge(
            [Mesh(vertices, body.faces, body.temperature), Mesh(head_vertices, head.faces, head.temperature)]
        )
        points = None
        if landmarks is not None:
            points = ((landmarks * size) @ nod.T + origins[_HEAD]) @ facing.T + np.asarray(position, np.float32)
        return PosedPerson(merged.moved(facing, position), points, facing @ nod @ np.array([0, 0, -1], np.float32))

    def _head(self, gesture: Gesture, pixels_per_metre: float) -> tuple[Mesh, np.ndarray | None]:
        pixels = 0.12 * pixels_per_metre  # brow to chin
        if pixels < 5:
            if self._distant is None:
                self._distant = distant_head(self.traits, self.ambient)
            return self._distant, None
        detail = FINE if pixels > 75 else MEDIUM if pixels > 24 else COARSE
        if detail not in self._portraits:
            self._portraits[detail] = Portrait(self.traits, self.ambient, detail)
        posed: PosedHead = self._portraits[detail].posed(gesture.expression, gesture.breath)
        return posed.mesh, posed.landmarks

    def _skeleton(self, gesture: Gesture) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (12, 3, 3) and origin (12, 3) of every bone in the body frame."""
        s = self.height / 1.71
        phase, stride = gesture.phase + self.phase, gesture.stride
        lean, hips = 0.03, np.zeros(3)
        if gesture.kind == "walk":
            swing = [0.45 * stride * np.sin(phase + side * np.pi) for side in (0, 1)]
            thigh = [-angle for angle in swing]
            knee = [0.08 + 0.85 * stride * max(0.0, np.sin(phase + side * np.pi + 1.2)) ** 2 for side in (0, 1)]
            shoulder = [0.7 * angle for angle in swing]
            elbow = [-0.25 - 0.25 * stride, -0.25 - 0.25 * stride]
        elif gesture.kind == "sit":
            thigh, knee, shoulder, elbow = [-1.45, -1.40], [1.45, 1.35], [-0.35, -0.25], [-0.9, -1.0]
        elif gesture.kind == "cycle":
            lean = 0.42
            turn = [np.sin(phase), np.sin(phase + np.pi)]
            thigh = [-0.95 + 0.42 * value for value in turn]
            knee = [1.15 - 0.45 * value for value in turn]
            shoulder, elbow = [-1.15, -1.15], [-0.35, -0.35]
        else:
            sway = 0.02 * np.sin(0.7 * phase)
            thigh, knee, shoulder, elbow = [-0.03, 0.02], [0.05, 0.04], [-0.05 + sway, 0.05 - sway], [-0.25, -0.15]
        turns, origins = np.empty((12, 3, 3), np.float32), np.empty((12, 3), np.float32)
        trunk = rotation(0, lean)
        turns[_TORSO], origins[_TORSO] = trunk, hips
        turns[_HEAD] = rotation(0, 0.25 * lean)
        origins[_HEAD] = trunk @ np.array([0, -0.655 * s, 0.0]) + (0, 0, -0.015)
        for side, sign in enumerate((-1.0, 1.0)):
            arm = trunk @ rotation(0, shoulder[side]) @ rotation(0, 0, -sign * 0.10)
            turns[_ARM[side]] = arm
            origins[_ARM[side]] = trunk @ np.array([sign * 0.168 * s * self.girth, -0.465 * s, 0.0])
            turns[_FOREARM[side]] = arm @ rotation(0, elbow[side])
            origins[_FOREARM[side]] = origins[_ARM[side]] + arm @ np.array([0, 0.29 * s, 0])
            leg = rotation(0, thigh[side])
            turns[_THIGH[side]], origins[_THIGH[side]] = leg, np.array([sign * 0.09 * s, 0.03 * s, 0])
            shin = leg @ rotation(0, knee[side])
            turns[_SHIN[side]] = shin
            origins[_SHIN[side]] = origins[_THIGH[side]] + leg @ np.array([0, 0.43 * s, 0])
            turns[_FOOT[side]] = rotation(0, 0.5 * (thigh[side] + knee[side]))
            origins[_FOOT[side]] = origins[_SHIN[side]] + shin @ np.array([0, 0.42 * s, 0])
        # The lower foot stands on the ground.
        lowest = max(origins[foot][1] for foot in _FOOT) + 0.075 * s
        origins[:, 1] -= lowest
        return turns, origins

    def _body(self, segments: int) -> tuple[Mesh, np.ndarray]:
        """Mesh of the pieces, each in its bone's frame, and the bone of every vertex."""
        if segments in self._bodies:
            return self._bodies[segments]
        s, g, clothes, ambient = self.height / 1.71, self.girth, self.clothes, self.ambient
        skin = 32.8 + 0.12 * (ambient - 22)
        bare = between(skin, ambient, 0.88)
        top, legs, shoes = (float(between(skin, ambient, c)) for c in (clothes.top, clothes.legs, clothes.shoes))
        sleeve = bare if clothes.short_sleeves else top - 0.3
        lower = bare if clothes.short_legs else legs - 0.4
        y = np.array([-0.560, -0.535, -0.510, -0.475, -0.42, -0.30, -0.16, -0.05, 0.04, 0.09]) * s
        wide = np.array([0.062, 0.105, 0.155, 0.185, 0.192, 0.180, 0.155, 0.165, 0.165, 0.12]) * s * g
        deep = np.array([0.062, 0.075, 0.085, 0.098, 0.110, 0.120, 0.110, 0.118, 0.118, 0.09]) * s * g
        heat = np.array([between(bare, top, 0.5), top + 0.5, top, top, top, top, top, legs, legs, legs])
        column = np.stack([0 * y, y, 0.012 * s + 0 * y], -1)
        pieces = [(tube(column, np.stack([wide, deep], 1), heat, segments), _TORSO)]

        def down(*stops: float) -> np.ndarray:
            return np.array(stops)[:, None] * np.array([0.0, s, 0.0])

        for side in (0, 1):
            arm_radii = np.array([0.014, 0.034, 0.052, 0.053, 0.046, 0.040]) * s * g**0.5
            elbow = top if clothes.short_sleeves else sleeve
            arm_heat = np.array([top, top, top, top, elbow, sleeve])
            arm = tube(down(-0.045, -0.028, 0.015, 0.09, 0.18, 0.29), arm_radii, arm_heat, segments)
            fore = tube(down(0, 0.10, 0.24), np.array([0.042, 0.040, 0.029]) * s, sleeve, segments)
            hand = ellipsoid((0, 0.32 * s, 0), (0.022 * s, 0.085 * s, 0.040 * s), bare - 0.4, max(5, segments // 2), 5)
            pieces += [(arm, _ARM[side]), (fore, _FOREARM[side]), (hand, _FOREARM[side])]
            thigh = tube(down(-0.02, 0.12, 0.28, 0.43), np.array([0.088, 0.082, 0.068, 0.055]) * s * g, legs, segments)
            shin = tube(down(0, 0.12, 0.28, 0.40), np.array([0.055, 0.057, 0.045, 0.037]) * s * g**0.5, lower, segments)
            foot = ellipsoid(
                (0, 0.03 * s, -0.07 * s), (0.045 * s, 0.045 * s, 0.135 * s), shoes, max(6, segments // 2), 5
            )
            pieces += [(thigh, _THIGH[side]), (shin, _SHIN[side]), (foot, _FOOT[side])]
        if clothes.coat:
            hem = np.array([[0, -0.20, 0.012], [0, 0.10, 0.012], [0, 0.42, 0.0]]) * s
            wide = np.array([[0.165, 0.125], [0.19, 0.15], [0.24, 0.20]]) * s * g
            pieces.append((tube(hem, wide, top - 0.2, segments, closed=False), _TORSO))
        if clothes.bag:
            pieces.append(
                (ellipsoid((0, -0.30 * s, 0.20 * s), (0.15 * s, 0.21 * s, 0.09 * s), ambient + 1.0, 8, 6), _TORSO)
            )
        body = merge([piece for piece, _ in pieces])
        bones = np.repeat([bone for _, bone in pieces], [len(piece.vertices) for piece, _ in pieces])
        rng = np.random.default_rng(self._seed)
        folds = point_noise(rng, body.vertices + bones[:, None] * 0.37, 0.20) + 0.7 * point_noise(
            rng, body.vertices, 0.07
        )
        body = body.heated(folds * 0.045 * (skin - ambient))
        self._bodies[segments] = (body, bones)
        return body, bones
