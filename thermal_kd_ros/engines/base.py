"""What a network runtime must offer, and how one is loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Protocol

import numpy as np

from ..config import EngineConfig
from ..models.card import ModelCard, ModelError, check_card
from ..models.checkpoint import read, read_card, resolve
from .choice import Candidate, candidates
from .errors import EngineError
from .guard import GuardedEngine

__all__ = ["Engine", "EngineError", "load_engine"]


class Engine(Protocol):
    """One network, loaded and ready."""

    @property
    def card(self) -> ModelCard:
        """What the model says of itself."""
        ...

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on a CPU, which cannot get lost."""
        ...

    @property
    def warnings(self) -> list[str]:
        """What a user should know of, though it works."""
        ...

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, 1, H, W) float32 in [0, 1] to the network's two outputs, float32.

        Detectors: boxes (B, N, 4) in input pixels and scores (B, N, C). Landmarkers: points (B, K, 2) in input pixels
        and their standard deviations (B, K).
        """
        ...

    def describe(self) -> str:
        """Backend, device and precision, for logs and diagnostics."""
        ...


def load_engine(model: str, task: str, config: EngineConfig) -> GuardedEngine:
    """Load a shipped model or a model file for ``task``; raises ModelError or EngineError.

    Where the backend is auto, the fastest that works is taken; ``describe`` says which were passed over and why.
    """
    path = resolve(model)
    card = read_card(path)
    if card.task != task:
        raise ModelError(f"{path}: is a model for {card.task}, but one for {task} is needed here")
    check_card(card, path)
    fallback = dataclasses.replace(config, backend="auto", device="cpu", precision="auto")
    on_cpu = None if config.on_failure == "error" else lambda: load_engine(model, task, fallback).engine
    passed: dict[str, ModelError | EngineError] = {}
    for candidate in candidates(config):
        try:
            engine = _load(candidate, model, config)
        except (ModelError, EngineError) as error:
            passed[str(candidate)] = error
            continue
        reason = "auto: the fastest" if config.backend == "auto" else "as set"
        if passed:
            reason += f"; passed over {'; '.join(f'{name}: {why}' for name, why in passed.items())}"
        return GuardedEngine(engine, reason, on_cpu)
    if len(set(map(str, passed.values()))) == 1:
        # The only one that was asked for, or a file that is no good to any.
        raise next(iter(passed.values()))
    raise EngineError(f"{path}: nothing can run it here. "
                      + " ".join(f"{name}: {why}." for name, why in passed.items()))


def _load(candidate: Candidate, model: str, config: EngineConfig) -> Engine:
    """Raises EngineError or ModelError."""
    candidate.backend.check_installed()
    path: Path = resolve(model, candidate.backend.suffix)
    config = dataclasses.replace(config, device=candidate.device)
    try:
        if candidate.backend.name == "torch":
            from .torch_engine import TorchEngine

            return TorchEngine(*read(path), path, config)
        if candidate.backend.name == "onnxruntime":
            from .onnxruntime_engine import OnnxRuntimeEngine

            return OnnxRuntimeEngine(path, config)
        from .openvino_engine import OpenVinoEngine

        return OpenVinoEngine(path, config)
    except (ImportError, OSError) as error:  # OSError from torch where a library of CUDA is missing
        raise EngineError(f"{candidate.backend.name} is installed but cannot be imported ({error}); install it again "
                          f"with: python3 -m pip install --force-reinstall {candidate.backend.packages}") from None
