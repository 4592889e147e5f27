"""How far an exported network is from the one it was made from, on the inputs that the pipeline really gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config import PerceptionConfig, with_values
from ..engines.base import Engine
from ..frames import ThermalFrame
from ..pipeline import ThermalPerception

CONFIDENT = 0.05
"""Boxes are compared where a class scores at least so much: elsewhere nobody reads them."""


@dataclass(frozen=True)
class Difference:
    """How far the outputs of two networks are apart; pixels are those of the input."""

    pixels: float
    """Of the sides of boxes, or the coordinates of points: 99 % are closer."""
    worst_pixels: float
    """The largest. A side that the network sees in two places may jump between them at the least rounding."""
    scores: float
    """Largest of the scores, or of the points' standard deviations relative to their values."""

    def within(self, other: Difference) -> bool:
        """Whether nothing is larger than the other's; False if something is not a number."""
        return all(a <= b for a, b in zip(astuple(self), astuple(other), strict=True))

    def __str__(self) -> str:
        return (f"{self.pixels:.2g} pixels (99 % of places), {self.worst_pixels:.2g} pixels (all) and "
                f"{self.scores:.2g} in scores")


TOLERANCES = {"fp32": Difference(0.005, 0.01, 1e-4), "fp16": Difference(0.5, 4.0, 0.01),
              "bf16": Difference(3.0, 24.0, 0.08)}
"""What an engine may differ from PyTorch in fp32, by its precision."""


def difference(reference: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], task: str) -> Difference:
    """Compare two outputs of Engine.run for the same batch; the first is the measure."""
    (places, values), (other_places, other_values) = reference, other
    moved, changed = np.abs(other_places - places), np.abs(other_values - values)
    if task == "landmarks":
        changed = changed / values
    else:
        moved = moved[values.max(axis=2) >= CONFIDENT]
    if not moved.size:
        return Difference(0.0, 0.0, float(changed.max()))
    return Difference(float(np.quantile(moved, 0.99)), float(moved.max()), float(changed.max()))


class _Recorder:
    """An engine that keeps what it is given."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.batches: list[np.ndarray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Engine.run."""
        self.batches.append(batch)
        return self._engine.run(batch)


def network_inputs(model: Path, task: str, frames: Sequence[ThermalFrame]) -> np.ndarray:
    """What the pipeline gives a model file for these frames, (B, 1, H, W) float32; (0, ...) if there is no face."""
    values = {"face.landmark_model": str(model)} if task == "landmarks" else {"detector.model": str(model)}
    perception = ThermalPerception(with_values(PerceptionConfig(), {
        **values, "face.enabled": task == "landmarks", "tracking.enabled": False, "engine.device": "cpu"}))
    networks = perception.networks
    if task == "landmarks":
        assert networks.landmarker is not None
        networks.landmarker = recorder = _Recorder(networks.landmarker)
    else:
        networks.detector = recorder = _Recorder(networks.detector)
    for frame in frames:
        perception.process([frame])
    card = recorder.card
    nothing = np.zeros((0, 1, card.input_height, card.input_width), np.float32)
    return np.concatenate([nothing, *recorder.batches])
