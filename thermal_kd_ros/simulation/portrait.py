"""A person's head with everything on it: shape, skin, hair and wear, ready to be posed and drawn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from thermal_kd_ros.simulation import head_wear
from thermal_kd_ros.simulation.head import NEUTRAL, Expression, HeadShape
from thermal_kd_ros.simulation.head_heat import Skin, between, breath_weight, skin_temperature
from thermal_kd_ros.simulation.mesh import Mesh, ellipsoid, grid_faces, merge
from thermal_kd_ros.simulation.noise import point_noise

FINE, MEDIUM, COARSE = (112, 84), (64, 56), (36, 36)
"""Mesh resolutions (columns, rows) for faces of hundreds, about a hundred, and tens of pixels."""


@dataclass(frozen=True)
class Traits:
    """Everything that makes one head. All random choices are made here: every resolution shows the same head."""

    identity: np.ndarray = field(default_factory=lambda: np.zeros(HeadShape.IDENTITIES))
    skin: Skin = Skin()
    hair: str = "short"
    """'none', 'short' or 'long'."""
    hair_thickness: float = 0.010
    """Metres."""
    hair_line: float = 0.0
    """Metres that the hairline is lower than usual; negative recedes."""
    beard: str = "none"
    """'none', 'stubble', 'moustache', 'goatee' or 'full'."""
    hat: str = "none"
    """'none', 'cap', 'beanie' or 'helmet'."""
    glasses: bool = False
    glasses_coupling: float = 0.2
    """0: lenses at air temperature; 1: at skin temperature."""
    mask: bool = False
    seed: int = 0


def random_traits(rng: np.random.Generator) -> Traits:
    """A head drawn from a population."""
    masculine = rng.random() < 0.5
    hair = str(rng.choice(["none", "short", "long"], p=[0.15, 0.8, 0.05] if masculine else [0.02, 0.4, 0.58]))
    beards = ["none", "stubble", "moustache", "goatee", "full"]
    skin = Skin(
        offset=float(np.clip(rng.normal(0, 0.35), -0.8, 0.8)),
        nose=float(rng.normal(-0.3, 1.2)),
        cheeks=float(rng.normal(0, 0.4)),
        vessels=float(rng.uniform(0.1, 0.45)),
        sweat=float(rng.uniform(0, 0.9) if rng.random() < 0.3 else 0.0),
        seed=int(rng.integers(2**31)),
    )
    return Traits(
        identity=rng.standard_normal(HeadShape.IDENTITIES),
        skin=skin,
        hair=hair,
        hair_thickness=float(np.exp(rng.uniform(np.log(0.002), np.log(0.030)))),
        hair_line=float(rng.normal(0, 0.006) - (0.012 if masculine and rng.random() < 0.3 else 0)),
        beard=str(rng.choice(beards, p=[0.5, 0.15, 0.08, 0.1, 0.17])) if masculine else "none",
        hat=str(rng.choice(["none", "cap", "beanie", "helmet"], p=[0.8, 0.09, 0.08, 0.03])),
        glasses=bool(rng.random() < 0.35),
        glasses_coupling=float(rng.uniform(0.05, 0.45)),
        mask=bool(rng.random() < 0.08),
        seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class PosedHead:
    """A head in its own frame (see :mod:`head`): mesh, and the exact sf_tl54 points (54, 3) on the skin, metres."""

    mesh: Mesh
    landmarks: np.ndarray


class Portrait:
    """A head at one resolution and one air temperature."""

    def __init__(self, traits: Traits, ambient: float, detail: tuple[int, int] = FINE) -> None:
        self.traits = traits
        self.ambient = ambient
        self.shape = HeadShape(traits.identity, *detail)
        template = self.shape.template
        rng = np.random.default_rng(traits.seed)
        self.skin_temperature = skin_temperature(template, traits.skin, ambient)
        self._breath = breath_weight(template)
        heat = self.skin_temperature
        thickness = np.zeros(len(heat))
        parts: list[Mesh] = []
        layers = []
        warm_ear = between(float(np.median(heat)), ambient, 0.86) - 0.3
        covered_ears = traits.hat == "beanie" or traits.hair == "long"
        if not covered_ears:
            ears = head_wear.ears(rng)
            parts.append(ears.heated(warm_ear + 0.5 * point_noise(rng, ears.vertices, 0.03)))
        if traits.hair != "none":
            thick = traits.hair_thickness if traits.hat == "none" else min(traits.hair_thickness, 0.006)
            layers.append(head_wear.hair(template, rng, thick, traits.hair_line))
            if traits.hair == "long":
                strands = head_wear.long_hair(rng, thick)
                coupling = 0.28 + 0.08 * point_noise(rng, strands.vertices, 0.03)
                parts.append(strands.heated(between(float(np.median(heat)), ambient, coupling)))
        if traits.beard != "none":
            layers.append(head_wear.beard(template, rng, traits.beard))
        if traits.hat != "none":
            layer, brims = head_wear.hat(template, rng, traits.hat)
            layers.append(layer)
            parts += [part.heated(between(34.0, ambient, coupling)) for part, coupling in brims]
        for layer in layers:
            heat = head_wear.cover(heat, layer, ambient)
            thickness = np.maximum(thickness, layer.thickness)
        centre = np.array([0.0, -0.02, 0.012])
        outwards = self.shape.neutral - centre
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
        self._shell = (outwards * thickness[:, None]).astype(np.float32)
        self._heat = heat.astype(np.float32)
        if traits.glasses:
            lenses, frame = head_wear.glasses(rng)
            edge = 1.2 * point_noise(rng, lenses.vertices, 0.08)
            parts.append(lenses.heated(between(34.0, ambient, traits.glasses_coupling) + edge * 0.5))
            parts.append(frame.heated(between(34.0, ambient, min(1.0, traits.glasses_coupling + 0.1))))
        self._mask_breath = np.zeros(0, np.float32)
        self._mask_slice = slice(0, 0)
        mouth = self._mouth()
        parts.insert(0, mouth)
        if traits.mask:
            cloth, self._mask_breath = head_wear.surgical_mask(rng)
            parts.append(cloth.heated(between(34.0, ambient, 0.45 + 0.05 * point_noise(rng, cloth.vertices, 0.04))))
            start = len(heat) + sum(len(part.vertices) for part in parts[:-1])
            self._mask_slice = slice(start, start + len(cloth.vertices))
        extra = merge(parts)
        self._mouth_slice = slice(len(heat), len(heat) + len(mouth.vertices))
        skull = Mesh(self.shape.neutral, self.shape.faces, self._heat)
        self._mesh = merge([skull, extra])

    def _mouth(self) -> Mesh:
        """The inside of the mouth: a patch behind the lips that shows when they part."""
        x, y = np.meshgrid(np.linspace(-0.028, 0.028, 5), np.linspace(0.056, 0.094, 5))
        points = np.stack([x, y, -0.058 + 0.15 * (y - 0.056) - 20 * x**2], -1).reshape(-1, 3).astype(np.float32)
        return Mesh(points, grid_faces(5, 5), np.full(25, 35.0, np.float32))

    def posed(self, expression: Expression = NEUTRAL, breath: float = 0.0) -> PosedHead:
        """The head with an expression.

        Args:
            breath: -1 (breathing in: air cools nostrils and mask) to 1 (breathing out).
        """
        skin = self.shape.posed(expression)
        count = len(skin)
        vertices = self._mesh.vertices.copy()
        vertices[:count] = skin + self._shell
        heat = self._mesh.temperature.copy()
        swing = np.clip((35.0 - self.ambient) / 13.0, 0.2, 2.5)
        heat[:count] += self._breath * (0.7 * breath - 0.3) * swing
        heat[self._mask_slice] += self._mask_breath * (1.3 * breath + 0.8) * swing
        # Behind closed lips the inside is drawn back, lest it pierces the cheeks.
        vertices[self._mouth_slice, 2] += 0.025 * (1 - min(3 * expression.jaw_open, 1))
        heat[self._mouth_slice] += -1.2 * swing * (0.5 - 0.5 * breath)
        return PosedHead(replace(self._mesh, vertices=vertices, temperature=heat), self.shape.landmarks54(skin))


def distant_head(traits: Traits, ambient: float) -> Mesh:
    """An ellipsoid for heads of a few pixels, in the head frame: warm in front, hair or hat behind and above."""
    skull = ellipsoid((0, -0.005, 0.008), (0.077, 0.118, 0.100), 0.0, 10, 8)
    _, y, z = skull.vertices.T
    face = 34.0 + traits.skin.offset + 0.09 * (ambient - 22)
    bald = traits.hair == "none" and traits.hat == "none"
    hairy = np.clip(np.maximum((z - 0.0) / 0.05, (-0.055 - y) / 0.03), 0, 1) * (0.0 if bald else 1.0)
    heat = face + hairy * (between(face, ambient, 0.35) - face)
    return replace(skull, temperature=heat.astype(np.float32))
