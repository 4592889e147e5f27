"""What a network runtime must offer, and the choice of one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..config import EngineConfig
from ..models.checkpoint import ModelCard, read, resolve


class EngineError(RuntimeError):
    """A network cannot be run here; the message says why and what to do."""


class Engine(Protocol):
    """One network, loaded and ready."""

    card: ModelCard
    on_cpu: bool
    """Whether it runs on a CPU, which cannot get lost."""

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, 1, H, W) float32 in [0, 1] to the network's two outputs, float32.

        Detectors: boxes (B, N, 4) in input pixels and scores (B, N, C). Landmarkers: points (B, K, 2) in input pixels
        and their standard deviations (B, K).
        """
        ...

    def describe(self) -> str:
        """Backend, device and precision, for logs and diagnostics."""
        ...


def load_engine(model: str, task: str, config: EngineConfig) -> Engine:
    """Load a shipped model or a model file for ``task``; raises ModelError or EngineError."""
    from ..models.checkpoint import ModelError

    path = resolve(model)
    card, weights = read(path)
    if card.task != task:
        raise ModelError(f"{path}: is a model for {card.task}, but one for {task} is needed here")
    try:
        from .torch_engine import TorchEngine
    except ImportError as error:
        raise EngineError(f"PyTorch cannot be imported ({error}); install it with: pip install torch torchvision"
                          ) from None
    return TorchEngine(card, weights, path, config)
