"""Which libraries can run a network, and in which order they are tried."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import DEVICES, EngineConfig
from ..models.checkpoint import ONNX, SAFETENSORS
from .cuda import Gpu, find_gpus
from .errors import EngineError


@dataclass(frozen=True)
class Backend:
    """One library."""

    name: str
    suffix: str
    """Of the model files that it reads."""
    packages: str
    """What pip installs it by."""

    def check_installed(self) -> None:
        """Raises EngineError with the command that installs it."""
        try:
            installed = importlib.util.find_spec(self.name) is not None
        except ImportError:
            installed = False
        if not installed:
            raise EngineError(f"{self.name} is not installed; install it with: python3 -m pip install {self.packages}")


BACKENDS = {backend.name: backend for backend in (
    Backend("torch", SAFETENSORS, "torch torchvision"),
    Backend("onnxruntime", ONNX, "onnxruntime"),
    Backend("openvino", ONNX, "openvino"),
)}

ON_CUDA = ("torch", "onnxruntime")
ON_CPU = ("openvino", "onnxruntime", "torch")
"""Fastest first. Frames of the three shipped models on one thread of an AMD Zen 5 core, relative to PyTorch in fp32:
OpenVINO 1.6 to 2.9 times, in bf16 2.4 to 3.1 times, onnxruntime 1.2 to 2.5 times, PyTorch in bf16 0.9 to 1.4 times."""


@dataclass(frozen=True)
class Candidate:
    """A backend, and the device that it is to take."""

    backend: Backend
    device: str

    def __str__(self) -> str:
        return f"{self.backend.name} on {self.device}"


def candidates(config: EngineConfig, gpus: Sequence[Gpu] | None = None) -> list[Candidate]:
    """What a configuration allows, fastest first; raises EngineError for a device that nothing knows.

    ``gpus`` are the NVIDIA GPUs, of this machine if not given.
    """
    kind = config.device.partition(":")[0].lower()
    if kind not in ("auto", "cpu", "cuda", "gpu", "npu"):
        raise EngineError(f"engine.device '{config.device}' is not a device; use auto, {DEVICES}")
    if config.backend != "auto":
        return [Candidate(BACKENDS[config.backend], config.device)]
    if kind in ("gpu", "npu"):
        return [Candidate(BACKENDS["openvino"], config.device)]
    found: list[Candidate] = []
    if kind == "cuda" or (kind == "auto" and (find_gpus() if gpus is None else gpus)):
        found += [Candidate(BACKENDS[name], "cuda" if kind == "auto" else config.device) for name in ON_CUDA]
    if kind in ("auto", "cpu"):
        found += [Candidate(BACKENDS[name], "cpu") for name in ON_CPU]
    return found
