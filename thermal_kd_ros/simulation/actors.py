"""What moves: paths, behaviours, and the actors that follow them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thermal_kd_ros.simulation.head import Expression
from thermal_kd_ros.simulation.mesh import Mesh, rotation
from thermal_kd_ros.simulation.people import Gesture, Person, PosedPerson


@dataclass(frozen=True)
class Path:
    """Where an actor is on the ground, and where it heads.

    x, z: metres. heading: radians; 0 looks along -z, towards a camera at the origin. speed: m/s. length: metres after
    which a straight path starts again (out of sight, if the scene is laid out well). radius: of a circle instead, 0
    for straight; (x, z) is then its centre. start: metres along the path at t = 0.
    """

    x: float
    z: float
    heading: float = 0.0
    speed: float = 0.0
    length: float = 1.0
    radius: float = 0.0
    start: float = 0.0

    def at(self, t: float) -> tuple[np.ndarray, float]:
        """Position (3,) on the ground and heading at the time ``t`` seconds."""
        travelled = self.start + self.speed * t
        if self.radius:
            angle = self.heading + travelled / self.radius
            return np.array([self.x + self.radius * np.cos(angle), 0.0, self.z - self.radius * np.sin(angle)]), angle
        travelled = np.mod(travelled, self.length) if self.speed else 0.0
        step = -travelled * np.array([np.sin(self.heading), 0.0, np.cos(self.heading)])
        return np.array([self.x, 0.0, self.z]) + step, self.heading


@dataclass(frozen=True)
class Behaviour:
    """How a person moves: posture, gait, and the slow, aimless movements of a head and face."""

    kind: str = "stand"
    cadence: float = 0.95
    """Strides per second of a walk, turns of the pedals per second on a bicycle."""
    stride: float = 1.0
    look: tuple[float, float] = (0.0, 0.0)
    """Resting yaw and pitch of the head against the body, radians."""
    wander: float = 0.15
    """Amplitude of its turning, radians."""
    talks: bool = False
    cheerful: float = 0.0
    seed: int = 0

    def at(self, t: float) -> Gesture:
        """The gesture at the time ``t`` seconds."""
        phase = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, 10)
        wave = np.sin(2 * np.pi * t / np.array([5.3, 2.9, 7.1, 3.7, 9.0, 1.1, 0.31, 11.0, 23.0, 3.9]) + phase)
        speech = np.clip(0.30 * wave[6] + 0.25 * wave[5], 0, 1) * (wave[7] > -0.2) if self.talks else 0.0
        yawn = max(0.0, (wave[8] - 0.93) / 0.07)
        return Gesture(
            kind=self.kind,
            phase=2 * np.pi * self.cadence * t,
            stride=self.stride,
            head_yaw=self.look[0] + self.wander * (0.7 * wave[0] + 0.4 * wave[1]),
            head_pitch=self.look[1] + 0.5 * self.wander * (0.6 * wave[2] + 0.4 * wave[3]) - 0.15 * yawn,
            head_roll=0.35 * self.wander * wave[4],
            expression=Expression(
                jaw_open=float(max(speech, yawn)),
                smile=float(np.clip(self.cheerful * (0.6 + 0.6 * wave[7]), 0, 1)),
                blink=float(wave[9] > 0.97),
                brow_raise=float(np.clip(wave[3] - 0.6, 0, 0.4) / 0.4),
            ),
            breath=float(np.sin(2 * np.pi * 0.27 * t + phase[0])),
        )


@dataclass(frozen=True)
class PersonActor:
    """A person on a path; ``lift`` metres above the ground (a saddle, a seat)."""

    person: Person
    path: Path
    behaviour: Behaviour
    lift: float = 0.0
    label: str | None = "person"

    def at(self, t: float, camera: np.ndarray, focal: float) -> PosedPerson:
        """The posed person in the world, as detailed as a camera at ``camera`` (3,) with ``focal`` pixels needs."""
        position, heading = self.path.at(t)
        distance = max(float(np.linalg.norm(position - (0, 0.9 + self.lift, 0) - camera)) - 0.4, 0.3)
        return self.person.posed(self.behaviour.at(t), position - (0, self.lift, 0), heading, focal / distance)


@dataclass(frozen=True)
class MeshActor:
    """A rigid thing on a path: 'car', 'bicycle', or unlabelled."""

    mesh: Mesh
    path: Path
    label: str | None = None

    def at(self, t: float) -> Mesh:
        """The mesh in the world."""
        position, heading = self.path.at(t)
        return self.mesh.moved(rotation(heading), position)


Actor = PersonActor | MeshActor
