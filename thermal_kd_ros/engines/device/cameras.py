"""What is remembered of cameras between frames for one contrast: times on the host, spans on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...config import ContrastConfig
from ...contrast import weight_of_past
from ...frames import ThermalFrame
from ...tone import fixed_span, min_span
from .tone import ToneMemory

_ROOM = 4
"""Cameras that there is room for at first."""


@dataclass
class _Camera:
    row: int
    """In the memory on the device."""
    stamp: float | None = None
    """Of the latest image whose span was stored."""
    histogram: bool = False
    """Whether a histogram was stored with it."""


class CameraTones:
    """The host's half of ``tone.TemporalTone`` for all cameras; the other half is ``ToneMemory``."""

    def __init__(self, config: ContrastConfig, device: torch.device) -> None:
        self.config = config
        """May be replaced between frames."""
        self.memory = ToneMemory(_ROOM, device)
        """Replaced by a larger one when cameras come that it has no room for."""
        self._cameras: dict[str, _Camera] = {}

    def inputs(self, frames: Sequence[ThermalFrame]) -> np.ndarray:
        """What ``ToneInputs`` wants of each frame, (B, 8) float64; a camera may occur only once."""
        return np.array([self._of_frame(frame) for frame in frames])

    def forget(self) -> None:
        """Begin anew with every camera; what the memory holds of them is not looked at any more."""
        self._cameras.clear()

    def _of_frame(self, frame: ThermalFrame) -> tuple[float, ...]:
        config, camera = self.config, self._camera(frame.camera)
        fixed = fixed_span(frame, config) if config.method == "fixed" else None
        if config.method != "plateau":
            camera.histogram = False
        keep, store, known = 0.0, False, camera.histogram
        if fixed is None and frame.stamp is not None:
            if camera.stamp is not None:
                keep = weight_of_past(frame.stamp - camera.stamp, config.time_constant_s)
            store, camera.stamp, camera.histogram = True, frame.stamp, config.method == "plateau"
        low, high = (fixed.low, fixed.high) if fixed is not None else (0.0, 1.0)
        return (float(camera.row), min_span(frame, config), keep, float(store), float(fixed is not None), low, high,
                float(known))

    def _camera(self, name: str) -> _Camera:
        if name not in self._cameras:
            row = len(self._cameras)
            if row >= len(self.memory.spans):
                self.memory = self.memory.grown(2 * row)
            self._cameras[name] = _Camera(row)
        return self._cameras[name]
