"""How far an exported network is from the one it was made from, on the inputs that the pipeline really gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """Largest differences between the outputs of two networks."""

    pixels: float
    """Of a box's side or a point's coordinate, in pixels of the input."""
    scores: float
    """Of a score, or of a point's standard deviation relative to its value."""

    def within(self, other: Difference) -> bool:
        """Whether neither is larger than the other's; False if one is not a number."""
        return self.pixels <= other.pixels and self.scores <= other.scores


TOLERANCES = {"fp32": Difference(0.01, 1e-4), "fp16": Difference(1.0, 0.02), "bf16": Difference(6.0, 0.1)}
"""What an engine may differ from PyTorch in fp32, by its precision."""


def difference(reference: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], task: str) -> Difference:
    """Compare two outputs of Engine.run for the same batch; the first is the measure."""
    (places, values), (other_places, other_values) = reference, other
    if task == "landmarks":
        return Difference(_largest(other_places - places), _largest((other_values - values) / values))
    read = values.max(axis=2) >= CONFIDENT
    return Difference(_largest((other_places - places)[read]), _largest(other_values - values))


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max()) if values.size else 0.0


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
    if task == "landmarks":
        assert perception.landmarker is not None
        perception.landmarker = recorder = _Recorder(perception.landmarker)
    else:
        perception.detector = recorder = _Recorder(perception.detector)
    for frame in frames:
        perception.process([frame])
    card = perception.detector.card if task == "detection" else perception.landmarker.card
    nothing = np.zeros((0, 1, card.input_height, card.input_width), np.float32)
    return np.concatenate([nothing, *recorder.batches])
